//! Jobs that nothing disturbs.

use http::Method;
use serde_json::{Value, json};

use crate::kubelet::{Behaviour, FINISH};
use crate::rig::{GROUP, NAMESPACE, PATIENCE, Rig, condition, ending, name};

/// Method and kind of each write that is about one job, in order, its subresource with it.
fn writes_about_jobs(rig: &Rig) -> Vec<String> {
    let kinds = ["runnerjobs", "secrets", "pods"];
    let of_job = |path: &str| kinds.iter().find(|kind| path.contains(&format!("/{kind}")));
    let writes = rig.api.calls().into_iter().filter(|it| it.is_write());
    writes
        .filter_map(|call| {
            let kind = of_job(&call.path)?;
            let status = if call.path.ends_with("/status") { "/status" } else { "" };
            let agent = if call.path.contains("-agent-") { " of the agent" } else { "" };
            Some(format!("{} {kind}{status}{agent}", call.method))
        })
        .collect()
}

#[tokio::test]
async fn one_job_runs_and_is_written_down_with_the_writes_of_the_contract() {
    let rig = Rig::start(json!({ "maxListeners": 1 }), Behaviour::Succeeds).await;
    let controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "success");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "Succeeded");
    assert_eq!(job["status"]["job"]["name"], "build");
    assert_eq!(job["status"]["job"]["runId"], run.run_id.to_string());
    assert_eq!(job["status"]["job"]["repository"], "synthetic-org/demo");
    assert_eq!(condition(&job, "Acquired").unwrap()["status"], "True");
    assert_eq!(job["status"]["traceId"], job::trace::trace_id_hex(run.run_id, 1));

    let mut writes = writes_about_jobs(&rig);
    // Two agents are registered: the one that claims, and its successor, whenever that comes.
    writes.retain(|it| it != "PATCH secrets of the agent");
    let expected = [
        "POST runnerjobs",         // W1
        "POST secrets",            // W2
        "POST pods",               // W3
        "PATCH runnerjobs/status", // W4
        "PATCH runnerjobs/status", // W6
        "DELETE secrets",          // W7
        "PATCH pods",              // W9
    ];
    assert_eq!(writes, expected);
    let reads: Vec<String> = rig
        .api
        .calls()
        .into_iter()
        .filter(|it| it.method == Method::GET && it.path.contains(name(&job)))
        .map(|it| it.path)
        .collect();
    assert_eq!(reads, [] as [&str; 0], "all else comes from watches");
    assert_eq!(
        controller.metric("actions_gateway_jobs_acquired_total{namespace=\"team-a\",runner_group=\"blue\"}"),
        Some("1".into())
    );
    rig.assert_clean();
}

#[tokio::test]
async fn the_jobs_of_a_matrix_run_side_by_side_and_apart() {
    let rig = Rig::start(json!({ "maxListeners": 3 }), Behaviour::Succeeds).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux, strategy: { matrix: { os: [a, b, c] } } } }");
    assert_eq!(rig.concluded(&run).await, "success");
    let jobs = rig.settled(3).await;
    assert!(jobs.iter().all(|it| ending(it) == "Succeeded"), "{jobs:#?}");
    let pods: std::collections::BTreeSet<String> =
        jobs.iter().map(|it| it["status"]["pod"]["name"].to_string()).collect();
    assert_eq!(pods.len(), 3);
    rig.assert_clean();
}

#[tokio::test]
async fn a_full_group_leaves_jobs_queued_at_github() {
    let rig = Rig::start(json!({ "maxWorkers": 1 }), Behaviour::RunsOn).await;
    let _controller = rig.controller("agc-0");
    let first = rig.push("{ build: { runs-on: linux } }");
    let pod = rig.api.wait_for("the first pod", PATIENCE, |api| api.list("/pods/").pop()).await;
    let second = rig.push("{ build: { runs-on: linux } }");
    rig.github
        .control()
        .wait_for_run(second.run_id, std::time::Duration::from_secs(2), |it| it.status != "queued")
        .await
        .unwrap();
    assert_eq!(rig.github.control().run(second.run_id).unwrap().status, "queued");
    assert_eq!(rig.api.list("/runnerjobs/").len(), 1, "what cannot run is not claimed");

    finish(&rig, &pod);
    assert_eq!(rig.concluded(&first).await, "success");
    let other = |api: &testkit::api_server::ApiServer| {
        api.list("/pods/").into_iter().find(|it| name(it) != name(&pod))
    };
    let next = rig.api.wait_for("the second pod", PATIENCE, other).await;
    finish(&rig, &next);
    assert_eq!(rig.concluded(&second).await, "success");
    rig.settled(2).await;
    rig.assert_clean();
}

