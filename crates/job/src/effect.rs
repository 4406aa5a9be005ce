//! What must be done about an event. The machine does none of it.

use jiff::{SignedDuration, Timestamp};

use crate::outcome::Outcome;
use crate::waiting::Waiting;
use api::StopReason;

/// Something to do, by who does it. The W, X and R numbers are those of the job's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The account of the group's jobs changes.
    Slot(Slot),
    /// GitHub is called.
    Call(Call),
    /// The API server is asked for a write, in order with the job's other writes.
    Write(Write),
    /// [`Event::Due`](crate::Event::Due) comes at this time.
    Wake(Timer, Timestamp),
    /// The agent that the job was offered to has something else to do.
    Agent(Agent),
    /// Metrics, Events, log lines and spans say so.
    Report(Fact),
}

/// What happens to the account of a group's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The job counts against the group's ceiling.
    Take,
    /// It counts no more.
    GiveBack,
    /// GitHub refused to let it be acquired: the group holds back, longer each time.
    Throttle,
    /// GitHub let it be acquired: the group holds back no more.
    Unthrottle,
    /// The API server does not take the group's pods: nothing is acquired until a dry run passes.
    Break,
}

/// A call to GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// X1: acquire the job.
    AcquireJob,
    /// R5: look at the runner. That it is busy says that an unanswered X1 was granted.
    GetRunner,
    /// X2: extend the lock.
    RenewJob,
    /// X3: say what the runner could not say, while the lock still holds.
    CompleteJob(Unreported),
    /// J1: queue the failed jobs of the run once more.
    RerunFailedJobs,
}

/// A write to the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// W1: POST the `RunnerJob`.
    CreateRunnerJob,
    /// W2: POST the payload Secret.
    CreatePayload,
    /// W3: POST the pod.
    CreatePod,
    /// PATCH the status of a job that gets no pod: which job it is, and what it waits for.
    PatchWaiting,
    /// W4: PATCH the status, `Acquired`.
    PatchAcquired,
    /// PATCH the status of a job whose pod does not start: what hinders it, or that nothing does any more.
    PatchHindrance,
    /// PATCH the status of a job whose pod a node rejected: which one that was. It gets another.
    PatchRejected,
    /// Write on that pod why, DELETE it, and take our finalizer off.
    RemoveRejectedPod,
    /// W5: PATCH the status, `Running`.
    PatchRunning,
    /// W6: PATCH the status, with how the job ended, while it is to be run again.
    PatchAwaitingRerun,
    /// W6: PATCH the status, `Complete`.
    PatchComplete,
    /// W7: DELETE the payload Secret.
    DeletePayload,
    /// W9: take our finalizer off the pod.
    ReleasePod,
    /// Write the reason on the pod, and ask its wrapper to cancel the job within so many seconds.
    AskToCancel(StopReason, u32),
    /// Write the reason on the pod, then DELETE it: with this grace in seconds, or its own.
    DeletePod(StopReason, Option<u32>),
    /// DELETE the pod that may have come of an unanswered W3, our finalizer off.
    RemovePod,
    /// DELETE a `RunnerJob` whose offer was not ours.
    DeleteRunnerJob,
    /// Take our finalizer off a `RunnerJob` that somebody deleted.
    ReleaseRunnerJob,
}

/// What the agent does next that the job was offered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// The job is acquired: its session polls on as `Busy`, for a cancellation.
    Keep,
    /// The job is not acquired: it listens on.
    Release,
    /// R3 and W8: the job is over, and its place gets the next generation.
    Replace,
}

impl From<Call> for Effect {
    fn from(call: Call) -> Self {
        Self::Call(call)
    }
}

impl From<Write> for Effect {
    fn from(write: Write) -> Self {
        Self::Write(write)
    }
}

