//! C9 to C11: killed while what is left of a finished job is tidied up.

use fakegithub::{Effect as Failure, Fault};
use http::Method;
use serde_json::json;
use testkit::api_server::{ApiServer, Effect};

use super::{FIRST, SECOND, is_complete, killed, payload_is_stored};
use crate::jobs::finish;
use crate::kubelet::Behaviour;
use crate::rig::{PATIENCE, Rig};

const JOBS: &str = "/apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/runnerjobs";

/// The agent that the only job was claimed by.
fn consumed(rig: &Rig) -> String {
    rig.api.list("/runnerjobs/")[0]["spec"]["broker"]["agent"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn c9_the_payload_of_a_finished_job_goes() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::DELETE, "/secrets", 1, Effect::Withhold);
    let run = killed(&rig, "W7", |rig| rig.asked(Method::DELETE, "/secrets") > 0).await;
    assert!(is_complete(&rig) && payload_is_stored(&rig));
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c9_a_payload_that_is_gone_already_is_fine() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::DELETE, "/secrets", 1, Effect::WithholdAnswer);
    let run = killed(&rig, "W7", |rig| is_complete(rig) && !payload_is_stored(rig)).await;
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c10_a_consumed_agent_is_replaced() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    // The first registration is of the agent that claims, the second of the one that listens meanwhile.
    let withheld = Fault { skip: 2, effect: Failure::Withhold, ..Fault::new("R3") };
    rig.github.control().fail(withheld);
    let run = killed(&rig, "R3 after W7", |rig| rig.asked_github("R3").len() == 3).await;
    assert!(is_complete(&rig) && !payload_is_stored(&rig));
    let consumed = consumed(&rig);
    assert!(rig.agents_stored().contains(&consumed));
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
    let stored = rig.agents_stored();
    assert!(!stored.contains(&consumed), "{stored:?}");
}

#[tokio::test]
async fn c10_an_agent_that_no_other_follows_is_not_taken_for_a_fresh_one() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let first = rig.controller(FIRST);
    for _ in 0..2 {
        rig.push("{ build: { runs-on: linux } }");
    }
    let busy = "actions_gateway_busy_sessions{namespace=\"team-a\",runner_group=\"blue\"}";
    let both = |_: &ApiServer| (first.metric(busy).as_deref() == Some("2")).then_some(());
    rig.api.wait_for("two busy sessions", PATIENCE, both).await;
    let running = |api: &ApiServer| {
        let pods = api.list("/pods/");
        (pods.len() == 2 && pods.iter().all(|it| it["status"]["phase"] == "Running")).then_some(pods)
    };
    for pod in rig.api.wait_for("two workers", PATIENCE, running).await {
        finish(&rig, &pod);
    }
    let jobs = rig.settled(2).await;
    let recycled = "actions_gateway_agent_recycles_total{namespace=\"team-a\",runner_group=\"blue\",trigger=\"post_job\"}";
    assert_eq!(
        first.metric(recycled).as_deref(),
        Some("1"),
        "the second one would stand by beside the first"
    );
    let stored = rig.agents_stored();
    assert_eq!(stored.iter().filter(|it| it.is_empty()).count(), 1, "{stored:?}");
    drop(first);

    // What is stored must say it alone: RunnerJobs are pruned.
    for job in &jobs {
        assert!(!stored.iter().any(|it| *it == job["spec"]["broker"]["agent"]["name"]), "{stored:?}");
        rig.api.delete(&format!("{JOBS}/{}", crate::rig::name(job)));
    }
    let second = rig.controller(SECOND);
    rig.listens(SECOND).await;
    let run = rig.push("{ build: { runs-on: linux } }");
    let worker =
        |api: &ApiServer| api.list("/pods/").into_iter().find(|it| it["status"]["phase"] == "Running");
    finish(&rig, &rig.api.wait_for("a running worker", PATIENCE, worker).await);
    assert_eq!(rig.concluded(&run).await, "success");
    let stale = "actions_gateway_agent_recycles_total{namespace=\"team-a\",runner_group=\"blue\",trigger=\"stale_session\"}";
    assert_eq!(second.metric(stale), None, "no session was opened for a consumed agent");
    rig.assert_clean();
}

#[tokio::test]
async fn c11_a_settled_job_lets_its_pod_go() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::PATCH, "/pods/", 1, Effect::Withhold);
    let run = killed(&rig, "W9", |rig| rig.asked(Method::PATCH, "/pods/") > 0).await;
    let consumed = consumed(&rig);
    assert!(!rig.agents_stored().contains(&consumed), "W8 is done");
    let held = &rig.api.list("/pods/")[0]["metadata"]["finalizers"];
    assert_eq!(*held, json!(["actions-gateway.github.com/job"]));
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}
