//! Jobs that are acquired and get no pod: what they wait for is said, and the wait has an end.

use std::time::Duration;

use fakegithub::Fault;
use http::Method;
use serde_json::{Value, json};
use testkit::api_server::{ApiServer, Effect};

use crate::kubelet::Behaviour;
use crate::rig::{PATIENCE, Rig, condition, ending, name};

const FIRST: &str = "agc-0";
const MISSING: &str = "Pod \"p\" is invalid: spec.containers[0].volumeMounts[0].name: Not found: \"cache\"";
const FULL: &str =
    "pods \"p\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4";
const UNSAID: &str = "pods \"p\" is forbidden: failed quota: team: must specify requests.cpu for: runner";
const WEBHOOK: &str = "Internal error occurred: failed calling webhook \"pods.policy.example\"";

/// Whatever is asked for at this path is refused so.
fn refuse(rig: &Rig, path: &str, times: u32, code: u16, words: &str) {
    rig.api.fail(Method::POST, path, times, Effect::Refuse(code, words.to_owned()));
}

/// GitHub holds the job no longer, and says so after some seconds, when asked to renew its lock.
fn lose_the_lock(rig: &Rig, seconds: u64) {
    let body = json!({ "source": "actions-run-service", "statusCode": 404, "errorMessage": "gone" });
    let fault = Fault::new("X2").answering(404).with_body(body);
    rig.github.control().fail(Fault { delay_ms: seconds * 1000, ..fault });
}

/// The job, once it says that it waits for this, in these words; an Event says the same.
async fn waits(rig: &Rig, reason: &str, words: &str) -> Value {
    let said = |api: &ApiServer| {
        let job = api.list("/runnerjobs/").pop()?;
        let created = condition(&job, "PodCreated")?;
        (created["status"] == "False" && created["reason"] == reason).then_some(job)
    };
    let job = rig.api.wait_for(&format!("PodCreated=False/{reason}"), PATIENCE, said).await;
    let message = condition(&job, "PodCreated").unwrap()["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
    let event = |api: &ApiServer| {
        let message = |it: &Value| it["message"].as_str().unwrap_or_default().to_owned();
        let mut events = api.list("/events/").into_iter().filter(|it| it["reason"] == "JobWaiting");
        events.find(|it| message(it).contains(reason) && message(it).contains(words))
    };
    let event = rig.api.wait_for(&format!("an Event with {words:?}"), PATIENCE, event).await;
    assert_eq!(
        (&event["involvedObject"]["name"], &event["type"]),
        (&job["metadata"]["name"], &json!("Warning"))
    );
    assert_eq!(job["status"]["reason"], reason, "what column REASON shows");
    assert_eq!(job["status"]["phase"], "Acquired");
    assert_eq!(job["status"]["job"]["repository"], "synthetic-org/demo");
    assert_eq!(job["status"]["job"]["name"], "build");
    assert!(job["status"]["times"]["acquired"].is_string());
    job
}

/// The job's end says what hindered its pod, in the API server's words, wherever people look.
async fn ends(rig: &Rig, reason: &str, words: &str) {
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), reason);
    let message = condition(&job, "Complete").unwrap()["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
    let failed = |api: &ApiServer| api.list("/events/").into_iter().find(|it| it["reason"] == "JobFailed");
    let event = rig.api.wait_for("Event JobFailed", PATIENCE, failed).await;
    assert!(event["message"].as_str().unwrap().contains(words), "{event}");
    assert_eq!(condition(&job, "PodCreated").unwrap()["status"], "False");
}

/// What the page of the run shows beside its only job.
fn annotation(rig: &Rig, run: &fakegithub::RunView) -> String {
    rig.github.control().run(run.run_id).unwrap().jobs[0].annotations[0].message.clone()
}

#[tokio::test]
async fn a_refused_pod_is_told_of_and_its_job_ends_with_its_lock() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    refuse(&rig, "/pods", 1000, 422, MISSING);
    lose_the_lock(&rig, 5);
    let _controller = rig.controller(FIRST);
    rig.push("{ build: { runs-on: linux } }");
    waits(&rig, "WaitingForAdmission", "\"cache\"").await;
    ends(&rig, "PodRefused", "\"cache\"").await;
    assert_eq!(rig.asked_github("X3").len(), 0, "GitHub holds it no longer");
    assert!(rig.pods_made().is_empty());
    rig.assert_clean();
}