/// What is left to do once a job is over. Each bears repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// X3: tell GitHub what the runner could not tell, while the lock still holds.
    CompleteJob(Unreported),
    /// W6: PATCH the status, with how the job ended, while it is to be run again.
    PatchAwaitingRerun,
    /// J1: have GitHub queue the failed jobs of the run once more. It does so only once the whole run is over.
    RerunFailedJobs,
    /// W6: PATCH the status, `Complete`.
    PatchComplete,
    /// W7: DELETE the payload Secret.
    DeletePayload,
    /// DELETE the pod that may have come of an unanswered W3: by now it finds no payload to start with.
    RemovePod,
    /// R3 and W8: give the agent its next generation.
    ReplaceAgent,
    /// W9: take our finalizer off the pod.
    ReleasePod,
}

/// A call to GitHub that is kept when it is refused, until a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kept {
    /// J1: to have the failed jobs of the run queued once more.
    RerunFailedJobs,
}

impl From<Kept> for Step {
    fn from(call: Kept) -> Self {
        match call {
            Kept::RerunFailedJobs => Self::RerunFailedJobs,
        }
    }
}

impl Step {
    /// The call that is kept when this step is refused. X3 is none: it has a deadline, the lock's end, and what comes after
    /// it comes in any case.
    #[must_use]
    pub fn kept(self) -> Option<Kept> {
        match self {
            Self::RerunFailedJobs => Some(Kept::RerunFailedJobs),
            Self::CompleteJob(_)
            | Self::PatchAwaitingRerun
            | Self::PatchComplete
            | Self::DeletePayload
            | Self::RemovePod
            | Self::ReplaceAgent
            | Self::ReleasePod => None,
        }
    }

    /// What takes it.
    #[must_use]
    pub fn effect(self) -> Effect {
        match self {
            Self::CompleteJob(what) => Effect::Call(Call::CompleteJob(what)),
            Self::PatchAwaitingRerun => Effect::Write(Write::PatchAwaitingRerun),
            Self::RerunFailedJobs => Effect::Call(Call::RerunFailedJobs),
            Self::PatchComplete => Effect::Write(Write::PatchComplete),
            Self::DeletePayload => Effect::Write(Write::DeletePayload),
            Self::RemovePod => Effect::Write(Write::RemovePod),
            Self::ReplaceAgent => Effect::Agent(Agent::Replace),
            Self::ReleasePod => Effect::Write(Write::ReleasePod),
        }
    }
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
    /// What a job without a pod waits for is said.
    TellWaiting,
    /// The end of patience with a job that gets no pod.
    Placing,
    /// The next X2.
    Renew,
    /// W5, if the job still runs.
    MarkRunning,
    /// The end of patience with a pod that does not start.
    Pending,
    /// The end of patience with a container that cannot start.
    StartFailure,
    /// What hinders the start of a pod is said.
    TellHindrance,
    /// The end of patience with a job that outlives its time.
    Lifetime,
    /// The end of patience with a worker that was asked to cancel its job.
    Cancel,
    /// The end of patience with a pod that should be gone.
    Vanish,
    /// A step of the settlement that was put off.
    Step,
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
    /// Something has hindered the start of the pod for a while.
    Hindered,
    /// A node rejected the pod before anything ran; the job gets another one.
    PodRejected,
    /// A renewal failed.
    RenewFailed,
    /// The API server did not take the pod or its Secret, and will be asked again.
    NotPlaced(Waiting),
    /// The job waits for its pod, and for this: once it has lasted, and again when it is something else.
    Waiting(Waiting),
    /// We end the worker.
    Stopping(StopReason),
    /// The job is over, this long after the claim.
    Finished(Outcome, SignedDuration),
    /// Nothing is left to write, but GitHub refuses this call: a person decides.
    Refused(Kept),
    /// Nothing is left to write.
    Settled,
}

/// Why a job that was offered is not acquired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAcquired {
    /// GitHub refused.
    Refused,
    /// No answer in five attempts, or its `RunnerJob` could not be written.
    Failed,
}
