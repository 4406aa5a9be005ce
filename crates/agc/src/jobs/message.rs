//! What the dispatcher is told. Whoever tells it needs to know nothing else of it.

use std::collections::HashSet;
use std::sync::Arc;

use admission::Quota;
use api::RunnerJob;
use github_proto::JobId;
use jiff::SignedDuration;
use job::naming::RunnerJobName;
use job::{Event, Recovered};
use k8s_openapi::api::core::v1::Pod;

use super::acquired::AcquiredJob;
use super::offer::Offer;
use super::snapshot::PodFacts;
use crate::agents::PoolHandle;
use crate::dry_run::Asked;
use crate::runner_group::group::Group;

/// What the dispatcher is told.
#[derive(Debug)]
pub enum Message {
    /// GitHub offers a job.
    Offer(Box<Offer>),
    /// Something happened to a job.
    Event(RunnerJobName, Event),
    /// W1 is done: the object's uid.
    Recorded(RunnerJobName, String),
    /// X1 was granted.
    Claimed(RunnerJobName, Arc<AcquiredJob>),
    /// W3 is done.
    PodCreated(RunnerJobName, PodFacts),
    /// GitHub cancels the job with this id, and gives it so long to end.
    Cancelled(JobId, SignedDuration),
    /// What the API server said when it refused the job's pod.
    ClusterWords(RunnerJobName, String),
    /// The watch shows a worker pod.
    PodSeen(Arc<Pod>),
    /// The watch shows that a worker pod is gone.
    PodGone(Arc<Pod>),
    /// The watch was interrupted: these are the uids of all worker pods there are.
    PodsListed(HashSet<String>),
    /// The watch shows a `RunnerJob`.
    JobSeen(Arc<RunnerJob>),
    /// The watch shows that a `RunnerJob` is gone.
    JobGone(String),
    /// A group is as this, and these are its agents.
    Group(Arc<Group>, PoolHandle),
    /// A group is gone.
    GroupGone(String),
    /// What the API server says of a group's pods.
    DryRun(Arc<Asked>),
    /// What the namespace's quotas say.
    Quotas(Vec<Quota>),
    /// A job that a predecessor left.
    Adopt(Box<Adopted>),
}

/// A job that a predecessor left, and all that could be found out about it.
#[derive(Debug)]
pub struct Adopted {
    /// What it was offered as.
    pub offer: Offer,
    /// Its `RunnerJob`.
    pub object: RunnerJob,
    /// What its payload Secret holds.
    pub claim: Option<Arc<AcquiredJob>>,
    /// Its pod.
    pub pod: Option<Arc<Pod>>,
    /// What the machine needs to know.
    pub found: Recovered,
}
