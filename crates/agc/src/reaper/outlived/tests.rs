use serde_json::{Value, json};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn running() -> Value {
    json!({ "running": { "startedAt": at(-90).to_string() } })
}

fn ended_at(seconds: i64) -> Value {
    json!({ "terminated": { "exitCode": 0, "finishedAt": at(seconds).to_string() } })
}

/// A pod that started at second -100, whose runner ended at second 0, and whose sidecar is in this state.
fn pod(sidecar: Value) -> Value {
    let status = |name: &str, state: Value| json!({ "name": name, "image": "i", "imageID": "i", "ready": false, "restartCount": 0, "state": state });
    json!({
        "metadata": { "name": "pod", "labels": { "actions-gateway.github.com/runner-group": "blue" } },
        "spec": { "activeDeadlineSeconds": 43200, "containers": [] },
        "status": {
            "phase": "Running", "startTime": at(-100).to_string(),
            "containerStatuses": [status("runner", ended_at(0)), status("mesh", sidecar)],
        },
    })
}

fn with(mut pod: Value, change: Value) -> Value {
    json_patch::merge(&mut pod, &change);
    pod
}

fn typed(pod: Value) -> Vec<Arc<Pod>> {
    vec![Arc::new(serde_json::from_value(pod).unwrap())]
}

#[track_caller]
fn check(pod: Value, now: i64, expected: Option<Remedy>) {
    let found = outlived_pods(&typed(pod), at(now));
    assert_eq!(found.first().map(|it| it.remedy), expected);
    assert!(found.iter().all(|it| it.containers == ["mesh"] && it.group == "blue"), "{found:?}");
}

#[test]
fn a_pod_whose_sidecar_runs_on_gets_a_deadline_that_is_over() {
    check(pod(running()), 9, None);
    check(pod(running()), 10, Some(Remedy::LowerDeadline(110)));
    let endless = with(pod(running()), json!({ "spec": { "activeDeadlineSeconds": null } }));
    check(endless, 60, Some(Remedy::LowerDeadline(160)));
    let never_pulled = json!({ "waiting": { "reason": "ImagePullBackOff" } });
    check(pod(never_pulled), 10, Some(Remedy::LowerDeadline(110)));
}

#[test]
fn what_that_does_not_end_is_deleted_well_after_its_grace() {
    let lowered = |grace: i64| {
        with(
            pod(running()),
            json!({ "spec": { "activeDeadlineSeconds": 110, "terminationGracePeriodSeconds": grace } }),
        )
    };
    check(lowered(30), 10, None);
    check(lowered(30), 54, None);
    check(lowered(30), 55, Some(Remedy::Delete));
    check(lowered(3600), 55, Some(Remedy::Delete));
}

#[test]
fn a_pod_that_ends_or_is_not_settled_is_left_alone() {
    check(pod(ended_at(3)), 60, None);
    let others = [
        json!({ "status": { "phase": "Failed" } }),
        json!({ "metadata": { "finalizers": [labels::FINALIZER_JOB] } }),
        json!({ "metadata": { "deletionTimestamp": at(20).to_string() } }),
        json!({ "status": { "containerStatuses": [] } }),
    ];
    for change in others {
        check(with(pod(running()), change), 60, None);
    }
}

#[test]
fn a_native_sidecar_outlives_nobody() {
    let mut native = pod(running());
    let sidecar = native["status"]["containerStatuses"].as_array_mut().unwrap().pop();
    native["status"]["initContainerStatuses"] = json!([sidecar]);
    check(native, 60, None);
}

#[test]
fn pods_that_are_kept_running_are_counted_until_they_are_over() {
    let count = |pod: Value, now| count_outlived("blue", &typed(pod), at(now));
    assert_eq!(count(pod(running()), 9), 0);
    assert_eq!(count(pod(running()), 10), 1);
    let being_ended = with(pod(running()), json!({ "spec": { "activeDeadlineSeconds": 110 } }));
    assert_eq!(count(being_ended, 20), 1);
    assert_eq!(count(with(pod(ended_at(40)), json!({ "status": { "phase": "Failed" } })), 50), 0);
    assert_eq!(count_outlived("green", &typed(pod(running())), at(10)), 0);
}

#[test]
fn the_group_speaks_of_its_latest_pod() {
    let all = |pods: &[Value]| pods.iter().cloned().flat_map(typed).collect::<Vec<_>>();
    let named = |name: &str, runner: i64, sidecar: Value| {
        let mut pod = with(pod(sidecar), json!({ "metadata": { "name": name } }));
        pod["status"]["containerStatuses"][0]["state"] = ended_at(runner);
        pod
    };
    let said = |pods: &[Value], now| says("blue", &all(pods), at(now));
    let first = named("first", 0, running());
    assert_eq!(said(&[], 60), None);
    assert_eq!(said(std::slice::from_ref(&first), 9), None);
    let words = said(std::slice::from_ref(&first), 10).unwrap();
    assert!(words.starts_with("worker pod first: mesh still ran 10 s after the runner had ended"), "{words}");
    let over = with(named("first", 0, ended_at(40)), json!({ "status": { "phase": "Failed" } }));
    assert!(said(std::slice::from_ref(&over), 60).is_some(), "it was ended for that");
    let undecided = named("second", 55, running());
    assert!(said(&[undecided, over.clone()], 60).unwrap().contains("pod first"));
    let well = named("second", 55, ended_at(56));
    assert_eq!(said(&[well, over], 60), None);
    assert_eq!(says("green", &all(&[first]), at(60)), None);
}
