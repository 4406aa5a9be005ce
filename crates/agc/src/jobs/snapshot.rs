//! A job at one moment: all that doing something about it needs.

use std::sync::Arc;

use api::runner_job::{JobIdentity, Phase, PodRef};
use jiff::Timestamp;
use job::{DeadLetter, Outcome, Times, Waiting};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::acquired::AcquiredJob;
use super::offer::Offer;
use crate::report::JobFields;

/// A worker pod, as far as writes about it need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodFacts {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its node.
    pub node: Option<String>,
    /// Whether somebody asked for its deletion.
    pub deleting: bool,
}

impl PodFacts {
    /// What writes about this pod need to know.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        Self {
            name: pod.name_any(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            node: pod.spec.as_ref().and_then(|it| it.node_name.clone()),
            deleting: pod.metadata.deletion_timestamp.is_some(),
        }
    }

    /// A pod that the status names, of a job whose pod is gone.
    #[must_use]
    pub fn of_vanished(pod: PodRef) -> Self {
        Self { name: pod.name, uid: pod.uid, node: pod.node, deleting: true }
    }
}

/// A job as it was when an effect was asked for: all that doing it needs.
#[derive(Debug, Clone)]
pub struct JobSnapshot {
    /// What was offered.
    pub offer: Arc<Offer>,
    /// What was claimed.
    pub acquired: Option<Arc<AcquiredJob>>,
    /// Which job it is; known longer than the claim.
    pub identity: Option<JobIdentity>,
    /// The pod's priority class.
    pub priority_class: Option<String>,
    /// When it came to where.
    pub times: Times,
    /// Where it stands.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// A call about it that GitHub refused.
    pub dead_letter: Option<DeadLetter>,
    /// End of the lock.
    pub locked_until: Option<Timestamp>,
    /// Its pod.
    pub pod: Option<PodFacts>,
    /// What it waits for, or waited for to its end, that has no pod.
    pub waiting: Option<Waiting>,
    /// Whether its payload Secret was stored.
    pub payload_stored: bool,
    /// The pod that a node rejected before this one.
    pub rejected_pod: Option<PodFacts>,
    /// What the cluster says of its pod, for people.
    pub cluster_words: Option<String>,
    /// Whether something has hindered its pod's start for a while.
    pub is_hindered: bool,
    /// The span of the job.
    pub span: tracing::Span,
}

impl JobSnapshot {
    /// What a line about the job is found by.
    pub(crate) fn line(&self) -> JobFields<'_> {
        JobFields {
            runner_group: &self.offer.group.name,
            runner_job: self.offer.name.as_str(),
            identity: self.identity.as_ref(),
        }
    }
}
