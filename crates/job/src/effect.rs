//! What must be done about an event. The machine does none of it.

use jiff::{SignedDuration, Timestamp};

use crate::outcome::Outcome;
use api::{FailureReason, StopReason};

/// Something to do. The W, X and R numbers are those of the job's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Count the job against its group's ceiling.
    TakeSlot,
    /// Stop counting it.
    ReleaseSlot,
    /// W1: POST the `RunnerJob`.
    Record,
    /// X1: claim the job.
    Acquire,
    /// R5: ask whether the agent is busy, which says whether an unanswered claim was granted.
    CheckAgent,
    /// W2: POST the payload Secret.
    StorePayload,
    /// X2: extend the lock.
    Renew,
    /// W3: POST the pod.
    CreatePod,
    /// W4: PATCH the status, `Acquired`.
    WriteAcquired,
    /// W5: PATCH the status, `Running`.
    WriteRunning,
    /// Stamp the pod with the reason, and ask its wrapper to cancel the job within so many seconds.
    AskToCancel(StopReason, u32),
    /// Stamp the pod with the reason, then DELETE it: with this grace in seconds, or its own.
    StopWorker(StopReason, Option<u32>),
    /// Take one step of the settlement.
    Settle(Step),
    /// DELETE a `RunnerJob` whose offer was not ours.
    DeleteRecord,
    /// Take our finalizer off a `RunnerJob` that somebody deleted.
    ReleaseRecord,
    /// Send [`Event::Due`](crate::Event::Due) at this time.
    Wake(Timer, Timestamp),
    /// Tell the world.
    Report(Fact),
}

/// What is left to write once a job is over. Each bears repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// X3: tell GitHub what the runner could not tell, while the lock still holds.
    TellGitHub(Unreported),
    /// W6: PATCH the status, `Complete`.
    WriteComplete,
    /// W7: DELETE the payload Secret.
    DeletePayload,
    /// R3 and W8: give the agent its next generation.
    ReplaceAgent,
    /// W9: take our finalizer off the pod.
    ReleasePod,
}

/// What GitHub has not heard of the end of a job that is still ours there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unreported {
    /// The runner began, or may have, and left no result.
    Died,
    /// Nothing of the job ever ran.
    NeverStarted,
}

/// What a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The next X1.
    Acquire,
    /// The next R5.
    CheckAgent,
    /// The next W2.
    StorePayload,
    /// The next W3.
    CreatePod,
    /// The next X2.
    Renew,
    /// W5, if the job still runs.
    MarkRunning,
    /// The end of patience with a pod that does not start.
    Pending,
    /// The end of patience with a container that cannot start.
    StartFailure,
    /// The end of patience with a job that outlives its time.
    Lifetime,
    /// The end of patience with a worker that was asked to cancel its job.
    Cancel,
    /// The end of patience with a pod that should be gone.
    Vanish,
}

/// What metrics, Events, log lines and spans are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The job is claimed.
    Acquired,
    /// The offer was not ours, or could not be claimed.
    NotAcquired(NotAcquired),
    /// A node was found for the pod, this long after the claim.
    Scheduled(SignedDuration),
    /// The `runner` container runs, this long after the claim.
    Started(SignedDuration),
    /// A renewal failed.
    RenewFailed,
    /// The pod was refused for quota, and will be tried again.
    QuotaRefused,
    /// We end the worker.
    Stopping(StopReason),
    /// The job is over, this long after the claim.
    Finished(Outcome, SignedDuration),
    /// Nothing is left to write.
    Settled,
}

/// Why a claim did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAcquired {
    /// No room: left queued.
    Declined,
    /// GitHub refused.
    Refused,
    /// No answer in five attempts, or the intent could not be written.
    Failed,
}

impl Fact {
    /// The failure reason in it, if any.
    #[must_use]
    pub fn failure(&self) -> Option<FailureReason> {
        match self {
            Self::Finished(outcome, _) => outcome.reason,
            _ => None,
        }
    }
}
