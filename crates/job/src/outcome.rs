//! How a job ended, and whose fault it was: from the worker's report, the container's state and what the cluster did.

use api::runner_job::JobResult;
use api::{FailureClass, FailureReason, StopReason};
use jiff::Timestamp;

/// The end of a job: what a `RunnerJob`'s `Complete` condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What came of it.
    pub result: JobResult,
    /// Why, when it did not fail by its own doing.
    pub reason: Option<FailureReason>,
    /// Exit code of the `runner` container, when one ran.
    pub exit_code: Option<i32>,
}

impl Outcome {
    /// A failure of the platform's or the tenant's making.
    #[must_use]
    pub fn failed(reason: FailureReason) -> Self {
        Self { result: JobResult::Failed, reason: Some(reason), exit_code: None }
    }

    /// Ended on request before anything ran.
    #[must_use]
    pub fn cancelled() -> Self {
        Self { result: JobResult::Cancelled, reason: Some(FailureReason::Cancelled), exit_code: None }
    }

    /// Another claim of the same job runs it.
    #[must_use]
    pub fn duplicate() -> Self {
        Self { result: JobResult::Duplicate, reason: None, exit_code: None }
    }

    /// Who can mend it; `None` when there is nothing to mend outside the job.
    #[must_use]
    pub fn class(&self) -> Option<FailureClass> {
        self.reason.map(FailureReason::class)
    }

    /// The reason of the `Complete` condition: the failure reason, else the result.
    #[must_use]
    pub fn condition_reason(&self) -> String {
        match (self.result, self.reason) {
            (JobResult::Failed, Some(reason)) => reason.pascal_case(),
            (JobResult::Succeeded, _) => "Succeeded".to_owned(),
            (JobResult::Failed, None) => "Failed".to_owned(),
            (JobResult::Cancelled, _) => "Cancelled".to_owned(),
            (JobResult::Skipped, _) => "Skipped".to_owned(),
            (JobResult::Duplicate, _) => "Duplicate".to_owned(),
        }
    }
}

/// What the worker's termination report says, as far as the outcome needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The runner carried the job to its end and told GitHub so.
    Concluded {
        /// What the runner told.
        result: JobResult,
        /// Processes of the container that the kernel killed for memory.
        oom_kills: u64,
    },
    /// The runner was told to shut down, and told GitHub that the job failed of it.
    ShutDown {
        /// Processes of the container that the kernel killed for memory.
        oom_kills: u64,
    },
    /// The runner died or gave no result.
    RunnerDied {
        /// Processes of the container that the kernel killed for memory.
        oom_kills: u64,
    },
    /// The wrapper could not hand the job over.
    WrapperFailed,
    /// There is none, or it cannot be read.
    Missing,
}

impl Report {
    /// Whether the runner told GitHub how the job ended.
    pub(crate) fn reached_github(self) -> bool {
        match self {
            Self::Concluded { .. } | Self::ShutDown { .. } => true,
            Self::RunnerDied { .. } | Self::WrapperFailed | Self::Missing => false,
        }
    }
}

/// Why the cluster ends a pod, as its `DisruptionTarget` condition or its status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter)]
pub enum Disruption {
    /// A more important pod needs the room.
    Preempted,
    /// The eviction API: a drain.
    Drained,
    /// The node is lost or tainted.
    NodeLost,
    /// The kubelet: memory pressure.
    EvictedMemory,
    /// The kubelet: disk pressure.
    EvictedDisk,
    /// The kubelet: another pressure, or a node that shuts down.
    EvictedOther,
}

impl Disruption {
    fn reason(self) -> FailureReason {
        match self {
            Self::Preempted => FailureReason::Preempted,
            Self::Drained => FailureReason::Drained,
            Self::NodeLost => FailureReason::NodeLost,
            Self::EvictedMemory => FailureReason::EvictedMemory,
            Self::EvictedDisk => FailureReason::EvictedDisk,
            Self::EvictedOther => FailureReason::EvictedOther,
        }
    }
}

/// An init container that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter)]
pub enum FailedInit {
    /// Ours, which installs the wrapper.
    Install,
    /// One of the template.
    Template,
}

/// Everything a pod's end says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// When the `runner` container ended, or when the end was seen.
    pub at: Timestamp,
    /// Exit code of the `runner` container.
    pub exit_code: Option<i32>,
    /// Whether the kernel killed the container's first process for memory.
    pub oom_killed: bool,
    /// Whether the `runner` container's program could not be executed.
    pub cannot_run: bool,
    /// Which init container failed, so that the runner never started.
    pub failed_init: Option<FailedInit>,
    /// Whether the kubelet refused the pod that it was given: certainly nothing ran.
    pub rejected: bool,
    /// Whether the kubelet ended the pod for its `activeDeadlineSeconds`.
    pub deadline_exceeded: bool,
    /// The worker's own report.
    pub report: Report,
    /// What the cluster did to the pod.
    pub disruption: Option<Disruption>,
    /// Whether a deletion was asked for before the container ended.
    pub deletion_requested: bool,
    /// Our stamp, when the deletion was ours.
    pub stamp: Option<StopReason>,
}

