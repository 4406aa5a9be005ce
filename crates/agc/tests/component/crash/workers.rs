//! C4 to C8, C12 and C13: killed between the claim and the end of the worker.

use fakegithub::Fault;
use http::Method;
use serde_json::json;
use testkit::api_server::Effect;

use super::{SECOND, killed, payload_is_stored, pod_is_named, worker_runs};
use crate::jobs::finish;
use crate::kubelet::Behaviour;
use crate::rig::{GROUP, PATIENCE, Rig, ending, name};

#[tokio::test]
async fn c4_a_stored_payload_gets_its_pod() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/pods", 1, Effect::Withhold);
    let run = killed(&rig, "W3", |rig| rig.asked(Method::POST, "/pods") > 0).await;
    assert!(payload_is_stored(&rig) && rig.api.list("/pods/").is_empty());
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
    assert_eq!(rig.asked_github("X1").len(), 1, "the payload is the claim");
}

#[tokio::test]
async fn c4_a_job_of_a_group_that_can_no_longer_be_honoured_gets_no_pod() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/pods", 1, Effect::Withhold);
    let run = killed(&rig, "W3", |rig| rig.asked(Method::POST, "/pods") > 0).await;
    rig.api
        .edit(GROUP, |it| it["spec"]["podTemplate"] = json!({ "spec": { "serviceAccountName": "admin" } }));
    // The run ends at GitHub: nobody else would end the wait for a template that can be honoured.
    let body = json!({ "source": "actions-run-service", "statusCode": 404, "errorMessage": "gone" });
    let fault = Fault::new("X2").answering(404).with_body(body);
    rig.github.control().fail(Fault { delay_ms: 1500, ..fault });
    let _second = rig.controller(SECOND);
    let refused = |api: &testkit::api_server::ApiServer| {
        api.list("/events/").into_iter().find(|it| it["reason"] == "WorkerPodCreateFailed")
    };
    rig.api.wait_for("the refusal", PATIENCE, refused).await;
    let job = rig.settled_job().await;
    assert_eq!((ending(&job), &job["status"]["failureClass"]), ("PodRefused", &json!("user")));
    assert!(rig.api.list("/pods/").is_empty());
    assert_eq!(rig.github.control().ledger(Some(run.run_id)), [], "nothing of it ever ran");
}

#[tokio::test]
async fn c5_a_pod_whose_answer_was_lost_is_adopted() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    rig.api.fail(Method::POST, "/pods", 1, Effect::WithholdAnswer);
    rig.api.fail(Method::PATCH, "/status", 1000, Effect::Refuse(500, "down".into()));
    let run = killed(&rig, "the pod", |rig| !rig.api.list("/pods/").is_empty()).await;
    rig.api.heal();
    let _second = rig.controller(SECOND);
    rig.api.wait_for("W4", PATIENCE, |_| pod_is_named(&rig).then_some(())).await;
    finish(&rig, &rig.api.list("/pods/")[0]);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c5_a_pod_that_is_there_already_and_ours_is_the_one_that_was_asked_for() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/pods", 1, Effect::LoseAnswer);
    let _controller = rig.controller(SECOND);
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c6_a_pod_that_no_status_names_is_adopted() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    rig.api.fail(Method::PATCH, "/status", 1000, Effect::Refuse(500, "down".into()));
    let running = |rig: &Rig| rig.api.list("/pods/").iter().any(|it| it["status"]["phase"] == "Running");
    let run = killed(&rig, "the pod", running).await;
    assert!(!pod_is_named(&rig));
    rig.api.heal();
    finish(&rig, &rig.api.list("/pods/")[0]);
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c7_a_running_job_runs_on_and_its_lock_is_renewed_at_once() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let run = killed(&rig, "a worker that runs", worker_runs).await;
    let before = rig.asked_github("X2").len();
    let _second = rig.controller(SECOND);
    let renewed = || rig.asked_github("X2").get(before).and_then(|it| it.status);
    let status = rig.api.wait_for("a renewal", PATIENCE, |_| renewed()).await;
    assert_eq!(status, 200);
    let reads = |it: &testkit::api_server::Call| {
        it.who == SECOND && it.method == Method::GET && it.path.ends_with("-payload")
    };
    assert_eq!(rig.api.calls().into_iter().filter(reads).count(), 1, "the payload is read once");
    finish(&rig, &rig.api.list("/pods/")[0]);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c7_a_running_job_can_still_be_cancelled() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let run = killed(&rig, "a worker that runs", worker_runs).await;
    let _second = rig.controller(SECOND);
    let agent = rig.api.list("/runnerjobs/")[0]["spec"]["broker"]["agent"]["name"].clone();
    let sessions = || rig.github.control().state().sessions;
    let busy = || sessions().iter().any(|it| it.owner == SECOND && agent == it.agent.as_str());
    rig.api.wait_for("a session that listens for the end", PATIENCE, |_| busy().then_some(())).await;
    rig.github.control().cancel_run(run.run_id).unwrap();
    assert_eq!(ending(&rig.settled_job().await), "Cancelled");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    assert_eq!(rig.github.control().ledger(Some(run.run_id)).len(), 1);
    rig.assert_clean();
    rig.listens(SECOND).await;
}

