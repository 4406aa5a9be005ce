//! Worker pods that a container keeps from finishing when their runner has: a mesh proxy or a docker daemon that does not
//! end by itself. Such a pod counts against quota and node as if its job ran. Pure.
//!
//! Native sidecars, init containers that are restarted always, are ended by the kubelet.

use std::cmp::Reverse;
use std::sync::Arc;

use api::{labels, names};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;

/// What ends with the runner needs no longer than this to end.
const TO_END_BY_ITSELF: SignedDuration = SignedDuration::from_secs(10);

/// A longer grace of a pod is meant for its runner, which is gone.
const LONGEST_GRACE: u32 = 30;

/// Beyond the grace: the kubelet kills what has not ended, and writes that the pod is over.
const TO_BE_KILLED: SignedDuration = SignedDuration::from_secs(15);

/// A settled pod that is outlived, and what is to be done about it now.
#[derive(Debug, Clone)]
pub struct Outlived {
    /// The pod.
    pub pod: Arc<Pod>,
    /// Its group.
    pub group: String,
    /// The containers that still run, by name.
    pub containers: Vec<String>,
    /// How it is ended.
    pub remedy: Remedy,
}

/// How an outlived pod is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The pod gets this `activeDeadlineSeconds`, which are over: the kubelet ends its containers, and their logs and what
    /// became of them stay.
    LowerDeadline(i64),
    /// That has not helped, so it is deleted.
    Delete,
}

/// Pods whose job is settled, and which some container keeps running for longer than it should, unless they are being ended.
#[must_use]
pub fn outlived_pods(pods: &[Arc<Pod>], now: Timestamp) -> Vec<Outlived> {
    let outlived = |pod: &Arc<Pod>| {
        let containers = outliving(pod, now).filter(|it| !it.is_empty() && !is_over(pod))?;
        let settled = !pod.finalizers().iter().any(|it| it == labels::FINALIZER_JOB);
        let remedy = remedy(pod, now).filter(|_| settled)?;
        Some(Outlived { pod: pod.clone(), group: group_of(pod).to_owned(), containers, remedy })
    };
    pods.iter().filter_map(outlived).collect()
}

/// Pods of the group that some container keeps running now.
#[must_use]
pub fn count_outlived(group: &str, pods: &[Arc<Pod>], now: Timestamp) -> usize {
    let outlived = |pod: &&Arc<Pod>| {
        group_of(pod) == group && !is_over(pod) && outliving(pod, now).is_some_and(|it| !it.is_empty())
    };
    pods.iter().filter(outlived).count()
}

/// In words, if the latest pod of the group whose runner has ended was outlived.
#[must_use]
pub fn says(group: &str, pods: &[Arc<Pod>], now: Timestamp) -> Option<String> {
    let mut ended: Vec<(Timestamp, &Arc<Pod>)> = pods
        .iter()
        .filter(|it| group_of(it) == group)
        .filter_map(|it| Some((runner_ended(it)?, it)))
        .collect();
    ended.sort_by_key(|(at, _)| Reverse(*at));
    let (pod, containers) = ended.into_iter().find_map(|(_, pod)| Some((pod, outliving(pod, now)?)))?;
    let containers = containers.join(", ");
    (!containers.is_empty()).then(|| {
        format!(
            "worker pod {}: {containers} still ran {} s after the runner had ended, and the pod is ended for it; make it a \
             native sidecar (an init container with restartPolicy: Always), or let it end by itself",
            pod.name_any(),
            TO_END_BY_ITSELF.as_secs()
        )
    })
}

/// The seconds that a container of the pod may take to end, when its runner is gone.
#[must_use]
pub fn grace_after_runner(pod: &Pod) -> u32 {
    let written = pod.spec.as_ref().and_then(|it| it.termination_grace_period_seconds);
    let written = written.and_then(|it| u32::try_from(it).ok());
    written.unwrap_or(LONGEST_GRACE).min(LONGEST_GRACE)
}

/// None while a deadline that is over takes effect. It is set to the moment at which it is set, and so tells when that was.
fn remedy(pod: &Pod, now: Timestamp) -> Option<Remedy> {
    let spec = pod.spec.as_ref()?;
    let started = pod.status.as_ref()?.start_time.as_ref()?.0;
    let deadline =
        spec.active_deadline_seconds.map(|it| started.saturating_add(SignedDuration::from_secs(it)));
    match deadline.and_then(Result::ok) {
        Some(over) if over <= now => {
            let patience = SignedDuration::from_secs(grace_after_runner(pod).into()) + TO_BE_KILLED;
            (now >= over + patience).then_some(Remedy::Delete)
        }
        _ => Some(Remedy::LowerDeadline(now.duration_since(started).as_secs().max(1))),
    }
}

/// The containers that run, or ran, for longer than they should after the runner; none where none does. `None` is not
/// known: the runner has not ended, others may still end by themselves, or the pod was told to end.
fn outliving(pod: &Pod, now: Timestamp) -> Option<Vec<String>> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let too_long = runner_ended(pod)? + TO_END_BY_ITSELF;
    let statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    let others = statuses.filter(|it| it.name != names::RUNNER_CONTAINER);
    let ends: Vec<(&str, Option<Timestamp>)> = others.map(|it| (it.name.as_str(), ended(it))).collect();
    let outlives = |end: Option<Timestamp>| end.unwrap_or(now) >= too_long;
    let outliving: Vec<String> =
        ends.iter().filter(|(_, end)| outlives(*end)).map(|(name, _)| (*name).to_owned()).collect();
    let undecided = ends.iter().any(|(_, end)| end.is_none()) && !is_over(pod);
    (!undecided || !outliving.is_empty()).then_some(outliving)
}

fn runner_ended(pod: &Pod) -> Option<Timestamp> {
    let mut statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    ended(statuses.find(|it| it.name == names::RUNNER_CONTAINER)?)
}

/// When a container ended; `None` while it runs, or waits to.
fn ended(status: &ContainerStatus) -> Option<Timestamp> {
    Some(status.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0)
}

fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|it| it.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn group_of(pod: &Pod) -> &str {
    pod.labels().get(labels::RUNNER_GROUP).map_or("", String::as_str)
}

#[cfg(test)]
mod tests;
