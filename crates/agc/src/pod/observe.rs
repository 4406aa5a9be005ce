//! Reads a worker pod: the whole of what the job needs to know, each time. Pure.

mod pull;
mod start;
mod words;

use api::StopReason;
use api::runner_job::JobResult;
use api::{labels, names};
use handoff::worker::{ANNOTATION_STOP, StopFrame, StopRequest, TaskResult, TerminationReport};
use jiff::{SignedDuration, Timestamp};
use job::outcome::{Disruption, FailedInit, Report};
use job::{Asked, Ending, PodStage, PodView};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus};

pub use words::{more_telling, words};

/// What the job needs to know of its pod. `now` is when the pod was seen, for ends that carry no time.
#[must_use]
pub fn observe(pod: &Pod, now: Timestamp) -> PodView {
    let none = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&none);
    PodView {
        stage: stage(pod, status, now),
        created: pod.metadata.creation_timestamp.as_ref().map_or(now, |it| it.0),
        scheduled: condition(status, "PodScheduled")
            .and_then(|it| it.last_transition_time.as_ref())
            .map(|it| moment(it.0, now)),
        gone_by: pod.metadata.deletion_timestamp.as_ref().map(|it| it.0),
        disruption: disruption(status),
        held: pod.metadata.finalizers.iter().flatten().any(|it| it == labels::FINALIZER_JOB),
        listens: stop_annotation(pod).is_some(),
        asked: asked(pod),
    }
}

/// Empty until the worker is asked to stop. A pod of an older release, whose wrapper looks for no request, has none.
fn stop_annotation(pod: &Pod) -> Option<&str> {
    pod.metadata.annotations.as_ref()?.get(ANNOTATION_STOP).map(String::as_str)
}

fn asked(pod: &Pod) -> Option<Asked> {
    let request: StopRequest = stop_annotation(pod)?.parse().ok()?;
    let seconds = u32::try_from(request.seconds).unwrap_or(u32::MAX);
    Some(Asked { reason: stamp(pod).unwrap_or(StopReason::Cancelled), seconds })
}

/// When what is written as `written` came to be. Kubernetes cuts times to the second, so a pod can seem to be scheduled
/// before its job was claimed: the latest moment that the written second allows is closer, and a watch is prompt.
fn moment(written: Timestamp, now: Timestamp) -> Timestamp {
    (written + SignedDuration::from_secs(1)).min(now).max(written)
}

/// The termination report of the `runner` container, if it left one.
#[must_use]
pub fn report(pod: &Pod) -> Option<TerminationReport> {
    let terminated = runner(pod.status.as_ref()?)?.state.as_ref()?.terminated.as_ref()?;
    TerminationReport::from_message(terminated.message.as_deref()?)
}

fn stage(pod: &Pod, status: &PodStatus, now: Timestamp) -> PodStage {
    let state = runner(status).and_then(|it| it.state.as_ref());
    let terminated = state.and_then(|it| it.terminated.as_ref());
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    // The kubelet ends a pod that it was given; one that was never placed has nobody to end it.
    let unplaced = pod.metadata.deletion_timestamp.is_some()
        && pod.spec.as_ref().is_none_or(|it| it.node_name.is_none());
    if terminated.is_some() || ended || unplaced {
        return PodStage::Ended(ending(pod, status, terminated, now));
    }
    match state.and_then(|it| it.running.as_ref()) {
        Some(running) => PodStage::Running { since: running.started_at.as_ref().map_or(now, |it| it.0) },
        None => PodStage::Pending(start::hindrance(status).map(|it| it.failure)),
    }
}

fn ending(
    pod: &Pod,
    status: &PodStatus,
    terminated: Option<&ContainerStateTerminated>,
    now: Timestamp,
) -> Ending {
    let at = terminated.and_then(|it| it.finished_at.as_ref()).map_or(now, |it| it.0);
    Ending {
        at,
        exit_code: terminated.map(|it| it.exit_code),
        oom_killed: terminated.is_some_and(|it| it.reason.as_deref() == Some("OOMKilled")),
        cannot_run: terminated.is_some_and(start::cannot_run),
        failed_init: failed_init(status),
        rejected: start::is_rejected(status),
        deadline_exceeded: status.reason.as_deref() == Some("DeadlineExceeded"),
        report: terminated.map_or(Report::Missing, read_report),
        disruption: disruption(status),
        deletion_requested: deletion_requested(pod).is_some_and(|it| terminated.is_none() || it <= at),
        stamp: stamp(pod),
    }
}