#[tokio::test]
async fn c8_a_pod_that_ended_meanwhile_has_its_result() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let run = killed(&rig, "a worker that runs", worker_runs).await;
    finish(&rig, &rig.api.list("/pods/")[0]);
    assert_eq!(rig.concluded(&run).await, "success");
    let _second = rig.controller(SECOND);
    let job = rig.assert_ran_once(&run, SECOND).await;
    assert_eq!(job["status"]["exitCode"], 0);
}

#[tokio::test]
async fn c12_a_pod_that_vanished_meanwhile_is_missed() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let run = killed(&rig, "a worker that runs", worker_runs).await;
    let pod = rig.api.list("/pods/").remove(0);
    rig.api.vanish(&format!("/api/v1/namespaces/team-a/pods/{}", name(&pod)));
    let _second = rig.controller(SECOND);
    let job = rig.settled_job().await;
    assert_eq!((ending(&job), &job["status"]["failureClass"]), ("PodDeleted", &json!("infra")));
    assert_eq!(rig.github.control().ledger(Some(run.run_id)).len(), 1, "never a second worker");
    assert_eq!(rig.pods_made().len(), 1);
    rig.assert_clean();
    rig.listens(SECOND).await;
}

/// Killed when the rejected pod is written down and not deleted.
async fn killed_while_replacing(behaviour: Behaviour) -> (Rig, fakegithub::RunView) {
    let rig = Rig::start(json!({}), behaviour).await;
    rig.api.fail(Method::DELETE, "/pods/", 1, Effect::Withhold);
    let run = killed(&rig, "the deletion", |rig| rig.asked(Method::DELETE, "/pods/") > 0).await;
    let job = rig.api.list("/runnerjobs/").remove(0);
    assert_eq!(job["status"]["rejectedPod"], job["status"]["pod"]);
    rig.api.heal();
    (rig, run)
}

#[tokio::test]
async fn c13_a_rejected_pod_is_removed_and_replaced() {
    let (rig, run) = killed_while_replacing(Behaviour::IsRejectedOnce).await;
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c13_a_rejected_pod_that_is_gone_is_replaced() {
    let (rig, run) = killed_while_replacing(Behaviour::IsRejectedOnce).await;
    let pod = rig.api.list("/pods/").remove(0);
    rig.api.vanish(&format!("/api/v1/namespaces/team-a/pods/{}", name(&pod)));
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c13_a_rejection_before_a_restart_counts() {
    let (rig, run) = killed_while_replacing(Behaviour::IsRejected).await;
    let _second = rig.controller(SECOND);
    assert_eq!(ending(&rig.settled_job().await), "NodeRejected");
    assert_eq!(rig.concluded(&run).await, "failure");
    rig.assert_clean();
}
