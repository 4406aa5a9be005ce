//! Jobs that end otherwise.

use api::actions_gateway::NeverStarted;
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

/// What the page of the run shows beside its only job.
fn annotation(rig: &Rig, run: &fakegithub::RunView) -> String {
    let run = rig.github.control().run(run.run_id).unwrap();
    let annotations = &run.jobs[0].annotations;
    assert_eq!(annotations.len(), 1, "{:#?}", run.jobs);
    annotations[0].message.clone()
}

#[tokio::test]
async fn a_worker_that_was_asked_to_cancel_has_the_time_that_github_names() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let lever = json!({ "lever": "job-cancellation", "timeout": "00:05:00" });
    rig.github.control().pull(serde_json::from_value(lever).unwrap()).unwrap();
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let pod = running(&rig).await;
    rig.github.control().cancel_run(run.run_id).unwrap();
    assert_eq!(rig.concluded(&run).await, "cancelled");
    let pod = rig.api.get(&format!("/api/v1/namespaces/team-a/pods/{}", name(&pod))).unwrap();
    let annotations = &pod["metadata"]["annotations"];
    assert_eq!(annotations["actions-gateway.github.com/stop"], "2;285");
    assert_eq!(annotations["actions-gateway.github.com/deletion-reason"], "cancelled");
    assert!(pod["metadata"]["deletionTimestamp"].is_null(), "it ended by itself");
    assert_eq!(ending(&rig.settled_job().await), "Cancelled");
    rig.assert_clean();
}

#[tokio::test]
async fn a_crashed_worker_leaves_the_other_jobs_of_its_run_alone() {
    let rig = Rig::start(json!({}), Behaviour::Crashes).await;
    let controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux }, test: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "failure");
    let jobs = rig.settled(2).await;
    assert!(jobs.iter().all(|it| ending(it) == "RunnerError"), "{jobs:#?}");
    let told = "actions_gateway_job_completions_total{namespace=\"team-a\",outcome=\"accepted\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(told), Some("2".into()));
    assert_eq!(rig.asked_github("J8").len(), 0, "nobody ends the run");
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
        .wait_for("the RunnerJob is gone", PATIENCE, |api| api.list("/runnerjobs/").is_empty().then_some(()))
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
async fn a_payload_that_the_api_server_does_not_take_ends_the_job_and_github_is_told() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/secrets", 1, Effect::Refuse(413, "too large".into()));
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "PayloadTooLarge");
    assert_eq!(rig.concluded(&run).await, "failure");
    assert!(rig.api.list("/pods/").is_empty());
    rig.assert_clean();
}

#[tokio::test]
async fn an_image_that_is_not_there_ends_the_job_at_once_and_github_is_told() {
    let rig = Rig::start(json!({}), Behaviour::HasNoImage).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "failure");
    let told = annotation(&rig, &run);
    assert!(told.starts_with("image_pull: ") && told.contains("ErrImageNeverPull: not there"), "{told}");
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
    assert_eq!(rig.concluded(&run).await, "failure");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "PendingDeadline");
    let reaped = "actions_gateway_worker_pods_reaped_total{namespace=\"team-a\",reason=\"pending_deadline\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(reaped), Some("1".into()));
    let said = |api: &testkit::api_server::ApiServer| {
        api.list("/events/").into_iter().find(|it| it["reason"] == "WorkerPodStuckPending")
    };
    let event = rig.api.wait_for("the Event", PATIENCE, said).await;
    assert_eq!(event["involvedObject"]["kind"], "RunnerGroup");
    rig.assert_clean();
}

#[tokio::test]
async fn what_the_cluster_did_is_the_reason() {
    for (behaviour, reason, word) in [
        (Behaviour::IsEvicted, "EvictedMemory", "evicted_memory"),
        (Behaviour::RunsOutOfMemory, "OomKilled", "oom_killed"),
        (Behaviour::Crashes, "RunnerError", "runner_error"),
    ] {
        let rig = Rig::start(json!({}), behaviour).await;
        let _controller = rig.controller("agc-0");
        let run = rig.push("{ build: { runs-on: linux } }");
        assert_eq!(rig.concluded(&run).await, "failure");
        assert!(annotation(&rig, &run).starts_with(&format!("{word}: ")));
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

/// What GitHub makes of the report of a job that never started, and so what becomes of its run.
async fn never_started(effect: &str) -> (Rig, fakegithub::RunView, crate::rig::Controller) {
    let rig = Rig::start(json!({}), Behaviour::HasNoImage).await;
    let lever = json!({ "lever": "unstarted-completion", "effect": effect });
    rig.github.control().pull(serde_json::from_value(lever).unwrap()).unwrap();
    let controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(ending(&rig.settled_job().await), "ImagePull");
    (rig, run, controller)
}

#[tokio::test]
async fn a_run_is_ended_where_github_makes_nothing_of_the_report_and_nothing_has_run() {
    for effect in ["refused", "no-effect", "false-green"] {
        let (rig, run, controller) = never_started(effect).await;
        let ended = "actions_gateway_abandoned_run_force_cancels_total{namespace=\"team-a\",outcome=\"cancelled\",runner_group=\"blue\"}";
        let counted = |_: &testkit::api_server::ApiServer| controller.metric(ended);
        assert_eq!(rig.api.wait_for("the run is ended", PATIENCE, counted).await, "1", "{effect}");
        let over = |_: &testkit::api_server::ApiServer| {
            let run = rig.github.control().run(run.run_id).ok()?;
            (run.status == "completed").then_some(())
        };
        rig.api.wait_for("the run is over", PATIENCE, over).await;
        rig.assert_clean();
    }
}

#[tokio::test]
async fn a_report_that_github_takes_is_looked_at_and_ends_no_run() {
    let (rig, run, _controller) = never_started("accepted").await;
    assert_eq!(rig.concluded(&run).await, "failure");
    let looked = |_: &testkit::api_server::ApiServer| (!rig.asked_github("J5").is_empty()).then_some(());
    rig.api.wait_for("the look at the run", PATIENCE, looked).await;
    assert_eq!(rig.asked_github("J8").len(), 0);
    rig.assert_clean();
}

#[tokio::test]
async fn a_gateway_may_have_such_runs_ended_without_a_report() {
    let rig = Rig::start(json!({}), Behaviour::HasNoImage).await;
    let _controller = rig.controller_with("agc-0", NeverStarted::ForceCancel);
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    assert_eq!(ending(&rig.settled_job().await), "ImagePull");
    assert_eq!((rig.asked_github("X3").len(), rig.asked_github("J8").len()), (0, 1));
    rig.assert_clean();
}
