//! The runner version that is reported follows the workers, and people hear of its end.

use jiff::{SignedDuration, Timestamp};
use runtime::clock::Clock;
use serde_json::{Value, json};
use testkit::api_server::ApiServer;

use crate::kubelet::{Behaviour, RUNNER_VERSION};
use crate::rig::{GROUP, PATIENCE, Rig, condition};

const FIRST: &str = "agc-0";
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A group whose workers say that they run this version, which GitHub serves until then.
async fn rig(worker: &str, until: Timestamp) -> Rig {
    let template =
        json!({ "metadata": { "annotations": { RUNNER_VERSION: worker } }, "spec": { "containers": [] } });
    let rig = Rig::start(json!({ "podTemplate": template }), Behaviour::Succeeds).await;
    let lever = json!({ "lever": "served-versions", "versions": { worker: until.to_string() } });
    rig.github.control().pull(serde_json::from_value(lever).unwrap()).unwrap();
    rig
}

async fn says(rig: &Rig, type_: &str, status: &str, reason: &str) -> String {
    let said = |api: &ApiServer| {
        let found = condition(&api.get(GROUP)?, type_)?.clone();
        let as_wanted = found["status"] == status && found["reason"] == reason;
        as_wanted.then(|| found["message"].as_str().unwrap_or_default().to_owned())
    };
    rig.api.wait_for(&format!("{type_}={status}/{reason}"), PATIENCE, said).await
}

#[tokio::test]
async fn a_workers_version_is_reported_and_its_end_is_told() {
    let end = Clock::system().now() + DAY * 10 + DAY / 2;
    let rig = rig("2.338.0", end).await;
    let controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, FIRST).await;

    let differs = says(&rig, "RunnerVersionMismatch", "True", "VersionDiffers").await;
    assert!(differs.contains("2.338.0") && differs.contains("2.337.0"), "{differs}");
    let ending = says(&rig, "RunnerVersionTooOld", "True", "VersionEnding").await;
    assert!(ending.contains("2.338.0 until") && ending.contains("10 more days"), "{ending}");
    let status = rig.api.get(GROUP).unwrap()["status"]["runnerVersion"].clone();
    assert_eq!(
        [&status["reported"], &status["worker"], &status["configured"]],
        ["2.338.0", "2.338.0", "2.337.0"]
    );
    let gauge = "actions_gateway_runner_version_days_left{namespace=\"team-a\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(gauge).as_deref(), Some("10"));
    let told = |it: &Value| it["reason"] == "RunnerVersionEnding" && it["type"] == "Warning";
    rig.api.wait_for("the Event", PATIENCE, |api| api.list("/events/").into_iter().find(told)).await;
    let asked = |version: &str| {
        rig.asked_github("R9")
            .iter()
            .filter(|it| it.path.ends_with(&format!("/deprecations/{version}")))
            .count()
    };
    assert_eq!([asked("2.337.0"), asked("2.338.0")], [1, 1]);
}

#[tokio::test]
async fn a_workers_refused_version_stays_reported_over_a_restart_and_until_an_edit() {
    let rig = rig("2.330.0", "2026-01-01T00:00:00Z".parse().unwrap()).await;
    let controller = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.settled(1).await;
    assert_eq!(rig.concluded(&run).await, "success");
    let learned =
        |api: &ApiServer| (api.get(GROUP)?["status"]["runnerVersion"]["reported"] == "2.330.0").then_some(());
    rig.api.wait_for("the worker's version", PATIENCE, learned).await;
    // A session that was open before goes on as it is: whoever takes a job is followed by another.
    rig.push("{ again: { runs-on: linux } }");
    let refused = says(&rig, "RunnerVersionTooOld", "True", "VersionTooOld").await;
    assert!(
        refused.contains("2.330.0")
            && refused.contains("newest version known to this installation is 2.337.0")
    );
    controller.stop().await;

    rig.api.edit(GROUP, |it| it["status"]["conditions"] = json!([]));
    let _second = rig.controller("agc-1");
    says(&rig, "RunnerVersionTooOld", "True", "VersionTooOld").await;
    says(&rig, "Ready", "False", "NoActiveSessions").await;

    rig.api.edit(GROUP, |it| {
        it["spec"]["workerImage"] = json!("runner:newer");
        it["spec"]["podTemplate"]["metadata"]["annotations"][RUNNER_VERSION] = json!("2.337.0");
    });
    says(&rig, "RunnerVersionTooOld", "False", "VersionAccepted").await;
    says(&rig, "Ready", "True", "ListenerActive").await;
    let status = rig.api.get(GROUP).unwrap()["status"]["runnerVersion"].clone();
    assert_eq!([&status["reported"], &status["image"]], ["2.337.0", "runner:newer"]);
}
