use job::PodStage;

use super::*;
use crate::pod::observe::observe;
use crate::pod::observe::tests::{ended, pending, pod, terminated, waiting};

fn runner(reason: &str, message: &str) -> Option<StartFailure> {
    pending(&waiting("containerStatuses", "runner", reason, message))
}

fn init(name: &str, reason: &str, message: &str) -> Option<StartFailure> {
    pending(&waiting("initContainerStatuses", name, reason, message))
}

#[test]
fn a_container_that_never_will_start_is_told_from_one_that_may() {
    let unreachable = "failed to do request: dial tcp 10.255.255.1:5000: connect: network is unreachable";
    let cases = [
        ("ContainerCreating", "", None),
        ("PodInitializing", "", None),
        ("InvalidImageName", "couldn't parse image name", Some(StartFailure::ImageName)),
        ("ErrImageNeverPull", "", Some(StartFailure::ImageName)),
        ("ErrImagePull", "manifest unknown: not found", Some(StartFailure::ImagePull)),
        ("ErrImagePull", unreachable, Some(StartFailure::Passing)),
        ("ErrImagePull", "what no kubelet has said before", Some(StartFailure::Passing)),
        ("ImagePullBackOff", "Back-off pulling image \"x\"", Some(StartFailure::PullBackOff)),
        (
            "ImagePullBackOff",
            "Back-off pulling image \"x\": ErrImagePull: x: not found",
            Some(StartFailure::ImagePull),
        ),
        (
            "ImagePullBackOff",
            "Back-off pulling image \"x\": ErrImagePull: no such host",
            Some(StartFailure::Passing),
        ),
        ("RegistryUnavailable", "", Some(StartFailure::Passing)),
        (
            "CreateContainerConfigError",
            "configmap \"settings\" not found",
            Some(StartFailure::ContainerConfig),
        ),
        ("CreateContainerError", "context deadline exceeded", Some(StartFailure::Passing)),
        (
            "CreateContainerError",
            "failed to generate spec: no command specified",
            Some(StartFailure::ContainerConfig),
        ),
        (
            "RunContainerError",
            "exec: \"serve\": executable file not found in $PATH",
            Some(StartFailure::Passing),
        ),
    ];
    for (reason, message, expected) in cases {
        assert_eq!(runner(reason, message), expected, "{reason}: {message}");
    }
}

#[test]
fn our_install_container_is_no_fault_of_the_template() {
    assert_eq!(init(names::INSTALL_CONTAINER, "ErrImageNeverPull", ""), Some(StartFailure::Install));
    assert_eq!(init(names::INSTALL_CONTAINER, "ErrImagePull", "no such host"), Some(StartFailure::Passing));
    assert_eq!(init("setup", "ErrImageNeverPull", ""), Some(StartFailure::ImageName));
}

#[test]
fn what_cannot_pass_is_not_hidden_by_what_may() {
    let yaml = "status: { phase: Pending, containerStatuses: [
        { name: mesh, image: i, imageID: '', ready: false, restartCount: 0, state: { waiting: { reason: ErrImagePull, message: no such host } } },
        { name: runner, image: i, imageID: '', ready: false, restartCount: 0, state: { waiting: { reason: InvalidImageName } } }] }";
    assert_eq!(pending(yaml), Some(StartFailure::ImageName));
}

#[test]
fn a_pod_without_a_node_waits_for_the_scheduler() {
    let unplaced = |reason: &str| {
        pending(&format!(
            "status: {{ phase: Pending, conditions: [{{ type: PodScheduled, status: 'False', reason: {reason}, message: why }}] }}"
        ))
    };
    assert_eq!(unplaced("Unschedulable"), Some(StartFailure::Unschedulable));
    assert_eq!(unplaced("SchedulingGated"), Some(StartFailure::Passing));
    let placed = "status: { phase: Pending, conditions: [{ type: PodScheduled, status: 'True' }] }";
    assert_eq!(pending(placed), None);
}

#[test]
fn an_init_container_that_fails_ends_the_pod_and_says_whose_it_is() {
    let failed = |name: &str, state: &str| {
        ended(&format!(
            "status: {{ phase: Failed, initContainerStatuses: [{{ name: {name}, image: i, imageID: i, ready: false, restartCount: 0, state: {{ terminated: {state} }} }}] }}"
        ))
        .failed_init
    };
    use job::outcome::FailedInit::{Install, Template};
    assert_eq!(failed("setup", "{ exitCode: 1 }"), Some(Template));
    assert_eq!(failed(names::INSTALL_CONTAINER, "{ exitCode: 1 }"), Some(Install));
    assert_eq!(failed("setup", "{ exitCode: 0 }"), None);
}

