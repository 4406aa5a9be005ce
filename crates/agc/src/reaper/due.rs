//! What is due to be removed. Pure.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use api::StopReason;
use api::runner_job::JobResult;
use api::{RunnerJob, labels};
use jiff::{SignedDuration, Timestamp};
use job::PodStage;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::jobs::memory::{Memory, ended_at};
use crate::pod::observe::observe;
use crate::runner_group::group::Group;

/// A pod whose job is not known may belong to a `RunnerJob` that a watch has not brought yet.
const ORPHAN_AGE: SignedDuration = SignedDuration::from_mins(2);

/// The default of `completedPodTTL`, for pods whose group is gone.
const DEFAULT_TTL: SignedDuration = SignedDuration::from_mins(5);

/// A pod to delete, and why.
#[derive(Debug, Clone)]
pub struct Reap {
    /// The pod.
    pub pod: Arc<Pod>,
    /// Its group.
    pub group: String,
    /// Why.
    pub reason: StopReason,
}

/// Pods that ended, were let go by their job, and have been on show for long enough.
#[must_use]
pub fn finished_pods(pods: &[Arc<Pod>], groups: &BTreeMap<String, Arc<Group>>, now: Timestamp) -> Vec<Reap> {
    let due = |pod: &&Arc<Pod>| {
        let view = observe(pod, now);
        let ttl = groups.get(&group_of(pod)).map_or(DEFAULT_TTL, |it| it.completed_pod_ttl);
        let PodStage::Ended(ending) = view.stage else { return false };
        !view.held && view.gone_by.is_none() && now >= ending.at + ttl
    };
    pods.iter().filter(due).map(|pod| reap(pod, StopReason::CompletedTtl)).collect()
}

/// Pods that still wait for a job which is not there.
#[must_use]
pub fn orphans(pods: &[Arc<Pod>], jobs: &[RunnerJob], now: Timestamp) -> Vec<Reap> {
    let known: HashSet<String> = jobs.iter().filter_map(ResourceExt::uid).collect();
    let orphaned = |pod: &&Arc<Pod>| {
        let view = observe(pod, now);
        let owner = pod.metadata.owner_references.iter().flatten().find(|it| it.controller == Some(true));
        view.held && now >= view.created + ORPHAN_AGE && owner.is_some_and(|it| !known.contains(&it.uid))
    };
    pods.iter().filter(orphaned).map(|pod| reap(pod, StopReason::Orphaned)).collect()
}

/// Settled jobs beyond what their group keeps, by count or by age. A job whose pod still carries our finalizer is not
/// settled.
#[must_use]
pub fn surplus_jobs(
    jobs: &[RunnerJob],
    pods: &[Arc<Pod>],
    groups: &BTreeMap<String, Arc<Group>>,
    now: Timestamp,
) -> Vec<String> {
    let held: HashSet<&str> = pods
        .iter()
        .filter(|it| it.finalizers().iter().any(|it| it == labels::FINALIZER_JOB))
        .filter_map(|it| it.labels().get(labels::RUNNER_JOB).map(String::as_str))
        .collect();
    let mut surplus = Vec::new();
    for group in groups.values() {
        let mut settled: Vec<&RunnerJob> = jobs
            .iter()
            .filter(|it| it.spec.runner_group.name == group.id.name && remembered(it).is_history())
            .filter(|it| it.metadata.deletion_timestamp.is_none() && !held.contains(it.name_any().as_str()))
            .collect();
        settled.sort_by_key(|it| std::cmp::Reverse(ended_at(it)));
        let (failed, others): (Vec<&RunnerJob>, Vec<&RunnerJob>) =
            settled.into_iter().partition(|it| has_failed(&remembered(it)));
        surplus.extend(beyond(&failed, group.history.failed, group, now));
        surplus.extend(beyond(&others, group.history.succeeded, group, now));
    }
    surplus
}

/// Of the jobs, youngest first, those past the count or the age.
fn beyond(jobs: &[&RunnerJob], keep: i32, group: &Group, now: Timestamp) -> Vec<String> {
    let keep = usize::try_from(keep).unwrap_or_default();
    let age = SignedDuration::try_from(group.history.ttl.get()).unwrap_or(SignedDuration::MAX);
    let is_old = |job: &RunnerJob| ended_at(job).is_some_and(|it| now.duration_since(it) >= age);
    let surplus = jobs.iter().enumerate().filter(|(index, job)| *index >= keep || is_old(job));
    surplus.map(|(_, job)| job.name_any()).collect()
}

fn remembered(job: &RunnerJob) -> Memory {
    Memory::read(job.status.as_ref())
}

fn has_failed(memory: &Memory) -> bool {
    memory.outcome().is_some_and(|it| it.result == JobResult::Failed)
}

fn reap(pod: &Arc<Pod>, reason: StopReason) -> Reap {
    Reap { pod: pod.clone(), group: group_of(pod), reason }
}

fn group_of(pod: &Pod) -> String {
    pod.labels().get(labels::RUNNER_GROUP).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
