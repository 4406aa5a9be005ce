//! What is known of one group's version: what is configured, and what its workers said. Pure.

use api::labels;
use api::names::RUNNER_CONTAINER;
use api::runner_group::RunnerVersion;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ObjectReference, Pod};
use kube::ResourceExt as _;

use super::release;
use crate::pod::observe;

/// A version, and the image that it is said of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) version: String,
    pub(super) image: String,
}

/// What one worker said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its group.
    pub group: String,
    /// The version of the runner in it.
    pub version: String,
    /// When its pod was made.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

/// What is known of one group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    configured: Option<Configured>,
    /// The newest worker that spoke, whether or not it still counts.
    heard: Option<Worker>,
}

#[derive(Debug, Clone, PartialEq)]
struct Configured {
    setting: Setting,
    /// To the second, as Kubernetes writes when a pod was made.
    since: Timestamp,
    reference: Option<ObjectReference>,
}

impl Known {
    pub(super) fn recall(&mut self, written: &RunnerVersion) {
        let setting = Setting { version: written.configured.clone(), image: written.image.clone() };
        let since = written.configured_at.0;
        self.configured = Some(Configured { setting, since, reference: None });
        if let Some(version) = &written.worker {
            // When it was made and ended is forgotten: any worker that can still be seen is newer.
            let (group, version) = (String::new(), version.clone());
            self.hear(Worker { group, version, created: since, ended: since });
        }
    }

    pub(super) fn configure(&mut self, setting: Setting, reference: &ObjectReference, now: Timestamp) {
        let reference = Some(reference.clone());
        let same = self.configured.take().filter(|it| it.setting == setting);
        let since = same.map_or_else(|| whole_second(now), |it| it.since);
        self.configured = Some(Configured { setting, since, reference });
    }

    pub(super) fn hear(&mut self, worker: Worker) {
        let age = |it: &Worker| (it.created, it.ended);
        let is_newer = self.heard.as_ref().is_none_or(|it| age(it) < age(&worker));
        if is_newer && release::numbers(&worker.version).is_some() {
            self.heard = Some(worker);
        }
    }

    pub(super) fn setting(&self) -> Option<&Setting> {
        self.configured.as_ref().map(|it| &it.setting)
    }

    pub(super) fn since(&self) -> Option<Timestamp> {
        self.configured.as_ref().map(|it| it.since)
    }

    pub(super) fn reference(&self) -> Option<&ObjectReference> {
        self.configured.as_ref()?.reference.as_ref()
    }

    /// What the newest worker said, if it was made under what is configured now.
    pub(super) fn worker(&self) -> Option<&str> {
        let since = self.since()?;
        self.heard.as_ref().filter(|it| it.created >= since).map(|it| it.version.as_str())
    }

    pub(super) fn reported(&self) -> Option<&str> {
        self.worker().or_else(|| self.setting().map(|it| it.version.as_str()))
    }
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// What a worker pod's termination report says of the runner in it, once there is one.
#[must_use]
pub fn worker(pod: &Pod) -> Option<Worker> {
    Some(Worker {
        group: pod.labels().get(labels::RUNNER_GROUP)?.clone(),
        version: observe::report(pod)?.runner_version?,
        created: pod.metadata.creation_timestamp.as_ref()?.0,
        ended: terminated(pod)?.finished_at.as_ref()?.0,
    })
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let mut statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    statuses.find(|it| it.name == RUNNER_CONTAINER)?.state.as_ref()?.terminated.as_ref()
}
