//! Odd states: each has its condition and reason, is tried again with growing pauses, and heals by itself once its cause
//! is gone.

use fakegithub::{AppRequest, Effect as Failure, Fault, Lever, RateForm};
use serde_json::{Value, json};
use testkit::api_server::ApiServer;

use crate::kubelet::{Behaviour, FINISH};
use crate::rig::{GROUP, PATIENCE, Rig, condition, ending, name};

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
async fn a_payload_that_no_secret_holds_ends_the_job_and_github_is_told() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let controller = rig.controller(FIRST);
    let run = push_filled(&rig, 2 * 1024 * 1024);
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "PayloadTooLarge");
    assert_eq!(rig.concluded(&run).await, "failure");
    assert_eq!(rig.pods_made().len(), 0);
    assert_eq!(rig.github.control().ledger(Some(run.run_id)), []);
    let told = "actions_gateway_job_completions_total{namespace=\"team-a\",outcome=\"accepted\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(told), Some("1".into()));
    rig.assert_clean();
    rig.listens(FIRST).await;
}

/// Makes the broker refuse every session from now on.
fn refuse_sessions(rig: &Rig) {
    rig.github.control().fail(Fault::new("B1").times(u64::MAX).answering(403));
}

#[tokio::test]
async fn agents_that_get_no_session_are_registered_again_with_growing_pauses_and_leave_no_record() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    refuse_sessions(&rig);
    let _controller = rig.controller(FIRST);
    let said = says(&rig, GROUP, "Ready", "False", "NoActiveSessions").await;
    let named = |_: &ApiServer| {
        let said = condition(&rig.api.get(GROUP)?, "Ready")?["message"].as_str()?.to_owned();
        (said.contains("opens no session") && said.contains("forbidden")).then_some(said)
    };
    rig.api.wait_for(&format!("the cause instead of {said}"), PATIENCE, named).await;
    let third = |_: &ApiServer| (rig.asked_github("R3").len() == 3).then_some(());
    rig.api.wait_for("a third registration", PATIENCE, third).await;
    let tries: Vec<_> = rig.asked_github("R3").iter().map(|it| it.time).collect();
    let pauses: Vec<_> = tries.windows(2).map(|it| it[1].duration_since(it[0]).as_secs_f64()).collect();
    assert!(pauses[0] >= 4.0 && pauses[1] >= 1.5 * 4.0, "{pauses:?}");
    let alone = |_: &ApiServer| {
        let alive = rig.github.control().state().agents.iter().filter(|it| it.fate == "alive").count();
        (alive <= 1).then_some(())
    };
    rig.api.wait_for("no record is left behind", PATIENCE, alone).await;
    rig.github.control().reset();
    says(&rig, GROUP, "Ready", "True", "ListenerActive").await;
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;
}

#[tokio::test]
async fn a_full_group_polls_busy_and_is_ready_all_the_same() {
    let rig = Rig::start(json!({ "maxWorkers": 1 }), Behaviour::RunsOn).await;
    let controller = rig.controller(FIRST);
    let first = rig.push("{ build: { runs-on: linux } }");
    let busy = |_: &ApiServer| {
        let state = rig.github.control().state();
        let mut idle = state
            .sessions
            .iter()
            .filter(|session| state.agents.iter().any(|it| it.name == session.agent && it.job.is_none()));
        idle.find(|it| it.status == Some("Busy") && it.parked > 0).map(drop)
    };
    rig.api.wait_for("the listener asks for no job", PATIENCE, busy).await;
    let listening = "actions_gateway_active_sessions{namespace=\"team-a\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(listening), Some("1".into()), "it is held, and counts");
    says(&rig, GROUP, "Ready", "True", "ListenerActive").await;

    let second = rig.push("{ build: { runs-on: linux } }");
    finish(&rig).await;
    assert_eq!(rig.concluded(&first).await, "success");
    finish(&rig).await;
    assert_eq!(rig.concluded(&second).await, "success");
    let offers = rig.github.control().offers(None, Some(second.run_id));
    assert!(offers.offers.iter().all(|it| it.declined == 0), "{offers:#?}");
    rig.assert_clean();
}

/// Ends the job of the worker that runs.
async fn finish(rig: &Rig) {
    let running = |api: &ApiServer| {
        api.list("/pods/")
            .into_iter()
            .find(|it| it["status"]["phase"] == "Running" && it["metadata"]["annotations"][FINISH].is_null())
    };
    let pod = rig.api.wait_for("a running worker", PATIENCE, running).await;
    let path = format!("/api/v1/namespaces/team-a/pods/{}", name(&pod));
    rig.api.edit(&path, |pod| pod["metadata"]["annotations"][FINISH] = json!("yes"));
}

#[tokio::test]
async fn an_offer_is_acknowledged_right_before_its_claim_and_no_other_is() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let lever = json!({ "lever": "acknowledged", "effect": "not-at-all" });
    rig.github.control().pull(serde_json::from_value(lever).unwrap()).unwrap();
    let _controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;
    let offers = rig.github.control().offers(None, None);
    assert_eq!(offers.unclaimed, 0, "{offers:#?}");
    assert_eq!((rig.asked_github("B3").len(), rig.asked_github("X1").len()), (1, 1));
}

