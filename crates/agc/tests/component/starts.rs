//! Workers that do not start, and who is told.

use serde_json::{Value, json};
use testkit::api_server::ApiServer;

use crate::kubelet::{Behaviour, NO_NODE, NO_ROUTE, REJECTION};
use crate::rig::{PATIENCE, Rig, condition, ending};

const RUN: &str = "{ build: { runs-on: linux } }";

/// The first Event with this reason.
async fn event(rig: &Rig, reason: &str) -> Value {
    let said = |api: &ApiServer| api.list("/events/").into_iter().find(|it| it["reason"] == reason);
    rig.api.wait_for(reason, PATIENCE, said).await
}

fn note(event: &Value) -> &str {
    event["message"].as_str().unwrap_or_default()
}

fn message(job: &Value) -> &str {
    condition(job, "Complete").and_then(|it| it["message"].as_str()).unwrap_or_default()
}

/// How often a pod was created.
fn pods_created(rig: &Rig) -> usize {
    rig.pods_made().values().sum()
}

#[tokio::test]
async fn a_pod_that_its_node_rejects_is_replaced_once_and_the_job_runs_once() {
    let rig = Rig::start(json!({}), Behaviour::IsRejectedOnce).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push(RUN);
    assert_eq!(rig.concluded(&run).await, "success");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "Succeeded");
    assert_eq!(pods_created(&rig), 2);
    let [rejected, pod] = ["rejectedPod", "pod"].map(|it| &job["status"][it]);
    assert_eq!(rejected["name"], pod["name"], "names are derived");
    assert_ne!(rejected["uid"], pod["uid"]);
    assert_eq!(condition(&job, "PodCreated").unwrap()["status"], "True");
    let event = event(&rig, "WorkerPodRejected").await;
    assert_eq!(event["involvedObject"]["kind"], "RunnerJob");
    assert!(note(&event).contains(&format!("OutOfcpu: {REJECTION}")), "{event:#}");
    rig.assert_clean();
}

#[tokio::test]
async fn a_job_whose_second_pod_is_rejected_ends_in_the_kubelets_words() {
    let rig = Rig::start(json!({}), Behaviour::IsRejected).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push(RUN);
    assert_eq!(rig.concluded(&run).await, "failure");
    let job = rig.settled_job().await;
    assert_eq!((ending(&job), pods_created(&rig)), ("NodeRejected", 2));
    assert_eq!(job["status"]["failureReason"], "node_rejected");
    let words = format!("OutOfcpu: {REJECTION}");
    assert!(message(&job).ends_with(&words), "{job:#}");
    let failed = event(&rig, "JobFailed").await;
    assert!(note(&failed).ends_with(&words), "{failed:#}");
    rig.assert_clean();
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_is_waited_for_and_named() {
    let rig = Rig::start(json!({ "pendingPodDeadline": "8s" }), Behaviour::ReachesNoRegistry).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push(RUN);
    let cause = format!("container runner: ErrImagePull: {NO_ROUTE}");
    let waiting = |api: &ApiServer| {
        let job = api.list("/runnerjobs/").into_iter().next()?;
        condition(&job, "PodCreated").filter(|it| it["reason"] == "WaitingToStart").cloned()
    };
    let waiting = rig.api.wait_for("what it waits for", PATIENCE, waiting).await;
    assert_eq!((&waiting["status"], &waiting["message"]), (&json!("True"), &json!(cause)));
    let said = event(&rig, "WorkerPodNotStarting").await;
    assert_eq!(said["involvedObject"]["kind"], "RunnerJob");
    assert!(note(&said).ends_with(&cause), "{said:#}");
    assert_eq!(rig.concluded(&run).await, "failure");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "PendingDeadline");
    assert!(message(&job).ends_with(&cause), "{job:#}");
    rig.assert_clean();
}

#[tokio::test]
async fn a_pod_that_fits_on_no_node_ends_in_the_schedulers_words() {
    let rig = Rig::start(json!({ "pendingPodDeadline": "1s" }), Behaviour::FindsNoNode).await;
    let controller = rig.controller("agc-0");
    let run = rig.push(RUN);
    assert_eq!(rig.concluded(&run).await, "failure");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "Unschedulable");
    assert!(message(&job).ends_with(&format!("Unschedulable: {NO_NODE}")), "{job:#}");
    let reaped = "actions_gateway_worker_pods_reaped_total{namespace=\"team-a\",reason=\"pending_deadline\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(reaped), Some("1".into()));
    event(&rig, "WorkerPodStuckPending").await;
    rig.assert_clean();
}

#[tokio::test]
async fn an_init_container_of_the_template_that_fails_is_named() {
    let rig = Rig::start(json!({}), Behaviour::FailsToInitialize).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push(RUN);
    assert_eq!(rig.concluded(&run).await, "failure");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "InitContainerFailed");
    assert!(message(&job).ends_with("init container setup: exited with 1"), "{job:#}");
    rig.assert_clean();
}
