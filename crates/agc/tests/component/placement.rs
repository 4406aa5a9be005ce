//! What the API server refuses is not acquired; what it refuses after all waits, and costs no other job.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use testkit::api_server::{ApiServer, Effect};

use crate::kubelet::Behaviour;
use crate::rig::{Controller, PATIENCE, Rig, condition};

/// As many as would be lost in seconds.
const QUEUE: usize = 20;
/// More often than anything is tried here.
const ALWAYS: u32 = 100_000;
const WORDS: &str = "spec.containers[0].volumeMounts[0].name: Not found: \"cache\"";

fn queue(rig: &Rig) -> fakegithub::RunView {
    let jobs: Vec<String> = (0..QUEUE).map(|it| format!("job{it}: {{ runs-on: linux }}")).collect();
    rig.push(&format!("{{ {} }}", jobs.join(", ")))
}

/// Jobs of the run that were acquired.
fn acquired(rig: &Rig, run: &fakegithub::RunView) -> usize {
    let run = rig.github.control().run(run.run_id).unwrap();
    run.jobs.iter().filter(|it| it.acquired_at.is_some()).count()
}

/// Waits until the group's condition has this status and reason; its message.
async fn group_says(rig: &Rig, type_: &str, status: &str, reason: &str) -> String {
    let said = |api: &ApiServer| {
        let group = api.list("/runnergroups/").into_iter().next()?;
        let found = condition(&group, type_)?.clone();
        (found["status"] == status && found["reason"] == reason).then_some(found)
    };
    let found = rig.api.wait_for(&format!("{type_}={status}/{reason}"), PATIENCE, said).await;
    found["message"].as_str().unwrap().to_owned()
}

fn verdicts(controller: &Controller, verdict: &str) -> Option<String> {
    let labels = format!("{{namespace=\"team-a\",runner_group=\"blue\",verdict=\"{verdict}\"}}");
    controller.metric(&format!("actions_gateway_admission_decisions_total{labels}"))
}

fn events(rig: &Rig, reason: &str) -> Vec<Value> {
    rig.api.list("/events/").into_iter().filter(|it| it["reason"] == reason).collect()
}

fn payload_is_gone(api: &ApiServer) -> bool {
    !api.list("/secrets/").iter().any(|it| crate::rig::name(it).ends_with("-payload"))
}

fn dry_runs(rig: &Rig) -> usize {
    rig.api.calls().iter().filter(|it| it.is_dry_run()).count()
}

#[tokio::test]
async fn a_group_whose_pod_is_refused_acquires_nothing_until_it_is_taken() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/pods?dryRun", ALWAYS, Effect::Refuse(422, WORDS.into()));
    let controller = rig.controller("agc-0");
    let run = queue(&rig);
    let message = group_says(&rig, "WorkersAdmitted", "False", "PodRefused").await;
    assert!(message.starts_with(WORDS) && message.contains("remove the mount"), "{message}");
    assert_eq!(group_says(&rig, "Ready", "False", "PodRefused").await, message);
    // Asked again and again, and nobody listens.
    rig.api.wait_for("three dry runs", PATIENCE, |_| (dry_runs(&rig) >= 3).then_some(())).await;
    assert_eq!(acquired(&rig, &run), 0);
    assert!(rig.api.list("/runnerjobs/").is_empty());
    assert!(rig.github.control().state().sessions.is_empty(), "somebody listens");
    assert!(verdicts(&controller, "refused").is_some());
    rig.api
        .wait_for("one Event", PATIENCE, |_| (events(&rig, "WorkerPodsRefused").len() == 1).then_some(()))
        .await;
    rig.api.heal();
    assert_eq!(rig.concluded(&run).await, "success");
    rig.settled(QUEUE).await;
    group_says(&rig, "WorkersAdmitted", "True", "DryRunAccepted").await;
    rig.assert_clean();
}

#[tokio::test]
async fn a_pod_that_is_refused_after_its_dry_run_passed_holds_one_job() {
    let rig = Rig::start(json!({ "maxListeners": 1 }), Behaviour::Succeeds).await;
    let controller = rig.controller("agc-0");
    group_says(&rig, "WorkersAdmitted", "True", "DryRunAccepted").await;
    rig.api.fail(Method::POST, "/pods", ALWAYS, Effect::Refuse(422, WORDS.into()));
    let run = queue(&rig);
    let message = group_says(&rig, "Ready", "False", "PodRefused").await;
    assert!(message.contains(WORDS), "{message}");
    let tried = |rig: &Rig| {
        let refused = |it: &&testkit::api_server::Call| it.path.ends_with("/pods") && it.code == Some(422);
        rig.api.calls().iter().filter(refused).count()
    };
    // Dry runs pass, and the job that waits tries again after each.
    rig.api.wait_for("another try", PATIENCE, |_| (tried(&rig) >= 2).then_some(())).await;
    assert_eq!(acquired(&rig, &run), 1, "one job goes first, and the others stay queued");
    assert!(verdicts(&controller, "refused").is_some());
    rig.api.heal();
    assert_eq!(rig.concluded(&run).await, "success");
    rig.settled(QUEUE).await;
    rig.assert_clean();
}

