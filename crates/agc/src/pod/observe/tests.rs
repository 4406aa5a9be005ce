use job::StartFailure;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(super) fn pod(yaml: &str) -> Pod {
    let mut pod: Pod = serde_yaml::from_str(yaml).unwrap();
    pod.metadata.creation_timestamp.get_or_insert(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(NOW));
    pod.spec.get_or_insert_default().node_name.get_or_insert("node-1".into());
    pod
}

pub(super) fn ended(yaml: &str) -> Ending {
    match observe(&pod(yaml), NOW).stage {
        PodStage::Ended(ending) => ending,
        other => panic!("not ended: {other:?}"),
    }
}

pub(super) fn pending(yaml: &str) -> Option<StartFailure> {
    match observe(&pod(yaml), NOW).stage {
        PodStage::Pending(failure) => failure,
        other => panic!("not pending: {other:?}"),
    }
}

pub(super) fn terminated(state: &str) -> String {
    format!(
        "status: {{ phase: Failed, containerStatuses: [{{ name: runner, image: i, imageID: i, ready: false, restartCount: 0, state: {{ terminated: {state} }} }}] }}"
    )
}

pub(super) fn waiting(list: &str, container: &str, reason: &str, message: &str) -> String {
    format!(
        "status: {{ phase: Pending, {list}: [{{ name: {container}, image: i, imageID: '', ready: false, restartCount: 0, state: {{ waiting: {{ reason: {reason}, message: {message:?} }} }} }}] }}"
    )
}