#[test]
fn a_program_that_cannot_be_executed_never_ran() {
    assert!(
        ended(&terminated("{ exitCode: 128, reason: StartError, message: 'exec: not found' }")).cannot_run
    );
    assert!(!ended(&terminated("{ exitCode: 128, reason: Error }")).cannot_run);
}

/// What kubelets say of pods that they refuse.
const REJECTIONS: [(&str, &str); 10] = [
    (
        "OutOfcpu",
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 64000, used: 200, capacity: 2000",
    ),
    (
        "OutOfmemory",
        "Pod was rejected: Node didn't have enough resource: memory, requested: 1, used: 1, capacity: 1",
    ),
    (
        "OutOfpods",
        "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 110, capacity: 110",
    ),
    ("NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match"),
    ("NodePorts", "Pod was rejected: Predicate NodePorts failed"),
    ("UnexpectedAdmissionError", "Pod was rejected: Allocate failed due to device plugin"),
    ("TopologyAffinityError", "Pod was rejected: Resources cannot be allocated with Topology locality"),
    ("NodeShutdown", "Pod was rejected as the node is shutting down."),
    ("Evicted", "Pod was rejected: The node had condition: [DiskPressure]."),
    ("WhatNoKubeletHasSaidYet", "Pod was rejected"),
];

fn rejected(reason: &str, message: &str, rest: &str) -> String {
    format!("status: {{ phase: Failed, reason: {reason}, message: {message:?}{rest} }}")
}

#[test]
fn a_pod_that_the_kubelet_refuses_is_rejected_whatever_the_reason() {
    for (reason, message) in REJECTIONS {
        let ending = ended(&rejected(reason, message, ""));
        assert!(ending.rejected, "{reason}");
        assert_eq!((ending.disruption, ending.failed_init), (None, None), "{reason}");
        assert_eq!(
            observe(&pod(&rejected(reason, message, "")), jiff::Timestamp::UNIX_EPOCH).disruption,
            None
        );
    }
}

#[test]
fn the_end_that_the_kubelet_makes_up_for_the_first_container_is_no_run() {
    let made_up = ", initContainerStatuses: [
        { name: setup, image: i, imageID: '', ready: false, restartCount: 0, state: { terminated:
            { exitCode: 137, reason: ContainerStatusUnknown, message: The container could not be located when the pod was terminated } } },
        { name: actions-gateway-install, image: i, imageID: '', ready: false, restartCount: 0, state: { waiting: { reason: PodInitializing } } }],
        containerStatuses: [{ name: runner, image: i, imageID: '', ready: false, restartCount: 0, state: { waiting: { reason: PodInitializing } } }]";
    let ending = ended(&rejected("OutOfcpu", "Pod was rejected", made_up));
    assert!(ending.rejected);
    assert_eq!(ending.failed_init, None);
}

#[test]
fn a_pod_of_which_anything_ran_is_not_rejected() {
    let container = |fields: &str| {
        format!(", initContainerStatuses: [{{ name: setup, image: i, imageID: i, ready: false, {fields} }}]")
    };
    for fields in [
        "restartCount: 0, state: { running: {} }",
        "restartCount: 0, state: { terminated: { exitCode: 0 } }",
        "restartCount: 0, state: { terminated: { exitCode: 137, reason: ContainerStatusUnknown, startedAt: '2026-01-01T00:00:00Z' } }",
        "restartCount: 0, containerID: 'containerd://1', state: { waiting: {} }",
        "restartCount: 1, state: { waiting: {} }",
        "restartCount: 0, state: { waiting: {} }, lastState: { terminated: { exitCode: 1 } }",
    ] {
        let ending = ended(&rejected("NodeAffinity", "Pod was rejected", &container(fields)));
        assert!(!ending.rejected, "{fields}");
    }
}

#[test]
fn what_the_cluster_takes_and_what_its_time_ends_is_not_rejected() {
    let disrupted =
        ", conditions: [{ type: DisruptionTarget, status: 'True', reason: TerminationByKubelet }]";
    assert!(!ended(&rejected("Preempting", "", disrupted)).rejected);
    assert!(!ended(&rejected("DeadlineExceeded", "", "")).rejected);
    assert!(!ended("status: { phase: Failed }").rejected);
    let pending = pod("status: { phase: Pending, reason: NodeLost }");
    assert_eq!(observe(&pending, jiff::Timestamp::UNIX_EPOCH).stage, PodStage::Pending(None));
}