/// When the deletion was asked for: the API server writes when it is to be over.
fn deletion_requested(pod: &Pod) -> Option<Timestamp> {
    let over = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
    over.checked_sub(SignedDuration::from_secs(grace)).ok()
}

fn stamp(pod: &Pod) -> Option<StopReason> {
    pod.metadata.annotations.as_ref()?.get(labels::DELETION_REASON)?.parse().ok()
}

fn read_report(terminated: &ContainerStateTerminated) -> Report {
    let message = terminated.message.as_deref().unwrap_or_default();
    let Some(report) = TerminationReport::from_message(message) else { return Report::Missing };
    let oom_kills = report.usage.oom_kills.unwrap_or_default();
    let concluded = |result| Report::Concluded { result, oom_kills };
    match report.result {
        Some(TaskResult::Succeeded | TaskResult::SucceededWithIssues) => concluded(JobResult::Succeeded),
        Some(TaskResult::Failed) if shut_down(&report) => Report::ShutDown { oom_kills },
        Some(TaskResult::Failed) => concluded(JobResult::Failed),
        Some(TaskResult::Canceled) => concluded(JobResult::Cancelled),
        Some(TaskResult::Skipped) => concluded(JobResult::Skipped),
        Some(TaskResult::Abandoned) => Report::RunnerDied { oom_kills },
        None if report.exit.is_some() => Report::RunnerDied { oom_kills },
        None => Report::WrapperFailed,
    }
}

/// The frame that was written last decides what the runner made of the job: after a shutdown it fails.
fn shut_down(report: &TerminationReport) -> bool {
    report.frame == Some(StopFrame::Shutdown.number())
}

fn failed_init(status: &PodStatus) -> Option<FailedInit> {
    let failed = |it: &&ContainerStatus| start::failure_of(it).is_some();
    let first = status.init_container_statuses.iter().flatten().find(failed)?;
    Some(match first.name.as_str() {
        names::INSTALL_CONTAINER => FailedInit::Install,
        _ => FailedInit::Template,
    })
}

fn runner(status: &PodStatus) -> Option<&ContainerStatus> {
    status.container_statuses.iter().flatten().find(|it| it.name == names::RUNNER_CONTAINER)
}

/// A condition that is true.
fn condition<'a>(status: &'a PodStatus, type_: &str) -> Option<&'a PodCondition> {
    status.conditions.iter().flatten().find(|it| it.type_ == type_ && it.status == "True")
}

/// What the cluster does to the pod: as its condition says, or for older kubelets its status.
fn disruption(status: &PodStatus) -> Option<Disruption> {
    if start::is_rejected(status) {
        return None;
    }
    let message = status.message.as_deref().unwrap_or_default();
    let target = condition(status, "DisruptionTarget").and_then(|it| it.reason.as_deref());
    match target {
        Some("PreemptionByScheduler" | "PreemptionByKubeScheduler") => Some(Disruption::Preempted),
        Some("EvictionByEvictionAPI") => Some(Disruption::Drained),
        Some("DeletionByTaintManager" | "DeletionByPodGC") => Some(Disruption::NodeLost),
        Some(_) => Some(eviction(message)),
        None => match status.reason.as_deref() {
            Some("Evicted") => Some(eviction(message)),
            Some("Preempting") => Some(Disruption::Preempted),
            Some("NodeLost") => Some(Disruption::NodeLost),
            Some("Terminated" | "NodeShutdown" | "Shutdown") => Some(Disruption::EvictedOther),
            _ => None,
        },
    }
}

/// The kubelet's message names the resource under pressure.
fn eviction(message: &str) -> Disruption {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|it| message.contains(it));
    if says(&["resource: memory", "memory available", "memory pressure"]) {
        Disruption::EvictedMemory
    } else if says(&["ephemeral", "disk", "inodes", "emptydir"]) {
        Disruption::EvictedDisk
    } else {
        Disruption::EvictedOther
    }
}

#[cfg(test)]
mod tests;
