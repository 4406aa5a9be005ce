//! Which step is next, from what is left. Pure.

use std::fmt;

use api::labels;
use jiff::{SignedDuration, Timestamp};
use kube::core::ObjectMeta;
use operator::apply::{Ownership, ownership};

/// How long workers may go on after the deletion: jobs that are nearly done end well, and a person waits.
pub const DRAIN: SignedDuration = SignedDuration::from_secs(90);

/// How long after its grace a pod of the controller still counts as alive: its node may be dead.
pub const OVERTIME: SignedDuration = SignedDuration::from_secs(30);

/// How long the garbage collector may take over a Deployment's pods: a second, when it is well.
pub const COLLECTED: SignedDuration = SignedDuration::from_secs(30);

/// How many names a message holds.
const NAMES: usize = 5;

/// What is left of a gateway.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// When this was seen.
    pub now: Timestamp,
    /// When the deletion was asked for.
    pub deleted: Timestamp,
    /// Whether the whole namespace goes: then nobody waits for workers.
    pub namespace_ending: bool,
    /// The gateway's uid.
    pub uid: String,
    /// All RunnerGroups of the namespace.
    pub groups: Vec<ObjectMeta>,
    /// RunnerJobs that carry our finalizer.
    pub jobs: Vec<ObjectMeta>,
    /// Worker pods that carry our finalizer: their result has not been written down.
    pub workers: Vec<ObjectMeta>,
    /// Our controller's Deployment.
    pub controller: Option<ObjectMeta>,
    /// Pods of the controller.
    pub controller_pods: Vec<ObjectMeta>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The controller ends intake, workers and registrations, as their RunnerGroups are deleted.
    Drain {
        /// RunnerGroups to delete now.
        delete: Vec<ObjectMeta>,
        /// What it waits for.
        waiting: Waiting,
    },
    /// The controller goes, and the workers that did not end in time.
    Stop {
        /// Workers to delete.
        workers: Vec<ObjectMeta>,
        /// The Deployment, unless it is going already.
        controllers: Vec<ObjectMeta>,
        /// Pods of it that nobody has taken away in time.
        pods: Vec<ObjectMeta>,
    },
    /// Nobody is left to take our finalizers off but us.
    Release {
        /// RunnerGroups to delete.
        delete: Vec<ObjectMeta>,
        /// RunnerGroups whose finalizer is removed.
        groups: Vec<ObjectMeta>,
        /// RunnerJobs whose finalizer is removed.
        jobs: Vec<ObjectMeta>,
        /// Worker pods whose finalizer is removed.
        workers: Vec<ObjectMeta>,
    },
    /// The rest goes, and with it the gateway.
    Remove,
}

/// What a drain waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// RunnerGroups that are still there.
    pub groups: Vec<String>,
    /// Workers whose result has not been written down.
    pub workers: usize,
}

/// Decides.
pub fn next(facts: &Facts) -> Step {
    let own: Vec<&ObjectMeta> =
        facts.groups.iter().filter(|it| ownership(it, &facts.uid) == Ownership::Ours).collect();
    let delete = || own.iter().filter(|it| stays(it)).map(|it| (*it).clone()).collect();

    let undrained = !own.is_empty() || !facts.workers.is_empty();
    let drains = facts.controller.is_some() && !facts.namespace_ending && facts.now < facts.deleted + DRAIN;
    if undrained && drains {
        let groups = own.iter().filter_map(|it| it.name.clone()).collect();
        return Step::Drain { delete: delete(), waiting: Waiting { groups, workers: facts.workers.len() } };
    }

    let controllers = staying(facts.controller.as_slice());
    if !controllers.is_empty() || facts.controller_pods.iter().any(|it| lives(it, facts.now)) {
        // The garbage collector ends the pods of a Deployment that is gone. One that we took away before it does would
        // be replaced, so only strays are taken.
        let strays = controllers.is_empty() && facts.now >= facts.deleted + DRAIN + COLLECTED;
        let pods = if strays { staying(&facts.controller_pods) } else { Vec::new() };
        return Step::Stop { workers: staying(&facts.workers), controllers, pods };
    }

    let groups: Vec<ObjectMeta> =
        facts.groups.iter().filter(|it| is_held(it, labels::FINALIZER_GROUP)).cloned().collect();
    if own.is_empty() && groups.is_empty() && facts.jobs.is_empty() && facts.workers.is_empty() {
        return Step::Remove;
    }
    Step::Release { delete: delete(), groups, jobs: facts.jobs.clone(), workers: facts.workers.clone() }
}

fn staying(objects: &[ObjectMeta]) -> Vec<ObjectMeta> {
    objects.iter().filter(|it| stays(it)).cloned().collect()
}

fn stays(object: &ObjectMeta) -> bool {
    object.deletion_timestamp.is_none()
}

/// A pod's deletion timestamp is the end of its grace.
fn lives(pod: &ObjectMeta, now: Timestamp) -> bool {
    pod.deletion_timestamp.as_ref().is_none_or(|end_of_grace| now < end_of_grace.0 + OVERTIME)
}

pub(super) fn is_held(object: &ObjectMeta, finalizer: &str) -> bool {
    object.finalizers.iter().flatten().any(|it| it == finalizer)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drain { waiting, .. } => write!(
                f,
                "step 1 of 4: draining; RunnerGroups left: {}; workers left: {}; what is not done {} s after the \
                 deletion is stopped",
                few(&waiting.groups),
                waiting.workers,
                DRAIN.as_secs()
            ),
            Self::Stop { .. } => f.write_str("step 2 of 4: stopping the controller"),
            Self::Release { groups, jobs, workers, .. } => write!(
                f,
                "step 3 of 4: removing the finalizers that the controller left: {} RunnerGroups, {} RunnerJobs, {} workers",
                groups.len(),
                jobs.len(),
                workers.len()
            ),
            Self::Remove => f.write_str("step 4 of 4: deleting the remaining objects"),
        }
    }
}

/// The first few names.
pub fn few(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        _ if names.len() <= NAMES => names.join(", "),
        _ => format!("{} and {} more", names[..NAMES].join(", "), names.len() - NAMES),
    }
}
