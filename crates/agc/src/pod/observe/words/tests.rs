use super::*;
use crate::pod::observe::tests::{pod, terminated, waiting};

#[track_caller]
fn check(yaml: &str, expected: &str) {
    assert_eq!(words(&pod(yaml)).as_deref(), Some(expected), "{yaml}");
}

#[test]
fn the_clusters_words_are_the_ones_that_explain_the_end() {
    check(
        "status: { phase: Failed, reason: Evicted, message: 'The node was low on resource: memory.' }",
        "Evicted: The node was low on resource: memory.",
    );
    check(
        "status: { phase: Failed, reason: OutOfcpu, message: 'Pod was rejected: Node didn''t have enough resource: cpu' }",
        "OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu",
    );
    check(
        "status: { phase: Running, conditions: [{ type: DisruptionTarget, status: 'True', reason: EvictionByEvictionAPI, message: 'Eviction API: evicting' }] }",
        "EvictionByEvictionAPI: Eviction API: evicting",
    );
    check(
        &terminated("{ exitCode: 137, reason: OOMKilled }"),
        "container runner: OOMKilled: exited with 137",
    );
    check(
        &terminated("{ exitCode: 128, reason: StartError, message: 'exec: \"/w\": permission denied' }"),
        "container runner: StartError: exec: \"/w\": permission denied",
    );
    assert_eq!(words(&pod(&terminated("{ exitCode: 0, reason: Completed }"))), None, "nothing is to explain");
}

#[test]
fn a_pod_that_is_being_deleted_makes_no_progress() {
    let initializing = waiting("containerStatuses", "runner", "PodInitializing", "");
    check(&initializing, "container runner: PodInitializing");
    let mut ending = pod(&initializing);
    ending.metadata.deletion_timestamp = Some(serde_yaml::from_str("2026-09-01T10:00:00Z").unwrap());
    assert_eq!(words(&ending), None, "what was said before stands");
}

#[test]
fn what_hinders_a_start_is_named_with_its_container_and_its_cause() {
    check(
        "status: { phase: Pending, conditions: [{ type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/1 nodes are available' }] }",
        "Unschedulable: 0/1 nodes are available",
    );
    check(
        &waiting("containerStatuses", "runner", "ErrImagePull", "manifest unknown"),
        "container runner: ErrImagePull: manifest unknown",
    );
    check(
        &waiting(
            "initContainerStatuses",
            "setup",
            "CreateContainerConfigError",
            "configmap \"settings\" not found",
        ),
        "init container setup: CreateContainerConfigError: configmap \"settings\" not found",
    );
    let init = |state: &str| {
        format!(
            "status: {{ phase: Pending, initContainerStatuses: [{{ name: setup, image: i, imageID: i, ready: false, restartCount: 2, {state} }}],
              containerStatuses: [{{ name: runner, image: i, imageID: '', ready: false, restartCount: 0, state: {{ waiting: {{ reason: PodInitializing }} }} }}] }}"
        )
    };
    check(
        &init("state: { terminated: { exitCode: 1, reason: Error } }"),
        "init container setup: exited with 1",
    );
    check(
        &init(
            "state: { waiting: { reason: CrashLoopBackOff, message: 'back-off 20s restarting failed container=setup' } }, lastState: { terminated: { exitCode: 1, reason: Error, message: 'its own log' } }",
        ),
        "init container setup: CrashLoopBackOff: exited with 1",
    );
    check(
        &init(
            "state: { waiting: { reason: RunContainerError, message: 'exec: \"serve\": executable file not found in $PATH' } }",
        ),
        "init container setup: RunContainerError: exec: \"serve\": executable file not found in $PATH",
    );
    check(&init("state: { running: {} }"), "init container setup: running");
    check(
        &waiting("containerStatuses", "runner", "ContainerCreating", ""),
        "container runner: ContainerCreating",
    );
}

#[test]
fn a_sidecar_that_waits_while_the_runner_runs_is_no_news() {
    let yaml = "status: { phase: Running, containerStatuses: [
        { name: sidecar, image: i, imageID: i, ready: false, restartCount: 0, state: { waiting: { reason: ErrImagePull } } },
        { name: runner, image: i, imageID: i, ready: true, restartCount: 0, state: { running: {} } }] }";
    assert_eq!(words(&pod(yaml)), None);
}

#[test]
fn a_back_off_that_leaves_out_its_cause_does_not_hide_it() {
    let told = "container runner: ErrImagePull: connection refused";
    let back_off = "container runner: ImagePullBackOff: Back-off pulling image \"x\"";
    let cases = [
        (Some(told), Some(back_off), Some(told)),
        (None, Some(back_off), Some(back_off)),
        (Some("Unschedulable: no node"), Some(back_off), Some(back_off)),
        (Some("container mesh: ErrImagePull: no such host"), Some(back_off), Some(back_off)),
        (Some(told), None, Some(told)),
        (
            Some(told),
            Some("container runner: ContainerCreating"),
            Some("container runner: ContainerCreating"),
        ),
    ];
    for (before, now, expected) in cases {
        let owned = |it: Option<&str>| it.map(str::to_owned);
        assert_eq!(more_telling(owned(before), owned(now)), owned(expected));
    }
    let whole = format!("{back_off}: ErrImagePull: no such host");
    assert_eq!(more_telling(Some(told.into()), Some(whole.clone())), Some(whole), "it says it itself");
}
