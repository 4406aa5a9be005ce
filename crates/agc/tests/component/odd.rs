//! Odd states: each has its condition and reason, is tried again with growing pauses, and heals by itself once its cause
//! is gone.

use fakegithub::{AppRequest, Effect as Failure, Fault, Lever, RateForm};
use serde_json::{Value, json};
use testkit::api_server::ApiServer;

use crate::kubelet::Behaviour;
use crate::rig::{GROUP, PATIENCE, Rig, condition, ending};

const GATEWAY: &str = "/apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/actionsgateways/team-a";
const FIRST: &str = "agc-0";

/// Waits until a condition has this status and reason; the condition.
async fn says(rig: &Rig, path: &str, type_: &str, status: &str, reason: &str) -> Value {
    let said = |api: &ApiServer| {
        let found = condition(&api.get(path)?, type_)?.clone();
        (found["status"] == status && found["reason"] == reason).then_some(found)
    };
    rig.api.wait_for(&format!("{type_}={status}/{reason}"), PATIENCE, said).await
}

/// The credentials are of no use for this reason, the group says so too, and no secret stands in it; once they are
/// mended all is well without anybody's help, and a job runs.
async fn credentials_are_useless(rig: &Rig, reason: &str, mend: impl FnOnce(&Rig)) {
    let controller = rig.controller(FIRST);
    let said = says(rig, GATEWAY, "CredentialUnavailable", "True", reason).await;
    let group = says(rig, GROUP, "Ready", "False", "TokenUnavailable").await;
    for message in [&said["message"], &group["message"]] {
        let text = message.as_str().unwrap();
        assert!(!text.is_empty() && !text.contains("PRIVATE KEY") && !text.contains("eyJ"), "{text}");
    }
    let failures = || {
        let count = controller.metric("actions_gateway_token_refresh_errors_total{namespace=\"team-a\"}");
        count.and_then(|it| it.parse::<f64>().ok()).filter(|it| *it >= 2.0)
    };
    rig.api.wait_for("another try", PATIENCE, |_| failures()).await;
    mend(rig);
    says(rig, GATEWAY, "CredentialUnavailable", "False", "SecretFound").await;
    says(rig, GROUP, "Ready", "True", "ListenerActive").await;
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;
}

#[tokio::test]
async fn without_a_secret_nothing_listens_until_there_is_one() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.unmount();
    credentials_are_useless(&rig, "SecretNotFound", Rig::mount_app).await;
    assert_eq!(rig.asked_github("A2").len(), 1, "GitHub was not asked before");
}

#[tokio::test]
async fn a_key_that_is_none_is_malformed() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.mount("privateKey", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
    credentials_are_useless(&rig, "SecretMalformed", Rig::mount_app).await;
}

#[tokio::test]
async fn an_installation_that_is_no_number_is_malformed() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.mount("installationId", "twelve");
    credentials_are_useless(&rig, "SecretMalformed", Rig::mount_app).await;
}

#[tokio::test]
async fn the_key_of_another_app_is_refused() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let other = rig.github.control().create_app(AppRequest::on("other-org")).await.unwrap();
    rig.mount("privateKey", &other.private_key);
    credentials_are_useless(&rig, "TokenRefused", |rig| {
        rig.mount_app();
        rig.github.control().clear_violations(); // a wrong signature is one
    })
    .await;
}

#[tokio::test]
async fn github_that_is_down_at_the_start_is_asked_until_it_is_back() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.github.control().fail(Fault { effect: Failure::Reset, ..Fault::new("*").times(u64::MAX) });
    credentials_are_useless(&rig, "GitHubUnreachable", |rig| rig.github.control().reset()).await;
}

#[tokio::test]
async fn an_app_that_is_suspended_is_refused() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let app_id = rig.app.app_id;
    let suspend = |rig: &Rig, on| rig.github.control().pull(Lever::Suspend { app_id, on }).unwrap();
    suspend(&rig, true);
    credentials_are_useless(&rig, "TokenRefused", |rig| suspend(rig, false)).await;
}

