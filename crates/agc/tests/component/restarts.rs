//! The controller is killed at many points, and another one takes up what it left.

use fakegithub::{Fault, Lever, Repeat};
use http::Method;
use serde_json::{Value, json};
use testkit::api_server::{ApiServer, Effect};

use super::jobs::finish;
use crate::kubelet::Behaviour;
use crate::rig::{PATIENCE, Rig, ending};

/// Runs one job; the first controller is killed once `until` holds, a second one takes over.
async fn killed(
    rig: &Rig,
    what: &str,
    until: impl Fn(&ApiServer) -> bool,
    between: impl FnOnce(&Rig),
) -> Value {
    let first = rig.controller("agc-0");
    rig.push("{ build: { runs-on: linux } }");
    rig.api.wait_for(what, PATIENCE, |api| until(api).then_some(())).await;
    drop(first);
    between(rig);
    let _second = rig.controller("agc-1");
    rig.settled_job().await
}

fn acquire_hangs() -> Lever {
    Lever::Fail(Fault { after_commit: true, delay_ms: 60_000, ..Fault::new("X1") })
}

fn claimed(rig: &Rig) -> bool {
    rig.github.control().runs().iter().any(|run| run.jobs.iter().any(|job| job.claims > 0))
}

#[tokio::test]
async fn c3a_a_claim_whose_answer_is_lost_is_claimed_again() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.github.control().pull(acquire_hangs()).unwrap();
    rig.github.control().pull(Lever::RepeatedAcquire { answer: Repeat::Same, account: None }).unwrap();
    let job = killed(&rig, "the claim", |_| claimed(&rig), |_| {}).await;
    assert_eq!(ending(&job), "Succeeded");
    rig.assert_clean();
}

#[tokio::test]
async fn c3b_a_claim_that_cannot_be_repeated_is_said_to_be_lost() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.github.control().pull(acquire_hangs()).unwrap();
    rig.github.control().pull(Lever::RepeatedAcquire { answer: Repeat::Conflict, account: None }).unwrap();
    let job = killed(&rig, "the claim", |_| claimed(&rig), |_| {}).await;
    assert_eq!(ending(&job), "ClaimLost");
    let lost = |api: &ApiServer| api.list("/events/").into_iter().find(|it| it["reason"] == "JobClaimLost");
    rig.api.wait_for("the Event", PATIENCE, lost).await;
    rig.assert_clean();
}

#[tokio::test]
async fn c4_a_stored_payload_gets_its_pod() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/pods", 1000, Effect::Refuse(500, "down".into()));
    let payload = |api: &ApiServer| api.list("-payload").len() == 1;
    let tried = move |api: &ApiServer| {
        payload(api) && api.calls().iter().any(|it| it.path.ends_with("/pods") && it.is_write())
    };
    let job = killed(&rig, "the payload", tried, |rig| rig.api.heal()).await;
    assert_eq!(ending(&job), "Succeeded");
    rig.assert_clean();
}

#[tokio::test]
async fn c5_a_pod_whose_answer_was_lost_is_found_by_its_name() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/pods", 1, Effect::LoseAnswer);
    let job = killed(&rig, "the pod", |api| api.list("/pods/").len() == 1, |_| {}).await;
    assert_eq!(ending(&job), "Succeeded");
    rig.assert_clean();
}

#[tokio::test]
async fn c6_a_pod_that_no_status_names_is_adopted() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    rig.api.fail(Method::PATCH, "/status", 1000, Effect::Refuse(500, "down".into()));
    let running = |api: &ApiServer| api.list("/pods/").iter().any(|it| it["status"]["phase"] == "Running");
    let job = killed(&rig, "the pod", running, |rig| {
        rig.api.heal();
        finish(rig, &rig.api.list("/pods/")[0]);
    })
    .await;
    assert_eq!(ending(&job), "Succeeded");
    rig.assert_clean();
}

