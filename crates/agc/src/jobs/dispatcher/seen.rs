//! What the watches show: worker pods and `RunnerJob`s, and that they are gone.

use std::collections::HashSet;
use std::sync::Arc;

use api::{RunnerJob, labels};
use job::naming::RunnerJobName;
use job::{Event, Phase, PodStage};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::Dispatcher;
use super::in_hand::JobInHand;
use crate::jobs::snapshot::PodFacts;
use crate::pod::observe::{more_telling, observe, words};

impl Dispatcher {
    /// The job that a pod belongs to: named by its label, and its owner.
    pub(super) fn job_of(&mut self, pod: &Pod) -> Option<(RunnerJobName, &mut JobInHand)> {
        let name = RunnerJobName::existing(pod.labels().get(labels::RUNNER_JOB)?);
        let record = self.jobs.get_mut(&name)?;
        let owner = pod.metadata.owner_references.iter().flatten().find(|it| it.controller == Some(true))?;
        (record.uid.as_ref() == Some(&owner.uid)).then_some((name, record))
    }

    pub(super) fn pod_seen(&mut self, pod: &Pod) {
        let view = observe(pod, self.clock.now());
        let Some((name, record)) = self.job_of(pod) else { return };
        let is_first = record.pod.is_none();
        if is_first && record.job.outcome().is_some() {
            return; // it came too late, and is being removed
        }
        let before = record.cluster_words.take().filter(|_| !is_first);
        record.pod = Some(PodFacts::of(pod));
        let before = before.filter(|_| !matches!(view.stage, PodStage::Running { .. }));
        record.cluster_words = more_telling(before, words(pod));
        self.event(&name, Event::PodSeen(view));
    }

    pub(super) fn pod_gone(&mut self, pod: &Pod) {
        let Some((name, record)) = self.job_of(pod) else { return };
        if record.pod.as_ref().is_some_and(|it| Some(&it.uid) == pod.metadata.uid.as_ref()) {
            if *record.job.phase() == Phase::Replacing {
                record.cluster_words = None; // they were about that one
            }
            self.event(&name, Event::PodGone);
        }
    }

    pub(super) fn pods_listed(&mut self, uids: &HashSet<String>) {
        let is_missing = |it: &JobInHand| it.pod.as_ref().is_some_and(|it| !uids.contains(&it.uid));
        let missing: Vec<RunnerJobName> =
            self.jobs.iter().filter(|(_, it)| is_missing(it)).map(|(name, _)| name.clone()).collect();
        for name in missing {
            self.event(&name, Event::PodGone);
        }
    }

    pub(super) fn job_seen(&mut self, object: &Arc<RunnerJob>) {
        let name = object.name_any();
        self.known.insert(name.clone());
        if object.metadata.deletion_timestamp.is_none() {
            return;
        }
        let name = RunnerJobName::existing(&name);
        if self.jobs.contains_key(&name) {
            self.event(&name, Event::DeletionRequested);
        } else if object.finalizers().iter().any(|it| it == labels::FINALIZER_JOB)
            && self.released.insert(object.uid().unwrap_or_default())
        {
            self.executor.release(object.clone());
        }
    }

    pub(super) fn job_gone(&mut self, name: &str) {
        self.known.remove(name);
        // Somebody took our finalizer off: the job ends as if it had been deleted with it.
        self.event(&RunnerJobName::existing(name), Event::DeletionRequested);
    }
}