#[test]
fn a_report_is_read_from_the_runner_container() {
    let ending = ended(&terminated(r#"{ exitCode: 0, message: '{"v":1,"result":"succeeded","exit":100}' }"#));
    assert_eq!(ending.report, Report::Concluded { result: JobResult::Succeeded, oom_kills: 0 });
    let ending = ended(&terminated(r#"{ exitCode: 1, message: '{"v":1,"exit":137}' }"#));
    assert_eq!(ending.report, Report::RunnerDied { oom_kills: 0 });
    let ending = ended(&terminated(r#"{ exitCode: 1, message: '{"v":1,"error":"no payload"}' }"#));
    assert_eq!(ending.report, Report::WrapperFailed);
}

#[test]
fn a_runner_that_was_told_to_shut_down_is_told_from_a_job_that_failed() {
    let report = |rest: &str| {
        ended(&terminated(&format!(
            r#"{{ exitCode: 102, message: '{{"v":1,"result":"failed","exit":102{rest}}}' }}"#
        )))
        .report
    };
    assert_eq!(report(r#","stopped":true,"frame":3"#), Report::ShutDown { oom_kills: 0 });
    assert_eq!(report(r#","stopped":true"#), Report::Concluded { result: JobResult::Failed, oom_kills: 0 });
}

#[test]
fn what_a_worker_was_asked_is_read_from_its_annotations() {
    let seen = |stop: &str| {
        let yaml = format!(
            "{{ metadata: {{ annotations: {{ actions-gateway.github.com/stop: '{stop}', actions-gateway.github.com/deletion-reason: lock_lost }} }} }}"
        );
        let view = observe(&pod(&yaml), NOW);
        (view.listens, view.asked)
    };
    assert_eq!(seen("2;60"), (true, Some(Asked { reason: StopReason::LockLost, seconds: 60 })));
    assert_eq!(seen(""), (true, None), "nothing yet");
    assert_eq!(seen("soon"), (true, None));
    assert!(!observe(&pod("{}"), NOW).listens, "a wrapper of an older release looks for no request");
}

#[test]
fn a_step_that_was_killed_for_memory_is_counted() {
    let report =
        |rest: &str| format!(r#"{{ exitCode: 1, message: '{{"v":1,"usage":{{"oomKills":1}}{rest}}}' }}"#);
    let failed = ended(&terminated(&report(r#","result":"failed","exit":102"#)));
    assert_eq!(failed.report, Report::Concluded { result: JobResult::Failed, oom_kills: 1 });
    let died = ended(&terminated(&report(r#","exit":137"#)));
    assert_eq!(died.report, Report::RunnerDied { oom_kills: 1 });
}

#[test]
fn a_missing_or_broken_report_is_data() {
    for message in ["''", "'{\"v\":2}'", "'core dumped'"] {
        let ending = ended(&terminated(&format!("{{ exitCode: 139, message: {message} }}")));
        assert_eq!((ending.report, ending.exit_code), (Report::Missing, Some(139)), "{message}");
    }
}

#[test]
fn memory_and_deadline_are_seen() {
    assert!(ended(&terminated("{ exitCode: 137, reason: OOMKilled }")).oom_killed);
    assert!(ended("status: { phase: Failed, reason: DeadlineExceeded }").deadline_exceeded);
}

#[test]
fn the_cluster_says_why_it_takes_a_pod_away() {
    let by_condition = [
        ("PreemptionByScheduler", "", Disruption::Preempted),
        ("EvictionByEvictionAPI", "", Disruption::Drained),
        ("DeletionByTaintManager", "", Disruption::NodeLost),
        ("DeletionByPodGC", "", Disruption::NodeLost),
        (
            "TerminationByKubelet",
            "The node was low on resource: memory. Threshold quantity: 100Mi",
            Disruption::EvictedMemory,
        ),
        ("TerminationByKubelet", "The node was low on resource: ephemeral-storage.", Disruption::EvictedDisk),
        (
            "TerminationByKubelet",
            "Pod was terminated in response to imminent node shutdown.",
            Disruption::EvictedOther,
        ),
    ];
    for (reason, message, expected) in by_condition {
        let yaml = format!(
            "status: {{ phase: Failed, message: {message:?}, conditions: [{{ type: DisruptionTarget, status: 'True', reason: {reason} }}] }}"
        );
        assert_eq!(ended(&yaml).disruption, Some(expected), "{reason} {message}");
    }
    assert_eq!(
        ended("status: { phase: Failed, reason: Evicted, message: 'low on resource: memory' }").disruption,
        Some(Disruption::EvictedMemory)
    );
    assert_eq!(ended("status: { phase: Failed }").disruption, None);
}

#[test]
fn a_deletion_counts_only_if_it_was_asked_for_before_the_container_ended() {
    let yaml = |finished: &str| {
        format!(
            "{{ metadata: {{ deletionTimestamp: '2026-01-01T00:01:00Z', deletionGracePeriodSeconds: 30 }}, {} }}",
            terminated(&format!("{{ exitCode: 1, finishedAt: '{finished}' }}"))
        )
    };
    assert!(ended(&yaml("2026-01-01T00:00:40Z")).deletion_requested);
    assert!(!ended(&yaml("2026-01-01T00:00:20Z")).deletion_requested, "it ended before anybody asked");
}

#[test]
fn our_own_deletion_carries_its_stamp() {
    let yaml = "{ metadata: { annotations: { actions-gateway.github.com/deletion-reason: lock_lost } }, status: { phase: Failed } }";
    assert_eq!(ended(yaml).stamp, Some(StopReason::LockLost));
}

#[test]
fn a_deleted_pod_that_was_never_placed_has_ended() {
    let mut unplaced =
        pod("{ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, status: { phase: Pending } }");
    unplaced.spec.as_mut().unwrap().node_name = None;
    assert!(matches!(observe(&unplaced, NOW).stage, PodStage::Ended(_)));
    unplaced.spec.as_mut().unwrap().node_name = Some("node".into());
    assert!(matches!(observe(&unplaced, NOW).stage, PodStage::Pending(None)));
}

#[test]
fn a_running_runner_runs_whatever_its_sidecars_do() {
    let yaml = "status: { phase: Running, containerStatuses: [
        { name: sidecar, image: i, imageID: i, ready: false, restartCount: 0, state: { waiting: { reason: CrashLoopBackOff } } },
        { name: runner, image: i, imageID: i, ready: true, restartCount: 0, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }] }";
    assert_eq!(
        observe(&pod(yaml), NOW).stage,
        PodStage::Running { since: "2026-01-01T00:00:00Z".parse().unwrap() }
    );
}

#[test]
fn a_pod_is_scheduled_when_it_was_seen_within_the_second_that_is_written() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let written = "{status: {phase: Pending, conditions: [{type: PodScheduled, status: 'True', \
                   lastTransitionTime: '2026-09-01T10:00:00Z'}]}}";
    let scheduled = |now: &str| observe(&pod(written), at(now)).scheduled;
    assert_eq!(scheduled("2026-09-01T10:00:00.250Z"), Some(at("2026-09-01T10:00:00.250Z")));
    assert_eq!(
        scheduled("2026-09-01T10:00:30Z"),
        Some(at("2026-09-01T10:00:01Z")),
        "seen late, after a restart"
    );
    assert_eq!(scheduled("2026-09-01T09:59:59Z"), Some(at("2026-09-01T10:00:00Z")), "a clock that is behind");
}

#[test]
fn a_pod_that_cannot_be_placed_is_not_scheduled() {
    let waiting = "{status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', \
                   lastTransitionTime: '2026-09-01T10:00:00Z'}]}}";
    assert_eq!(observe(&pod(waiting), NOW).scheduled, None);
}
