//! Worker pods that a sidecar keeps running when their runner has ended.

use http::Method;
use serde_json::{Value, json};
use testkit::api_server::{ApiServer, Effect};

use crate::jobs::finish;
use crate::kubelet::{Behaviour, FINISH};
use crate::rig::{GROUP, NAMESPACE, PATIENCE, Rig, condition, ending, name};

/// A group whose pods have a mesh proxy.
fn with_mesh() -> Value {
    let containers = json!([{ "name": "runner" }, { "name": "mesh", "image": "mesh:1" }]);
    json!({ "podTemplate": { "spec": { "containers": containers } }, "completedPodTTL": "1h" })
}

fn path(pod: &Value) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods/{}", name(pod))
}

/// Runs a job to its end, and has its pod kept running by the proxy since a minute.
async fn outlived_pod(rig: &Rig) -> Value {
    let run = rig.push("{ build: { runs-on: linux } }");
    let pod = rig.api.wait_for("the pod", PATIENCE, |api| api.list("/pods/").pop()).await;
    finish(rig, &pod);
    assert_eq!(rig.concluded(&run).await, "success");
    assert_eq!(ending(&rig.settled_job().await), "Succeeded");
    let minute_ago = runtime::clock::Clock::system().now() - jiff::SignedDuration::from_mins(1);
    rig.api.edit(&path(&pod), |pod| {
        pod["metadata"]["annotations"].as_object_mut().unwrap().remove(FINISH);
        let status = &mut pod["status"];
        status["phase"] = json!("Running");
        status["startTime"] = json!((minute_ago - jiff::SignedDuration::from_mins(1)).to_string());
        let statuses = status["containerStatuses"].as_array_mut().unwrap();
        statuses[0]["state"]["terminated"]["finishedAt"] = json!(minute_ago.to_string());
        let mut mesh = statuses[0].clone();
        mesh["name"] = json!("mesh");
        mesh["state"] = json!({ "running": { "startedAt": minute_ago.to_string() } });
        statuses.push(mesh);
    });
    pod
}

/// Waits until the group says so of its latest pod, and returns the message.
async fn said(rig: &Rig, reason: &str) -> String {
    let said = |api: &ApiServer| {
        let said = condition(&api.get(GROUP)?, "PossibleReapBlockingSidecar")?.clone();
        (said["reason"] == reason).then(|| said["message"].as_str().unwrap_or_default().to_owned())
    };
    rig.api.wait_for(reason, PATIENCE, said).await
}

#[tokio::test]
async fn a_pod_that_a_sidecar_keeps_running_is_ended_and_named_until_one_ends_with_its_runner() {
    let rig = Rig::start(with_mesh(), Behaviour::RunsOn).await;
    let controller = rig.controller("agc-0");
    let pod = outlived_pod(&rig).await;
    let lowered = |api: &ApiServer| {
        let pod = api.get(&path(&pod))?;
        let deadline = pod["spec"]["activeDeadlineSeconds"].as_i64()?;
        (deadline < 600).then_some(pod)
    };
    let ended = rig.api.wait_for("the pod's deadline is over", PATIENCE, lowered).await;
    assert!(ended["spec"]["activeDeadlineSeconds"].as_i64() >= Some(60), "{}", ended["spec"]);
    assert_eq!(ended["metadata"]["annotations"]["actions-gateway.github.com/deletion-reason"], "outlived");
    assert!(ended["metadata"]["deletionTimestamp"].is_null(), "its logs stay");
    let message = said(&rig, "ReapBlockingSidecar").await;
    assert!(message.contains(name(&pod)) && message.contains("mesh"), "{message}");
    let gauge = "actions_gateway_reap_blocking_sidecar_pods{namespace=\"team-a\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(gauge), Some("1".into()));
    assert_eq!(ending(&rig.settled_job().await), "Succeeded", "its result stands");

    rig.api.edit(&path(&pod), |pod| pod["status"]["phase"] = json!("Failed"));
    rig.api
        .wait_for("no pod is outlived", PATIENCE, |_| controller.metric(gauge).filter(|it| it == "0"))
        .await;
    let run = rig.push("{ build: { runs-on: linux } }");
    let other = |api: &ApiServer| api.list("/pods/").into_iter().find(|it| name(it) != name(&pod));
    let next = rig.api.wait_for("the second pod", PATIENCE, other).await;
    finish(&rig, &next);
    assert_eq!(rig.concluded(&run).await, "success");
    said(&rig, "NoReapBlockingSidecar").await;
    rig.settled(2).await;
    rig.assert_clean();
}

#[tokio::test]
async fn a_pod_whose_deadline_may_not_be_lowered_is_deleted() {
    let rig = Rig::start(with_mesh(), Behaviour::RunsOn).await;
    let controller = rig.controller("agc-0");
    let pod = outlived_pod(&rig).await;
    rig.api.fail(Method::PATCH, &path(&pod), 1, Effect::Refuse(422, "pods may not be changed".into()));
    rig.api.wait_for("the pod is gone", PATIENCE, |api| api.get(&path(&pod)).is_none().then_some(())).await;
    let reaped = "actions_gateway_worker_pods_reaped_total{namespace=\"team-a\",reason=\"completed_ttl\",runner_group=\"blue\"}";
    rig.api.wait_for("it is counted", PATIENCE, |_| controller.metric(reaped).filter(|it| it == "1")).await;
    assert_eq!(ending(&rig.settled_job().await), "Succeeded", "its result stands");
    rig.assert_clean();
}
