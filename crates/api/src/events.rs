//! Kubernetes Events: which there are, about what, how each is meant, and what was being done.

use strum::{EnumIter, EnumMessage, EnumString, IntoStaticStr};

use crate::Kind;

/// Reasons of Events. The variant's name is the word in the object; what stands above it is when it is published, and is
/// what the reference page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, EnumMessage, EnumString, IntoStaticStr)]
pub enum Reason {
    /// It became ready.
    Ready,
    /// It is not ready: the note has reason and message of condition `Ready`.
    NotReady,
    /// It is being taken down; the note names the step.
    Terminating,
    /// Workers did not end within 90 s of the gateway's deletion and were deleted.
    WorkerDrainTimeout,
    /// No controller was left to unregister the runners of the groups that the note names: remove the offline ones at GitHub.
    TeardownIncomplete,
    /// The group was deleted and runners stay registered at GitHub: the note has name, id and why.
    AgentDeregistrationFailed,
    /// The API server did not take a worker's pod, or the Secret with its payload; it is tried again.
    WorkerPodCreateFailed,
    /// A worker's pod did not start within `spec.pendingPodDeadline`; its job is reported as failed.
    WorkerPodStuckPending,
    /// A worker's pod outlived `spec.maxWorkerLifetime` and is stopped.
    WorkerPodLifetimeExceeded,
    /// The API server refuses the group's pods: its words, and what to do. No job is acquired until a dry run passes.
    WorkerPodsRefused,
    /// A ResourceQuota has no room for one more worker; the note has quota, resource and numbers. Jobs stay queued.
    WorkerQuotaReached,
    /// The group has as many workers as it may have; jobs stay queued until one ends.
    WorkerCeilingReached,
    /// GitHub stops giving jobs to the reported runner version soon: version, date, what to change. Once a day.
    RunnerVersionEnding,
    /// The job has been acquired for two seconds or longer and has no pod: the note has the API server's sentence, and what comes next. Again when it waits for something else.
    JobWaiting,
    /// Something has hindered the start of the job's worker pod for a while: container and cause. Once for each kind of cause.
    WorkerPodNotStarting,
    /// A node rejected the job's worker pod before anything ran: the kubelet's words. The job gets another pod.
    WorkerPodRejected,
    /// The job failed otherwise than by its own doing: its name, the failure reason, meaning and remedy, and what the API server or the kubelet says.
    JobFailed,
    /// The same for failure reason `claim_lost`.
    JobClaimLost,
}

/// How an Event is meant: its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody should know.
    Warning,
}

/// What was being done: the Event's `action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
pub enum Action {
    /// A gateway is brought to what its spec says.
    Reconcile,
    /// A deleted gateway is taken down.
    TakeDown,
    /// A deleted group is cleaned up.
    Cleanup,
    /// It is decided whether one more job may be acquired.
    Admit,
    /// A job is given its worker, and followed to its end.
    ProvisionWorker,
    /// Worker pods that took too long are ended.
    ReapWorkerPods,
    /// Something is said that nobody did.
    Report,
}

impl Reason {
    /// The word in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// When it is published.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }

    /// What it is about.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Ready
            | Self::NotReady
            | Self::Terminating
            | Self::WorkerDrainTimeout
            | Self::TeardownIncomplete => Kind::ActionsGateway,
            Self::AgentDeregistrationFailed
            | Self::WorkerPodCreateFailed
            | Self::WorkerPodStuckPending
            | Self::WorkerPodLifetimeExceeded
            | Self::WorkerPodsRefused
            | Self::WorkerQuotaReached
            | Self::WorkerCeilingReached
            | Self::RunnerVersionEnding => Kind::RunnerGroup,
            Self::JobWaiting
            | Self::WorkerPodNotStarting
            | Self::WorkerPodRejected
            | Self::JobFailed
            | Self::JobClaimLost => Kind::RunnerJob,
        }
    }

    /// How it is meant.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Ready | Self::Terminating | Self::WorkerCeilingReached => Severity::Normal,
            Self::NotReady
            | Self::WorkerDrainTimeout
            | Self::TeardownIncomplete
            | Self::AgentDeregistrationFailed
            | Self::WorkerPodCreateFailed
            | Self::WorkerPodStuckPending
            | Self::WorkerPodLifetimeExceeded
            | Self::WorkerPodsRefused
            | Self::WorkerQuotaReached
            | Self::RunnerVersionEnding
            | Self::JobWaiting
            | Self::WorkerPodNotStarting
            | Self::WorkerPodRejected
            | Self::JobFailed
            | Self::JobClaimLost => Severity::Warning,
        }
    }

    /// What was being done.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Self::Ready | Self::NotReady | Self::Terminating => Action::Reconcile,
            Self::WorkerDrainTimeout | Self::TeardownIncomplete => Action::TakeDown,
            Self::AgentDeregistrationFailed => Action::Cleanup,
            Self::WorkerPodCreateFailed
            | Self::JobWaiting
            | Self::WorkerPodNotStarting
            | Self::WorkerPodRejected
            | Self::JobFailed
            | Self::JobClaimLost => Action::ProvisionWorker,
            Self::WorkerPodStuckPending | Self::WorkerPodLifetimeExceeded => Action::ReapWorkerPods,
            Self::WorkerPodsRefused | Self::WorkerQuotaReached | Self::WorkerCeilingReached => Action::Admit,
            Self::RunnerVersionEnding => Action::Report,
        }
    }
}

impl Severity {
    /// The word in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Action {
    /// The word in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