#[tokio::test]
async fn a_refused_job_that_is_given_up_costs_no_second_one_until_the_world_changes() {
    let spec = json!({ "maxListeners": 1, "pendingPodDeadline": "5s" });
    let rig = Rig::start(spec, Behaviour::Succeeds).await;
    let _controller = rig.controller("agc-0");
    group_says(&rig, "WorkersAdmitted", "True", "DryRunAccepted").await;
    rig.api.fail(Method::POST, "/pods", ALWAYS, Effect::Refuse(422, WORDS.into()));
    let run = queue(&rig);
    let lost = |api: &ApiServer| {
        let jobs = api.list("/runnerjobs/");
        jobs.into_iter().find(|it| condition(it, "Complete").is_some_and(|it| it["status"] == "True"))
    };
    let job = rig.api.wait_for("the job is given up", PATIENCE, lost).await;
    assert_eq!(job["status"]["failureReason"], "pod_refused");
    rig.api.wait_for("the job is settled", PATIENCE, |api| payload_is_gone(api).then_some(())).await;
    assert_eq!(acquired(&rig, &run), 1);
    group_says(&rig, "Ready", "False", "PodRefused").await;
    // An edit is a change.
    rig.api.heal();
    rig.api.edit(crate::rig::GROUP, |it| {
        it["spec"]["maxWorkers"] = json!(5);
        it["metadata"]["generation"] = json!(2);
    });
    assert_eq!(rig.concluded(&run).await, "failure");
    let conclusions = rig.github.control().run(run.run_id).unwrap().jobs;
    let mut count = BTreeMap::new();
    for job in &conclusions {
        *count.entry(job.conclusion.unwrap_or_default()).or_insert(0) += 1;
    }
    assert_eq!(count, BTreeMap::from([("failure", 1), ("success", QUEUE - 1)]));
    rig.assert_clean();
}

#[tokio::test]
async fn a_group_says_how_full_it_is_and_what_its_jobs_wait_for() {
    let rig = Rig::start(json!({ "maxWorkers": 1, "maxListeners": 2 }), Behaviour::RunsOn).await;
    let controller = rig.controller("agc-0");
    let withheld = |reason: &'static str| {
        move |api: &ApiServer| {
            let group = api.list("/runnergroups/").into_iter().next()?;
            let first = group["status"]["intake"]["withheld"][0].clone();
            (first["reason"] == reason).then_some(first)
        }
    };
    let _run = rig.push("{ build: { runs-on: linux } }");
    let full = rig.api.wait_for("full", PATIENCE, withheld("ceiling")).await;
    assert_eq!(full["detail"], "1 of 1 workers");
    for verdict in ["admitted", "ceiling"] {
        assert!(verdicts(&controller, verdict).is_some(), "{verdict}");
    }
    let of_group =
        |name: &str| controller.metric(&format!("{name}{{namespace=\"team-a\",runner_group=\"blue\"}}"));
    rig.api
        .wait_for("a running job", PATIENCE, |_| {
            (of_group("actions_gateway_jobs_running") == Some("1".into())).then_some(())
        })
        .await;
    assert_eq!(of_group("actions_gateway_worker_utilisation_ratio"), Some("1".into()));
    assert!(of_group("actions_gateway_admission_decision_seconds_count").is_some());
}

#[tokio::test]
async fn what_a_job_of_one_group_leaves_another_group_may_have() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let green = json!({
        "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerGroup",
        "metadata": { "name": "green", "namespace": "team-a" }, "spec": { "runnerLabels": ["green"] },
    });
    rig.api.put("/apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/runnergroups", green);
    let one = json!({ "pods": "1" });
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "team", "namespace": "team-a" },
        "spec": { "hard": one }, "status": { "hard": one, "used": { "pods": "0" } },
    });
    rig.api.put("/api/v1/namespaces/team-a/resourcequotas", quota);
    let full =
        "pods \"p\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=1, limited: pods=1";
    rig.api.fail(Method::POST, "/pods", 1, Effect::Refuse(403, full.into()));
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let withheld = |api: &ApiServer| {
        let groups = api.list("/runnergroups/");
        let green = groups.iter().find(|it| crate::rig::name(it) == "green")?;
        (green["status"]["intake"]["withheld"][0]["reason"] == "quota").then_some(())
    };
    rig.api.wait_for("the other group has no room", PATIENCE, withheld).await;
    rig.github.control().cancel_run(run.run_id).unwrap();
    assert_eq!(rig.concluded(&run).await, "cancelled");
    let second = rig.push("{ build: { runs-on: green } }");
    assert_eq!(rig.concluded(&second).await, "success");
    rig.assert_clean();
}