#[tokio::test]
async fn a_quota_that_asks_for_requests_is_no_lack_of_room_and_github_is_told_at_the_deadline() {
    let rig = Rig::start(json!({ "pendingPodDeadline": "4s" }), Behaviour::Succeeds).await;
    refuse(&rig, "/pods", 1000, 403, UNSAID);
    let _controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    waits(&rig, "WaitingForAdmission", "must specify requests.cpu").await;
    ends(&rig, "PodRefused", "must specify requests.cpu").await;
    assert_eq!(rig.concluded(&run).await, "failure");
    let told = annotation(&rig, &run);
    assert!(told.starts_with("pod_refused: ") && told.contains("must specify requests.cpu"), "{told}");
    rig.assert_clean();
}

#[tokio::test]
async fn a_pod_that_quota_refuses_ends_its_job_when_the_groups_tries_are_used_up() {
    let spec = json!({ "maxQuotaRetries": 1, "quotaRetryDelay": "4s" });
    let rig = Rig::start(spec, Behaviour::Succeeds).await;
    refuse(&rig, "/pods", 1000, 403, FULL);
    let _controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    waits(&rig, "WaitingForQuota", "exceeded quota: team").await;
    ends(&rig, "QuotaRejected", "exceeded quota: team").await;
    assert_eq!(rig.concluded(&run).await, "failure");
    let told = annotation(&rig, &run);
    assert!(told.starts_with("quota_rejected: ") && told.contains("exceeded quota: team"), "{told}");
    assert_eq!(rig.asked(Method::POST, "/pods"), 2);
    rig.assert_clean();
}

#[tokio::test]
async fn a_pod_that_a_webhook_holds_up_is_told_of_and_then_runs() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    refuse(&rig, "/pods", 1000, 500, WEBHOOK);
    let _controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    waits(&rig, "WaitingForPod", "failed calling webhook").await;
    rig.api.heal();
    let job = rig.assert_ran_once(&run, FIRST).await;
    let created = condition(&job, "PodCreated").unwrap();
    assert_eq!((&created["status"], &created["reason"]), (&json!("True"), &json!("PodCreated")));
    assert!(job["status"]["reason"].is_null(), "it waits no longer: {job:#}");
}

#[tokio::test]
async fn a_secret_that_quota_refuses_is_told_of_and_its_job_does_not_say_that_it_is_stored() {
    let rig = Rig::start(json!({ "quotaRetryDelay": "4s" }), Behaviour::Succeeds).await;
    let full = FULL.replace("pods", "secrets");
    refuse(&rig, "/secrets", 1000, 403, &full);
    let _controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    let job = waits(&rig, "WaitingForQuota", "exceeded quota: team, requested: secrets=1").await;
    let acquired = condition(&job, "Acquired").unwrap();
    assert_eq!(
        (&acquired["status"], &acquired["message"]),
        (&json!("True"), &json!("the job's payload is not stored"))
    );
    rig.api.heal();
    let job = rig.assert_ran_once(&run, FIRST).await;
    assert_eq!(condition(&job, "Acquired").unwrap()["message"], "the job's payload is stored");
}

#[tokio::test]
async fn a_secret_that_is_never_stored_ends_its_job_at_the_deadline() {
    let rig = Rig::start(json!({ "pendingPodDeadline": "4s" }), Behaviour::Succeeds).await;
    refuse(&rig, "/secrets", 1000, 500, WEBHOOK);
    let _controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    waits(&rig, "WaitingForSecret", "failed calling webhook").await;
    ends(&rig, "PodNotCreated", "failed calling webhook").await;
    assert_eq!(rig.concluded(&run).await, "failure");
    assert!(rig.pods_made().is_empty());
    rig.assert_clean();
}

#[tokio::test]
async fn a_post_without_an_answer_is_told_of_and_a_pod_that_comes_of_it_too_late_is_removed() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await.without_kubelet();
    rig.api.fail(Method::POST, "/pods", 1, Effect::Delay(Duration::from_secs(8)));
    lose_the_lock(&rig, 5);
    let controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    let job = waits(&rig, "WaitingForPod", "has not answered the POST of the pod").await;
    let free = |_: &ApiServer| {
        let failures = "actions_gateway_job_failures_total{class=\"infra\",namespace=\"team-a\",reason=\"pod_not_created\",runner_group=\"blue\"}";
        controller.metric(failures).filter(|it| it == "1")
    };
    rig.api.wait_for("the job's end", PATIENCE, free).await;
    assert!(rig.pods_made().is_empty(), "it ends before its pod comes");
    let settled = rig.settled_job().await;
    assert_eq!((name(&settled), ending(&settled)), (name(&job), "PodNotCreated"));
    assert_eq!(rig.pods_made().len(), 1, "it came");
    assert_eq!(rig.api.list("/pods/"), [] as [Value; 0], "and is gone");
    assert!(settled["status"]["pod"].is_null(), "it was never the job's");
    assert_eq!(rig.github.control().ledger(Some(run.run_id)), []);
    rig.assert_clean();
}