#[tokio::test]
async fn labels_that_github_refuses_are_healed_by_an_edit() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.github.control().pull(Lever::RefuseLabel { label: "linux".into() }).unwrap();
    let _controller = rig.controller(FIRST);
    let said = says(&rig, GROUP, "Ready", "False", "LabelsRefused").await;
    assert!(said["message"].as_str().unwrap().contains("'linux' is reserved"), "{said}");
    let again = |_: &ApiServer| (rig.asked_github("R3").len() == 2).then_some(());
    rig.api.wait_for("another try", PATIENCE, again).await;
    let tries = rig.asked_github("R3");
    let apart = tries[1].time.duration_since(tries[0].time);
    assert!(apart >= jiff::SignedDuration::from_secs(4), "tried again after {apart:#}");
    rig.api.edit(GROUP, |group| {
        group["spec"]["runnerLabels"] = json!(["gpu"]);
        group["metadata"]["generation"] = json!(2);
    });
    says(&rig, GROUP, "Ready", "True", "ListenerActive").await;
    let run = rig.push("{ build: { runs-on: gpu } }");
    rig.assert_ran_once(&run, FIRST).await;
}

#[tokio::test]
async fn polls_that_are_cut_short_are_asked_again_and_lose_no_job() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let controller = rig.controller(FIRST);
    rig.github.control().fail(Fault { effect: Failure::Truncate, ..Fault::new("B2") });
    let struck = |_: &ApiServer| rig.github.control().faults().is_empty().then_some(());
    rig.api.wait_for("a poll that will be cut short", PATIENCE, struck).await;
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;
    let errors = "actions_gateway_message_poll_errors_total{namespace=\"team-a\",reason=\"other\"}";
    assert_eq!(controller.metric(errors), Some("1".into()));
}

#[tokio::test]
async fn messages_that_cannot_be_read_are_dropped_and_counted() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let controller = rig.controller(FIRST);
    let agent = rig.listens(FIRST).await;
    let series =
        "actions_gateway_bad_messages_total{namespace=\"team-a\",reason=\"body\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(series), Some("0".into()));
    for body in [json!({ "runner_request_id": 7 }), json!("no object")] {
        let message_type = "RunnerJobRequest".to_owned();
        rig.github.control().pull(Lever::SendMessage { agent: agent.clone(), message_type, body }).unwrap();
    }
    let counted = |_: &ApiServer| (controller.metric(series)? == "2").then_some(());
    rig.api.wait_for("two messages are dropped", PATIENCE, counted).await;
    assert_eq!(rig.asked_github("B3").len(), 0, "what was not understood is not acknowledged");
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;
}

#[tokio::test]
async fn a_rate_limit_is_said_and_waited_for() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let limit = Lever::RateLimit {
        endpoint: "B2".into(),
        account: None,
        form: RateForm::Secondary429,
        count: 4,
        retry_after: Some("1".into()),
        reset_after: None,
    };
    rig.github.control().pull(limit).unwrap();
    let _controller = rig.controller(FIRST);
    says(&rig, GROUP, "RateLimited", "True", "SustainedRateLimit").await;
    says(&rig, GROUP, "RateLimited", "False", "PollingHealthy").await;
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;
}

/// A run whose job message carries so much filling.
fn push_filled(rig: &Rig, bytes: usize) -> fakegithub::RunView {
    let workflow = format!(
        "repository: synthetic-org/demo\nname: ci\npayloadPadding: {bytes}\njobs: {{ build: {{ runs-on: linux }} }}"
    );
    rig.github.control().start_run(&workflow).unwrap()
}

#[tokio::test]
async fn a_large_payload_travels_compressed() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let _controller = rig.controller(FIRST);
    let run = push_filled(&rig, 300 * 1024);
    rig.assert_ran_once(&run, FIRST).await;
    let calls = rig.api.calls();
    let stored = calls.iter().find(|it| it.is_write() && it.path.ends_with("/secrets")).unwrap();
    let data = stored.body["data"].as_object().unwrap();
    assert!(data.contains_key("payload.gz") && !data.contains_key("payload"));
}

#[tokio::test]
async fn a_payload_that_no_secret_holds_ends_the_job_and_frees_the_run() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let controller = rig.controller(FIRST);
    let run = push_filled(&rig, 2 * 1024 * 1024);
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "PayloadTooLarge");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    assert_eq!(rig.pods_made().len(), 0);
    assert_eq!(rig.github.control().ledger(Some(run.run_id)), []);
    let ended = "actions_gateway_abandoned_run_force_cancels_total{namespace=\"team-a\",outcome=\"cancelled\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(ended), Some("1".into()));
    rig.assert_clean();
    rig.listens(FIRST).await;
}