#[tokio::test]
async fn a_job_is_cancelled_although_the_session_that_listened_for_it_was_lost() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let _controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    let agent = |_: &ApiServer| rig.github.control().run(run.run_id).ok()?.jobs[0].runner_name.clone();
    let agent = rig.api.wait_for("the job is claimed", PATIENCE, agent).await;
    let session = |_: &ApiServer| {
        rig.github.control().state().sessions.into_iter().find(|it| it.agent == agent).map(|it| it.session_id)
    };
    let first = rig.api.wait_for("its session", PATIENCE, session).await;
    rig.github.control().pull(Lever::DropSession { agent: agent.clone() }).unwrap();
    let another = |api: &ApiServer| session(api).filter(|it| *it != first);
    rig.api.wait_for("another session of the busy agent", PATIENCE, another).await;
    rig.github.control().cancel_run(run.run_id).unwrap();
    assert_eq!(ending(&rig.settled_job().await), "Cancelled");
    assert_eq!(rig.concluded(&run).await, "cancelled");
    rig.assert_clean();
}

#[tokio::test]
async fn a_version_that_github_serves_no_longer_is_said_and_registers_nobody_anew() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let body = json!({
        "source": "actions-broker-listener", "errorKind": "RunnerVersionTooOld", "statusCode": 403,
        "errorMessage": "runner version v2.337.0 is deprecated",
    });
    rig.github.control().fail(Fault::new("B2").times(u64::MAX).answering(403).with_body(body));
    let _controller = rig.controller(FIRST);
    let said = says(&rig, GROUP, "RunnerVersionTooOld", "True", "VersionTooOld").await;
    assert!(said["message"].as_str().unwrap().contains("2.337.0"), "{said}");
    says(&rig, GROUP, "Ready", "False", "NoActiveSessions").await;
    assert_eq!((rig.asked_github("R3").len(), rig.asked_github("B2").len()), (1, 1));
    rig.github.control().reset();
    rig.api.edit(GROUP, |group| group["metadata"]["generation"] = json!(2));
    says(&rig, GROUP, "Ready", "True", "ListenerActive").await;
    says(&rig, GROUP, "RunnerVersionTooOld", "False", "VersionAccepted").await;
    assert_eq!(rig.asked_github("R3").len(), 1, "the record is good");
    rig.assert_clean();
}

#[tokio::test]
async fn a_registration_that_cannot_be_read_is_a_failed_one_and_leaves_no_record() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let dialect = |word: &str| {
        let lever = json!({ "lever": "jit-dialect", "dialect": word });
        rig.github.control().pull(serde_json::from_value(lever).unwrap()).unwrap();
    };
    dialect("garbage");
    let _controller = rig.controller(FIRST);
    let said = says(&rig, GROUP, "Ready", "False", "NoActiveSessions").await;
    let named = |_: &ApiServer| {
        let said = condition(&rig.api.get(GROUP)?, "Ready")?["message"].as_str()?.to_owned();
        said.contains("JIT configuration cannot be read").then_some(())
    };
    rig.api.wait_for(&format!("the cause instead of {said}"), PATIENCE, named).await;
    let again = |_: &ApiServer| (rig.asked_github("R3").len() == 2).then_some(());
    rig.api.wait_for("another try", PATIENCE, again).await;
    let tries = rig.asked_github("R3");
    let apart = tries[1].time.duration_since(tries[0].time);
    assert!(apart >= jiff::SignedDuration::from_secs(4), "tried again after {apart:#}");
    assert_eq!((rig.asked_github("O1").len(), rig.agents_stored().len()), (0, 0));
    dialect("strings");
    says(&rig, GROUP, "Ready", "True", "ListenerActive").await;
    let alive = rig.github.control().state().agents.iter().filter(|it| it.fate == "alive").count();
    assert_eq!(alive, 1, "records that nobody uses");
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;
}

#[tokio::test]
async fn a_session_whose_polls_all_fail_is_not_active_and_the_group_says_why_until_one_is_answered() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let controller = rig.controller(FIRST);
    says(&rig, GROUP, "Ready", "True", "ListenerActive").await;
    rig.github.control().fail(Fault { effect: Failure::Reset, ..Fault::new("*").times(u64::MAX) });
    let said = says(&rig, GROUP, "Ready", "False", "NoActiveSessions").await;
    let words = said["message"].as_str().unwrap().strip_prefix("no session listens for jobs: ");
    assert!(words.is_some_and(|it| it.contains("connection")), "{said}");
    assert_eq!(rig.api.get(GROUP).unwrap()["status"]["activeSessions"], 0);
    let listening = "actions_gateway_active_sessions{namespace=\"team-a\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(listening), Some("0".into()));
    rig.github.control().reset();
    says(&rig, GROUP, "Ready", "True", "ListenerActive").await;
    assert_eq!(rig.asked_github("R3").len(), 1, "the record is good");
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;
}