impl Ending {
    /// A pod that is gone, or will never say more.
    #[must_use]
    pub fn vanished(at: Timestamp) -> Self {
        Self {
            at,
            exit_code: None,
            oom_killed: false,
            cannot_run: false,
            failed_init: None,
            rejected: false,
            deadline_exceeded: false,
            report: Report::Missing,
            disruption: None,
            deletion_requested: true,
            stamp: None,
        }
    }

    /// Judges the end. What the runner concluded counts first, because GitHub has heard the same; then our own stamp,
    /// then the cluster, then what the container's remains tell.
    #[must_use]
    pub fn conclude(&self) -> Outcome {
        let (result, reason) = self.verdict();
        Outcome { result, reason, exit_code: self.exit_code }
    }

    fn verdict(&self) -> (JobResult, Option<FailureReason>) {
        match self.report {
            Report::Concluded { result: JobResult::Cancelled, .. } => {
                self.interruption().unwrap_or_else(|| stopped(StopReason::Cancelled))
            }
            Report::Concluded { result: JobResult::Failed, oom_kills: 1.. } => {
                failed(FailureReason::OomSubprocess)
            }
            Report::Concluded { result, .. } => (result, None),
            _ if self.oom_killed => failed(FailureReason::OomKilled),
            Report::RunnerDied { oom_kills: 1.. } | Report::ShutDown { oom_kills: 1.. } => {
                failed(FailureReason::OomSubprocess)
            }
            report => self.interruption().unwrap_or_else(|| failed(self.fault(report))),
        }
    }

    /// What ended the pod from outside, if anything did.
    fn interruption(&self) -> Option<(JobResult, Option<FailureReason>)> {
        if let Some(stamp) = self.stamp {
            return Some(stopped(stamp));
        }
        if self.deadline_exceeded {
            return Some(failed(FailureReason::LifetimeExceeded));
        }
        if self.rejected {
            return Some(failed(FailureReason::NodeRejected));
        }
        if let Some(disruption) = self.disruption {
            return Some(failed(disruption.reason()));
        }
        self.deletion_requested.then(|| failed(FailureReason::PodDeleted))
    }

    /// What broke when nothing outside the pod did it.
    fn fault(&self, report: Report) -> FailureReason {
        match report {
            // Nothing of the pod says why the kubelet stopped it: a node that shuts down.
            Report::ShutDown { .. } => FailureReason::EvictedOther,
            Report::RunnerDied { .. } => FailureReason::RunnerError,
            Report::WrapperFailed => FailureReason::WrapperError,
            _ if self.cannot_run => FailureReason::ContainerConfig,
            _ if self.exit_code.is_some() => FailureReason::WrapperError,
            _ => match self.failed_init {
                Some(FailedInit::Install) => FailureReason::WrapperError,
                Some(FailedInit::Template) => FailureReason::InitContainerFailed,
                None => FailureReason::Unknown,
            },
        }
    }
}

/// What a job that was stopped for this comes to, when its worker did not get to say more.
pub(crate) fn stopped(reason: StopReason) -> (JobResult, Option<FailureReason>) {
    match reason {
        StopReason::Cancelled | StopReason::GatewayDeleted => {
            (JobResult::Cancelled, Some(FailureReason::Cancelled))
        }
        StopReason::LockLost => failed(FailureReason::LockLost),
        StopReason::ImagePull => failed(FailureReason::ImagePull),
        StopReason::ContainerConfig => failed(FailureReason::ContainerConfig),
        StopReason::InstallFailed => failed(FailureReason::WrapperError),
        StopReason::NodeRejected => failed(FailureReason::NodeRejected),
        StopReason::Unschedulable => failed(FailureReason::Unschedulable),
        StopReason::PendingDeadline => failed(FailureReason::PendingDeadline),
        StopReason::LifetimeExceeded => failed(FailureReason::LifetimeExceeded),
        StopReason::CompletedTtl | StopReason::Outlived | StopReason::Orphaned => {
            failed(FailureReason::PodDeleted)
        }
    }
}

fn failed(reason: FailureReason) -> (JobResult, Option<FailureReason>) {
    (JobResult::Failed, Some(reason))
}

#[cfg(test)]
mod tests;
