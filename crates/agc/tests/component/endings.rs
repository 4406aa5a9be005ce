//! Jobs that end otherwise.

use fakegithub::Fault;
use http::Method;
use serde_json::json;
use testkit::api_server::Effect;

use crate::kubelet::Behaviour;
use crate::rig::{PATIENCE, Rig, ending, name};

const JOBS: &str = "/apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/runnerjobs";

async fn running(rig: &Rig) -> serde_json::Value {
    let running = |api: &testkit::api_server::ApiServer| {
        api.list("/pods/").into_iter().find(|it| it["status"]["phase"] == "Running")
    };
    rig.api.wait_for("a running pod", PATIENCE, running).await
}

#[tokio::test]
async fn a_cancelled_run_ends_its_worker_in_order() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    running(&rig).await;
    rig.github.control().cancel_run(run.run_id).unwrap();
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "Cancelled");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    rig.assert_clean();
}

#[tokio::test]
async fn deleting_a_runner_job_cancels_its_job() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    running(&rig).await;
    let job = rig.api.list("/runnerjobs/").remove(0);
    rig.api.delete(&format!("{JOBS}/{}", name(&job)));
    assert_eq!(rig.concluded(&run).await, "cancelled");
    rig.api
        .wait_for("the RunnerJob is let go", PATIENCE, |api| {
            api.list("/runnerjobs/").is_empty().then_some(())
        })
        .await;
    let ended: Vec<_> = rig
        .api
        .calls()
        .into_iter()
        .filter(|it| it.path.ends_with("/status") && it.path.contains(JOBS))
        .collect();
    assert_eq!(ended.last().unwrap().body["status"]["result"], "Cancelled");
    rig.assert_clean();
}

#[tokio::test]
async fn a_lost_lock_stops_the_worker() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let body = json!({ "source": "actions-run-service", "statusCode": 404, "errorMessage": "gone" });
    let fault = Fault::new("X2").answering(404).with_body(body);
    rig.github.control().fail(Fault { delay_ms: 1500, ..fault });
    let _controller = rig.controller("agc-0");
    rig.push("{ build: { runs-on: linux } }");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "LockLost");
    assert_eq!(job["status"]["failureClass"], "infra");
    rig.assert_clean();
}

#[tokio::test]
async fn a_payload_that_the_api_server_does_not_take_ends_the_job_and_frees_the_run() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/secrets", 1, Effect::Refuse(413, "too large".into()));
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "PayloadTooLarge");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    assert!(rig.api.list("/pods/").is_empty());
    rig.assert_clean();
}

#[tokio::test]
async fn an_image_that_is_not_there_ends_the_job_at_once_and_frees_the_run() {
    let rig = Rig::start(json!({}), Behaviour::HasNoImage).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "ImagePull");
    assert_eq!(job["status"]["failureClass"], "user");
    rig.assert_clean();
}

#[tokio::test]
async fn a_pod_that_no_node_takes_is_given_up_after_its_deadline() {
    let rig = Rig::start(json!({ "pendingPodDeadline": "1s" }), Behaviour::StaysPending).await;
    let controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "PendingDeadline");
    let reaped = "actions_gateway_worker_pods_reaped_total{namespace=\"team-a\",reason=\"pending_deadline\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(reaped), Some("1".into()));
    let said = |api: &testkit::api_server::ApiServer| {
        api.list("/events/").into_iter().find(|it| it["reason"] == "WorkerPodStuckPending")
    };
    let event = rig.api.wait_for("the Event", PATIENCE, said).await;
    assert_eq!(event["regarding"]["kind"], "RunnerGroup");
    rig.assert_clean();
}

#[tokio::test]
async fn what_the_cluster_did_is_the_reason() {
    for (behaviour, reason, word) in [
        (Behaviour::IsEvicted, "EvictedMemory", "evicted_memory"),
        (Behaviour::RunsOutOfMemory, "OomKilled", "oom_killed"),
    ] {
        let rig = Rig::start(json!({}), behaviour).await;
        let _controller = rig.controller("agc-0");
        rig.push("{ build: { runs-on: linux } }");
        let job = rig.settled_job().await;
        assert_eq!((ending(&job), &job["status"]["failureReason"]), (reason, &json!(word)));
        let pod = rig.api.list("/pods/").remove(0);
        assert_eq!(pod["metadata"]["annotations"]["actions-gateway.github.com/failure-reason"], word);
        rig.assert_clean();
    }
}

#[tokio::test]
async fn a_pod_that_vanishes_ends_its_job() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let _controller = rig.controller("agc-0");
    rig.push("{ build: { runs-on: linux } }");
    let pod = running(&rig).await;
    rig.api.vanish(&format!("/api/v1/namespaces/team-a/pods/{}", name(&pod)));
    assert_eq!(ending(&rig.settled_job().await), "PodDeleted");
    rig.assert_clean();
}
