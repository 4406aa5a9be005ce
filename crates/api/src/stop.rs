//! Why one of our programs ends or removes a worker pod.

use strum::{EnumIter, EnumString, IntoStaticStr};

/// Why a worker pod is ended: the value of its annotation [`DELETION_REASON`](crate::labels::DELETION_REASON), written before
/// the deletion, so that a deletion without one is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum StopReason {
    /// GitHub sent a cancellation, or somebody deleted the `RunnerJob`.
    Cancelled,
    /// GitHub no longer knows our claim.
    LockLost,
    /// The registry refuses the image, or its name is malformed.
    ImagePull,
    /// The container cannot be configured, for good.
    ContainerConfig,
    /// The container that installs the wrapper cannot start.
    InstallFailed,
    /// The kubelet refused it before anything ran; its job gets another one.
    NodeRejected,
    /// No node was found for it within the group's `pendingPodDeadline`.
    Unschedulable,
    /// It did not start within the group's `pendingPodDeadline`.
    PendingDeadline,
    /// It outlived the group's `maxWorkerLifetime`.
    LifetimeExceeded,
    /// It ended, and its time on show is over.
    CompletedTtl,
    /// It ended but for a container that runs on.
    Outlived,
    /// No job stands behind it.
    Orphaned,
    /// The gateway is being deleted.
    GatewayDeleted,
}

impl StopReason {
    /// The word that stands on the pod.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The word in the metric of reaped pods, which has a closed list: a pod that was outlived had ended, too, and one for which
    /// no node was found was stuck pending.
    #[must_use]
    pub fn reaped_as(self) -> &'static str {
        match self {
            Self::Outlived => Self::CompletedTtl.as_str(),
            Self::Unschedulable => Self::PendingDeadline.as_str(),
            other => other.as_str(),
        }
    }
}
