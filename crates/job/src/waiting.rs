//! What a job waits for that is acquired and has no pod.

use api::FailureReason;

/// What stands between an acquired job and its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumIter)]
pub enum Waiting {
    /// A ResourceQuota has no room for the pod, or for the payload Secret.
    Quota,
    /// The API server refused the pod: a dry run of it has to pass first.
    Admission,
    /// The payload Secret is not stored.
    Secret,
    /// The API server gave no usable answer to the POST of the pod, or none yet.
    Pod,
}

impl Waiting {
    /// Why a job failed that waited for this until the end.
    #[must_use]
    pub fn failure(self) -> FailureReason {
        match self {
            Self::Quota => FailureReason::QuotaRejected,
            Self::Admission => FailureReason::PodRefused,
            Self::Secret | Self::Pod => FailureReason::PodNotCreated,
        }
    }
}
