//! What happens to a job. Events say facts, not steps: one that is repeated or late changes nothing.

use jiff::{SignedDuration, Timestamp};

use crate::effect::{Step, Timer};
use crate::outcome::{Disruption, Ending};
use api::StopReason;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There is room: the slot is ours.
    Admitted,
    /// W1 is done.
    Recorded,
    /// W1 failed; whether an object is there is not known.
    RecordFailed,
    /// X1 answered: the job is ours.
    Acquired {
        /// End of the lock.
        locked_until: Timestamp,
    },
    /// X1 answered that the job is not ours to have (404, 409, 422).
    AcquireRefused {
        /// Whether an answer before that one was lost, so that the job may be ours all the same.
        doubtful: bool,
    },
    /// X1 gave no usable answer.
    AcquireFailed {
        /// Whether the request may have reached GitHub, and so may have been granted. Otherwise it was tried as
        /// often as it is worth.
        sent: bool,
    },
    /// R5 answered.
    AgentSeen(AgentState),
    /// R5 gave no answer.
    AgentUnseen,
    /// W2 is done.
    PayloadStored,
    /// W2 failed.
    PayloadStoreFailed,
    /// A ResourceQuota has no room for W2.
    PayloadOverQuota,
    /// The payload does not fit into a Secret.
    PayloadTooLarge,
    /// W3 is done, now or by an earlier try.
    PodCreated,
    /// W3 was refused.
    PodRefused(PodRefusal),
    /// W3 gave no usable answer.
    PodCreateFailed,
    /// A dry run of the group's pods passed, and it is this job's turn to try.
    PodsAdmitted,
    /// X2 answered: the lock is extended.
    Renewed {
        /// End of the lock.
        locked_until: Timestamp,
    },
    /// X2 gave no usable answer.
    RenewFailed,
    /// X2 answered that GitHub does not know the claim any more (404).
    LockGone,
    /// The watch shows the pod.
    PodSeen(PodView),
    /// The watch shows that the pod is gone.
    PodGone,
    /// GitHub sent a cancellation.
    Cancelled {
        /// How long GitHub gives the job to end.
        timeout: SignedDuration,
    },
    /// Somebody deleted the `RunnerJob`.
    DeletionRequested,
    /// A step of the settlement was taken, or was not.
    StepTaken(Step, StepOutcome),
    /// A person says what becomes of a call that GitHub refused.
    Decided(Verdict),
    /// A timer is due.
    Due(Timer),
}

/// What came of a step of the settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// It is done.
    Done,
    /// It cannot be done yet.
    PutOff,
    /// It will not be done: GitHub refuses.
    Refused,
}

/// What becomes of a call that GitHub refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is made again.
    Retry,
    /// It is forgotten.
    Discard,
}

/// What GitHub says of the agent that claimed a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// It runs a job: the claim was granted.
    Busy,
    /// It runs none, or is not there: the claim was not granted.
    Free,
}

/// Why the API server refused the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodRefusal {
    /// A pod of that name has another owner: another claim of the same job.
    Duplicate,
    /// A ResourceQuota has no room.
    Quota,
    /// It refuses it until something else changes: the template, or what the namespace demands.
    Invalid,
}

/// Why a pod does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter)]
pub enum StartFailure {
    /// The scheduler finds no node for it.
    Unschedulable,
    /// The image's name is malformed, or must not be pulled and is not there: no waiting helps.
    ImageName,
    /// The registry says that the image is not there or not for us.
    ImagePull,
    /// The next pull is waited for, and why the last one failed is not said again.
    PullBackOff,
    /// The container's configuration refers to something that is not there.
    ContainerConfig,
    /// The container that installs the wrapper cannot start: no fault of the template.
    Install,
    /// Something else that may pass by itself.
    Passing,
}

impl StartFailure {
    /// Whether waiting may help.
    #[must_use]
    pub fn may_pass(self) -> bool {
        match self {
            Self::Unschedulable | Self::PullBackOff | Self::Passing => true,
            Self::ImageName | Self::ImagePull | Self::ContainerConfig | Self::Install => false,
        }
    }
}

/// How far a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodStage {
    /// The `runner` container has not started.
    Pending(Option<StartFailure>),
    /// It runs.
    Running {
        /// When it started.
        since: Timestamp,
    },
    /// It ended, or it never will start.
    Ended(Ending),
}

/// A pod as the watch shows it: the whole of what matters, each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// How far it is.
    pub stage: PodStage,
    /// When the API server had it.
    pub created: Timestamp,
    /// When a node was found for it.
    pub scheduled: Option<Timestamp>,
    /// When a deletion that somebody asked for should be over.
    pub gone_by: Option<Timestamp>,
    /// What the cluster does to it.
    pub disruption: Option<Disruption>,
    /// Whether it carries our finalizer.
    pub held: bool,
    /// Whether its wrapper would see that it is asked to cancel; one of an older release would not.
    pub listens: bool,
    /// What its wrapper was asked, by us or by a predecessor.
    pub asked: Option<Asked>,
}

/// A worker was asked to cancel its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Why.
    pub reason: StopReason,
    /// How long it has, from when it hears of it.
    pub seconds: u32,
}
