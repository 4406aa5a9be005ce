//! What is said of a controller that is not available, by what hinders it.

use serde_json::{Value, json};

use super::*;

const QUOTA: &str = "pods \"actions-gateway-controller-7d-x\" is forbidden: failed quota: team: must specify limits.cpu for: agc";
const NODES: &str = "0/1 nodes are available: 1 node(s) had untolerated taint(s).";

fn deployment(status: Value) -> Deployment {
    serde_json::from_value(
        json!({ "metadata": { "generation": 5 }, "spec": { "selector": {}, "template": {} }, "status": status }),
    )
    .unwrap()
}

fn pod(name: &str, created: &str, status: Value) -> Pod {
    serde_json::from_value(
        json!({ "metadata": { "name": name, "creationTimestamp": created }, "status": status }),
    )
    .unwrap()
}

fn newest(status: Value) -> Vec<Pod> {
    let older = json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "message": "older" }] });
    let mut going = pod("c", "2026-01-03T00:00:00Z", older.clone());
    going.metadata.deletion_timestamp = going.metadata.creation_timestamp.clone();
    vec![pod("a", "2026-01-01T00:00:00Z", older), pod("b", "2026-01-02T00:00:00Z", status), going]
}

fn container(name: &str, state: Value) -> Value {
    json!({ "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state })
}

/// What is said of the newest pod, or of the Deployment, without what is said each time.
#[track_caller]
fn check(conditions: Value, pods: &[Pod], expected: &str, look_at: &str) {
    let deployment = deployment(json!({ "observedGeneration": 5, "conditions": conditions }));
    let told = unavailable(Some(&deployment), pods, Some(5)).unwrap();
    let see = format!(" (see: kubectl describe {look_at} -l app=actions-gateway-controller)");
    assert_eq!(told, format!("the controller is not available: {expected}{see}"));
}

#[track_caller]
fn check_pod(status: Value, expected: &str) {
    let unavailable =
        json!([{ "type": "Available", "status": "False", "message": "no minimum availability" }]);
    check(unavailable, &newest(status), expected, "pod");
}

#[test]
fn what_a_container_waits_for_is_told_in_the_kubelets_words() {
    let pull =
        json!({ "waiting": { "reason": "ErrImagePull", "message": "registry.test/agc:bad: not found" } });
    let status = json!({ "containerStatuses": [container("agc", pull)] });
    check_pod(status, "pod b: container agc: ErrImagePull: registry.test/agc:bad: not found");

    let mut crashing = container("agc", json!({ "waiting": { "reason": "CrashLoopBackOff" } }));
    crashing["lastState"] =
        json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": "no such flag\n" } });
    let status = json!({ "containerStatuses": [crashing] });
    let told = "container agc: CrashLoopBackOff; before that it ended with exit code 1, Error: no such flag";
    check_pod(status, &format!("pod b: {told}"));

    let running = container("agc", json!({ "running": {} }));
    check_pod(json!({ "containerStatuses": [running] }), "pod b: container agc runs and is not ready");
    let ended = container("agc", json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } }));
    let status = json!({ "containerStatuses": [ended] });
    check_pod(status, "pod b: container agc ended with exit code 137, OOMKilled");
}

#[test]
fn what_passes_by_itself_is_not_told() {
    let creating = container("agc", json!({ "waiting": { "reason": "ContainerCreating" } }));
    let done = container("mesh", json!({ "terminated": { "exitCode": 0, "reason": "Completed" } }));
    let status = json!({ "containerStatuses": [creating], "initContainerStatuses": [done] });
    check_pod(status, "no minimum availability");
    check(json!([]), &[], "no pod of it is available", "pod");
}

#[test]
fn an_init_container_that_somebody_added_is_named_before_those_that_wait_for_it() {
    let init = container("mesh", json!({ "waiting": { "reason": "ImagePullBackOff" } }));
    let agc = container("agc", json!({ "waiting": { "reason": "PodInitializing" } }));
    let status = json!({ "initContainerStatuses": [init], "containerStatuses": [agc] });
    check_pod(status, "pod b: container mesh: ImagePullBackOff");
}

#[test]
fn the_schedulers_sentence_and_the_kubelets_refusal_are_told() {
    let unplaced =
        json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NODES });
    check_pod(json!({ "conditions": [unplaced] }), &format!("pod b: {NODES}"));
    let rejected =
        json!({ "phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected: not enough cpu" });
    check_pod(rejected, "pod b: OutOfcpu: Pod was rejected: not enough cpu");
}

#[test]
fn a_refused_pod_is_told_with_its_remedy_before_any_older_pod() {
    let remedies = [
        (
            QUOTA,
            "; the quota admits the controller once a LimitRange of the namespace has a default for what it misses",
        ),
        (
            "minimum cpu usage per Container is 50m, but request is 10m",
            "; lower the minimum of the namespace's LimitRange",
        ),
        (
            "maximum memory usage per Container is 32Mi, but limit is 64Mi",
            "; raise the maximum of the namespace's LimitRange",
        ),
        ("exceeded quota: team, requested: pods=1", "; raise the quota, or free what others use of it"),
        ("denied the request: not on a Sunday", ""),
    ];
    for (words, remedy) in remedies {
        let conditions = json!([
            { "type": "Progressing", "status": "False", "message": "took too long" },
            { "type": "ReplicaFailure", "status": "True", "message": words },
        ]);
        check(conditions, &newest(json!({})), &format!("{words}{remedy}"), "replicaset");
    }
}

#[test]
fn a_deployment_is_judged_for_the_generation_that_was_applied() {
    let of = |generation, status: Value| unavailable(Some(&deployment(status)), &[], Some(generation));
    let available = json!({ "observedGeneration": 5, "updatedReplicas": 1, "availableReplicas": 1 });
    assert_eq!(of(5, available.clone()), None);
    assert_eq!(of(6, available).as_deref(), Some("the controller is being rolled out"));
    assert!(of(5, json!({ "observedGeneration": 5, "availableReplicas": 1 })).is_some());
    let absent = unavailable(None, &[], None);
    assert_eq!(absent.as_deref(), Some("the controller's Deployment has not been created yet"));
}
