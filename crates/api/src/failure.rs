//! Why a job failed that did not fail by its own doing: the closed list of words that stand in status, annotation, metric,
//! Event, log line and span, and who can mend each.

mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, EnumString, IntoStaticStr};

/// Why a job failed that did not fail by its own doing. A closed set: a plain test failure has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "`meaning` and `remedy` say it, and docs/reference/failure-reasons.md")]
pub enum FailureReason {
    OomKilled,
    OomSubprocess,
    EvictedMemory,
    EvictedDisk,
    EvictedOther,
    Preempted,
    NodeLost,
    Drained,
    PodDeleted,
    Unschedulable,
    NodeRejected,
    ImagePull,
    ContainerConfig,
    InitContainerFailed,
    QuotaRejected,
    PodRefused,
    PodNotCreated,
    PendingDeadline,
    LifetimeExceeded,
    LockLost,
    WrapperError,
    RunnerError,
    Cancelled,
    ClaimLost,
    PayloadTooLarge,
    Unknown,
}

/// Who can mend it: `User` is the workflow's author or the tenant, `Infra` whoever runs the cluster or the gateway.
#[derive(
    Serialize,
    Deserialize,
    JsonSchema,
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the names are the documentation; doc comments would reorder the schema's enum"
)]
pub enum FailureClass {
    User,
    Infra,
}

impl FailureClass {
    /// The word that stands in status, metric and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl FailureReason {
    /// The word that stands in status, annotation, metric, Event, log and span.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The word in the form that condition and Event reasons have.
    #[must_use]
    pub fn pascal_case(self) -> String {
        self.as_str().split('_').map(capitalised).collect()
    }

    /// Who can mend it.
    #[must_use]
    pub fn class(self) -> FailureClass {
        match self {
            Self::OomKilled
            | Self::OomSubprocess
            | Self::ImagePull
            | Self::ContainerConfig
            | Self::InitContainerFailed
            | Self::PodRefused
            | Self::LifetimeExceeded
            | Self::Cancelled
            | Self::PayloadTooLarge => FailureClass::User,
            Self::EvictedMemory
            | Self::EvictedDisk
            | Self::EvictedOther
            | Self::Preempted
            | Self::NodeLost
            | Self::Drained
            | Self::PodDeleted
            | Self::Unschedulable
            | Self::NodeRejected
            | Self::QuotaRejected
            | Self::PodNotCreated
            | Self::PendingDeadline
            | Self::LockLost
            | Self::WrapperError
            | Self::RunnerError
            | Self::ClaimLost
            | Self::Unknown => FailureClass::Infra,
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + rest.as_str())
}

#[cfg(test)]
mod tests;