#[tokio::test]
async fn c7_a_running_job_runs_on_and_can_still_be_cancelled() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let first = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let running = |api: &ApiServer| {
        let jobs = api.list("/runnerjobs/");
        (jobs.first()?["status"]["pod"]["uid"].is_string()).then_some(())
    };
    rig.api.wait_for("W4", PATIENCE, running).await;
    drop(first);
    let _second = rig.controller("agc-1");
    let agent = rig.api.list("/runnerjobs/")[0]["spec"]["agent"]["name"].clone();
    let sessions = || rig.github.control().state().sessions;
    let busy = || sessions().iter().any(|it| it.owner == "agc-1" && agent == it.agent.as_str());
    rig.api.wait_for("a session that listens for the end", PATIENCE, |_| busy().then_some(())).await;
    rig.github.control().cancel_run(run.run_id).unwrap();
    assert_eq!(ending(&rig.settled_job().await), "Cancelled");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    rig.assert_clean();
}

#[tokio::test]
async fn c8_a_pod_that_ended_meanwhile_has_its_result() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let named =
        |api: &ApiServer| api.list("/runnerjobs/").iter().any(|it| it["status"]["pod"]["uid"].is_string());
    let job = killed(&rig, "W4", named, |rig| finish(rig, &rig.api.list("/pods/")[0])).await;
    assert_eq!(ending(&job), "Succeeded");
    rig.assert_clean();
}

#[tokio::test]
async fn c9_to_c11_what_was_left_to_tidy_up_is_tidied_up() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::DELETE, "/secrets", 1000, Effect::Refuse(500, "down".into()));
    let complete = |api: &ApiServer| {
        api.list("/runnerjobs/").iter().any(|it| !ending(it).is_empty() && it["status"]["result"].is_string())
    };
    let job = killed(&rig, "W6", complete, |rig| rig.api.heal()).await;
    assert_eq!(ending(&job), "Succeeded");
    rig.assert_clean();
}

#[tokio::test]
async fn c12_a_pod_that_vanished_meanwhile_is_missed() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let named =
        |api: &ApiServer| api.list("/runnerjobs/").iter().any(|it| it["status"]["pod"]["uid"].is_string());
    let job = killed(&rig, "W4", named, |rig| {
        let pod = rig.api.list("/pods/").remove(0);
        rig.api.vanish(&format!("/api/v1/namespaces/team-a/pods/{}", crate::rig::name(&pod)));
    })
    .await;
    assert_eq!(ending(&job), "PodDeleted");
    rig.assert_clean();
}

#[tokio::test]
async fn an_orderly_end_leaves_no_session_and_the_job_runs_on() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let first = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let named =
        |api: &ApiServer| api.list("/runnerjobs/").iter().any(|it| it["status"]["pod"]["uid"].is_string());
    rig.api.wait_for("W4", PATIENCE, |api| named(api).then_some(())).await;
    first.stop().await;
    let agent = rig.api.list("/runnerjobs/")[0]["spec"]["agent"]["name"].clone();
    let mut listening = rig.github.control().state().sessions;
    listening.retain(|it| agent != it.agent.as_str());
    assert!(listening.is_empty(), "{listening:?}");
    let pods = rig.api.list("/pods/");
    assert!(pods[0]["metadata"]["deletionTimestamp"].is_null());
    let _second = rig.controller("agc-1");
    finish(&rig, &pods[0]);
    assert_eq!(rig.concluded(&run).await, "success");
    assert_eq!(ending(&rig.settled_job().await), "Succeeded");
    rig.assert_clean();
}

#[tokio::test]
async fn a_controller_whose_lease_is_taken_ends_at_once() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let mut controller = rig.controller("agc-0");
    let lease = "/apis/coordination.k8s.io/v1/namespaces/team-a/leases/actions-gateway-controller";
    rig.api.wait_for("the lease", PATIENCE, |api| api.get(lease)).await;
    rig.api.edit(lease, |it| it["spec"]["holderIdentity"] = json!("somebody-else"));
    controller.ended().await;
}