pub fn finish(rig: &Rig, pod: &Value) {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{}", name(pod));
    rig.api.edit(&path, |it| it["metadata"]["annotations"][FINISH] = json!("yes"));
}

#[tokio::test]
async fn a_group_says_that_it_listens() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let _controller = rig.controller("agc-0");
    let ready = |api: &testkit::api_server::ApiServer| {
        let group = api.get(GROUP)?;
        (condition(&group, "Ready")?["status"] == "True").then_some(group)
    };
    let group = rig.api.wait_for("the group is ready", PATIENCE, ready).await;
    assert_eq!(condition(&group, "Ready").unwrap()["reason"], "ListenerActive");
    assert_eq!(group["status"]["activeSessions"], 1);
    let found = |api: &testkit::api_server::ApiServer| {
        let gateways = api.list("/actionsgateways/");
        let said = condition(gateways.first()?, "CredentialUnavailable")?.clone();
        Some(said)
    };
    let said = rig.api.wait_for("the credentials are judged", PATIENCE, found).await;
    assert_eq!((&said["status"], &said["reason"]), (&json!("False"), &json!("SecretFound")));
    rig.assert_clean();
}

#[tokio::test]
async fn what_is_on_show_goes_when_its_time_is_over() {
    let spec = json!({ "completedPodTTL": "0s", "jobHistory": { "succeeded": 0, "failed": 0, "ttl": "1h" } });
    let rig = Rig::start(spec, Behaviour::Succeeds).await;
    let controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "success");
    let nothing = |api: &testkit::api_server::ApiServer| {
        (api.list("/pods/").is_empty() && api.list("/runnerjobs/").is_empty()).then_some(())
    };
    rig.api.wait_for("pod and RunnerJob are gone", PATIENCE, nothing).await;
    let reaped = "actions_gateway_worker_pods_reaped_total{namespace=\"team-a\",reason=\"completed_ttl\",runner_group=\"blue\"}";
    assert_eq!(controller.metric(reaped), Some("1".into()));
    rig.assert_clean();
}

#[tokio::test]
async fn a_quota_without_room_leaves_jobs_queued_at_github() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let quotas = "/api/v1/namespaces/team-a/resourcequotas";
    let full = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "team", "namespace": NAMESPACE },
        "spec": { "hard": { "pods": "4" } }, "status": { "hard": { "pods": "4" }, "used": { "pods": "4" } },
    });
    rig.api.put(quotas, full);
    let controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let refused = "actions_gateway_admission_decisions_total{namespace=\"team-a\",runner_group=\"blue\",verdict=\"quota\"}";
    rig.api.wait_for("a refusal", PATIENCE, |_| controller.metric(refused)).await;
    assert!(rig.api.list("/runnerjobs/").is_empty(), "what cannot run is not claimed");
    rig.api.edit(&format!("{quotas}/team"), |it| it["status"]["used"]["pods"] = json!("3"));
    assert_eq!(rig.concluded(&run).await, "success");
    rig.settled(1).await;
    rig.assert_clean();
}

#[tokio::test]
async fn a_job_that_two_sessions_claim_runs_once() {
    let rig = Rig::start(json!({ "maxListeners": 2 }), Behaviour::Succeeds).await;
    let _controller = rig.controller("agc-0");
    // An offer that waits for the first listener brings the second one.
    let first = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&first).await, "success");
    rig.settled(1).await;
    let two = |_: &testkit::api_server::ApiServer| {
        let state = rig.github.control().state();
        let parked = state.sessions.iter().filter(|it| it.parked > 0).count();
        (parked >= 2).then_some(())
    };
    rig.api.wait_for("two listeners", PATIENCE, two).await;
    rig.github.control().pull(fakegithub::Lever::FanOut { sessions: 2 }).unwrap();
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "success");
    let jobs = rig.settled(3).await;
    let mut endings: Vec<&str> = jobs.iter().map(ending).collect();
    endings.sort_unstable();
    assert_eq!(endings, ["Duplicate", "Succeeded", "Succeeded"]);
    rig.assert_clean();
}
