//! Condition types, their reasons, and the one rule by which a condition replaces an older one.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use strum::{EnumIter, IntoStaticStr};

/// Types of conditions on all our kinds. The variant's name is the word in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum Type {
    /// Everything below is well.
    Ready,
    /// The tenant's controller has an available replica.
    AGCAvailable,
    /// The App Secret, or the token it buys, is unusable. Written by the AGC.
    CredentialUnavailable,
    /// A pass of the controller failed.
    Degraded,
    /// A RunnerGroup of the gateway is impaired.
    RunnerGroupsDegraded,
    /// GitHub has answered 429 for a while.
    RateLimited,
    /// GitHub refuses the runner version that we report, or will within two weeks.
    RunnerVersionTooOld,
    /// The last worker ran another runner version than the configured one.
    RunnerVersionMismatch,
    /// Worker pods cannot be placed.
    WorkersUnschedulable,
    /// The job is ours: its payload is stored.
    Acquired,
    /// The job is over.
    Complete,
}

/// Reasons of conditions. The variant's name is the word in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum Reason {
    /// Ready: every part is available.
    AllAvailable,
    /// Ready is false: an older gateway stands in this namespace.
    AnotherGateway,
    /// Ready is false: the gateway is being taken down; the message names the step.
    Terminating,
    /// The AGC Deployment has an available replica.
    AGCReady,
    /// The AGC Deployment has no available replica.
    AGCNotReady,
    /// A child could not be written.
    ProvisioningFailed,
    /// An object of a child's name belongs to somebody else.
    NameConflict,
    /// The spec cannot be honoured.
    InvalidSpec,
    /// The namespace may not hold a gateway.
    NamespaceNotAllowed,
    /// The last pass went through.
    ReconcileSucceeded,
    /// At least one RunnerGroup is impaired.
    RunnerGroupsImpaired,
    /// No RunnerGroup is impaired.
    AllRunnerGroupsHealthy,
    /// The Secret of `gitHubAppRef` is absent.
    SecretNotFound,
    /// The Secret lacks a key, or a value does not parse.
    SecretMalformed,
    /// GitHub refused the App's credentials.
    TokenRefused,
    /// GitHub could not be reached.
    GitHubUnreachable,
    /// The credentials bought a token.
    SecretFound,
    /// At least one session listens.
    ListenerActive,
    /// No session listens.
    NoActiveSessions,
    /// GitHub refused the runner labels.
    LabelsRefused,
    /// GitHub does not know the scope or its runner group.
    RunnerGroupNotFound,
    /// No installation token can be had.
    TokenUnavailable,
    /// 429 answers persist.
    SustainedRateLimit,
    /// Polls are answered.
    PollingHealthy,
    /// GitHub refuses the runner version.
    VersionTooOld,
    /// GitHub takes the runner version until a date that is near.
    VersionEnding,
    /// Worker and configuration name two runner versions.
    VersionDiffers,
    /// The runner version is taken.
    VersionAccepted,
    /// Worker pods wait for a node.
    PodsUnschedulable,
    /// Worker pods are placed.
    WorkersSchedulable,
    /// The job's payload is stored.
    Acquired,
    /// The claim is under way.
    Acquiring,
    /// The claim was made and its answer lost.
    ClaimLost,
    /// The job runs.
    Running,
}

impl Type {
    /// The word in the object.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Reason {
    /// The word in the object.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A condition that is true or false as of `generation`; its transition time is [`settle`]'s business.
pub fn condition(
    type_: Type,
    status: bool,
    reason: impl Into<String>,
    message: impl Into<String>,
    generation: Option<i64>,
) -> Condition {
    Condition {
        type_: type_.as_str().to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: reason.into(),
        message: message.into(),
        observed_generation: generation,
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.as_str().to_owned()
    }
}

/// Gives `new` the transition time of the condition that it replaces when the answer is the same, else `now`.
///
/// So an unchanged condition is a write that changes nothing (Kubernetes API conventions, "Typical status
/// properties").
pub fn settle(old: &[Condition], mut new: Condition, now: Timestamp) -> Condition {
    let same = old.iter().find(|it| it.type_ == new.type_ && it.status == new.status);
    new.last_transition_time = same.map_or(Time(now), |it| it.last_transition_time.clone());
    new
}

/// The condition of that type.
pub fn find(conditions: &[Condition], type_: Type) -> Option<&Condition> {
    conditions.iter().find(|it| it.type_ == type_.as_str())
}

/// Whether the condition of that type is there and true.
pub fn is_true(conditions: &[Condition], type_: Type) -> bool {
    find(conditions, type_).is_some_and(|it| it.status == "True")
}

#[cfg(test)]
mod tests;
