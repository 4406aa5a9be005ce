//! Condition types, their reasons, and the one rule by which a condition replaces an older one.

pub mod table;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use strum::{EnumIter, EnumMessage, IntoStaticStr};

/// Types of conditions on all our kinds. The variant's name is the word in the object; what stands above it is when the
/// condition is true, and is what the reference page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, EnumMessage, IntoStaticStr)]
pub enum Type {
    /// Of a gateway: no other condition reports a problem; else it repeats reason and message of the first that does. Of a group: a session listens for jobs.
    Ready,
    /// The tenant's controller has an available replica of the newest spec.
    AGCAvailable,
    /// The Secret of the GitHub App, or the token that it is exchanged for, is unusable. Written by the tenant's controller.
    CredentialUnavailable,
    /// The controller's last reconcile failed.
    Degraded,
    /// A RunnerGroup of the gateway is impaired; the message names the worst.
    RunnerGroupsDegraded,
    /// GitHub has answered polls with 429 for a while.
    RateLimited,
    /// GitHub refuses the runner version that the group reports, or will within two weeks.
    RunnerVersionTooOld,
    /// The last worker ran another runner version than the configured one.
    RunnerVersionMismatch,
    /// Worker pods cannot be placed.
    WorkersUnschedulable,
    /// The API server would take the group's pods, as a dry run of one says. Unknown: it cannot be asked, and jobs are acquired all the same.
    WorkersAdmitted,
    /// The latest worker pod was kept running by a container when its runner had ended. It is ended all the same.
    PossibleReapBlockingSidecar,
    /// GitHub gave the job to this gateway; the message says whether its payload is stored.
    Acquired,
    /// The job's pod was created. Absent while nobody has had to wait for it.
    PodCreated,
    /// The job is complete.
    Complete,
    /// GitHub refuses a call about the job for good; the message has its words. It stays until a person retries or discards it.
    DeadLetter,
}

/// Reasons of conditions. The variant's name is the word in the object; what stands above it is its meaning, and is what
/// the reference page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, EnumMessage, IntoStaticStr)]
pub enum Reason {
    /// The tenant's controller has not renewed its Lease for twice as long as it lasts: what the status said is of that time. Written by the manager.
    ControllerAway,
    /// Every part is available.
    AllAvailable,
    /// An older gateway exists in this namespace; the message names it.
    AnotherGateway,
    /// The gateway is being deleted; the message names the step.
    Terminating,
    /// The controller's Deployment has an available replica.
    AGCReady,
    /// The controller's Deployment has no available replica, or is being rolled out; the message has what hinders its pod.
    AGCNotReady,
    /// A read or write failed; the message has the API server's error.
    ProvisioningFailed,
    /// An object of a child's name has another owner; it is never touched.
    NameConflict,
    /// The spec is invalid; the message names each field.
    InvalidSpec,
    /// The namespace may not hold a gateway.
    NamespaceNotAllowed,
    /// The last reconcile succeeded.
    ReconcileSucceeded,
    /// At least one RunnerGroup is impaired.
    RunnerGroupsImpaired,
    /// No RunnerGroup is impaired.
    AllRunnerGroupsHealthy,
    /// The Secret of `spec.gitHubAppRef`, or a key of it, is absent.
    SecretNotFound,
    /// A value of the Secret does not parse.
    SecretMalformed,
    /// GitHub refused the App's credentials.
    TokenRefused,
    /// GitHub could not be reached, and no token is left.
    GitHubUnreachable,
    /// GitHub issues tokens for the credentials.
    SecretFound,
    /// At least one session listens, and GitHub answers its polls; or none does for less than ten seconds.
    ListenerActive,
    /// No session listens; the message has the last error.
    NoActiveSessions,
    /// GitHub refused the runner labels.
    LabelsRefused,
    /// GitHub does not know the scope or its runner group, or the App may not administer it.
    RunnerGroupNotFound,
    /// There is no installation token.
    TokenUnavailable,
    /// GitHub answered three polls in a row with 429.
    SustainedRateLimit,
    /// Polls are answered.
    PollingHealthy,
    /// GitHub refuses the runner version.
    VersionTooOld,
    /// GitHub accepts the runner version until a date that is near, or past.
    VersionEnding,
    /// The worker's runner version is not the configured one.
    VersionDiffers,
    /// GitHub accepts the runner version; under `RunnerVersionMismatch`, the last worker ran the configured one.
    VersionAccepted,
    /// A dry run of the group's pod passed; jobs are acquired while quotas have room.
    DryRunAccepted,
    /// The API server refuses the group's pod, and no job is acquired; the message has the API server's words, and what to do where that is known.
    PodRefused,
    /// A ResourceQuota has no room for the group's pod; jobs stay queued at GitHub until it has.
    QuotaExceeded,
    /// An admission webhook of the namespace does not support dry runs; jobs are acquired without asking first.
    DryRunUnsupported,
    /// The dry run of the group's pod was not answered; jobs are acquired all the same.
    Unknown,
    /// Worker pods wait for a node; the message has the scheduler's message.
    PodsUnschedulable,
    /// No worker pod waits for a node.
    WorkersSchedulable,
    /// A container that does not end by itself kept a worker pod running; the message names pod and container.
    ReapBlockingSidecar,
    /// No container outlived the runner in the latest worker pod.
    NoReapBlockingSidecar,
    /// GitHub gave the job to this gateway; the message says whether its payload is stored.
    Acquired,
    /// The pod was created; the message names it.
    PodCreated,
    /// A ResourceQuota has no room for the pod or for the payload Secret; the message has the API server's sentence.
    WaitingForQuota,
    /// The API server refused the pod, and a dry run of it has to pass first; the message has the API server's sentence.
    WaitingForAdmission,
    /// The payload Secret is not stored; the message has the error, if there was an answer.
    WaitingForSecret,
    /// The API server gave no usable answer to the POST of the pod; the message has the error, if there was one.
    WaitingForPod,
    /// The job is being acquired.
    Acquiring,
    /// GitHub assigned the job, and its answer was lost.
    ClaimLost,
    /// The worker pod was created, and something has hindered its start for a while; the message has container and cause.
    WaitingToStart,
    /// A node rejected the worker pod before anything ran; the message has the kubelet's words, and the job gets another pod.
    NodeRejected,
    /// The job is not complete.
    Running,
    /// The job is over, and is to be run again once its run is over.
    AwaitingRerun,
    /// GitHub refuses to re-run the failed jobs of the run.
    RerunRefused,
    /// A person had the call made again, and GitHub took it.
    Retried,
    /// A person gave the call up.
    Discarded,
}

impl Type {
    /// The word in the object.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// When it is true.
    pub fn meaning(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}

impl Reason {
    /// The word in the object.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What it says.
    pub fn meaning(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
pub enum Status {
    /// What the type says holds.
    True,
    /// It does not hold.
    False,
    /// Whoever writes it cannot say.
    Unknown,
}

impl Status {
    /// The word in the object.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition as of `generation`; its transition time is [`settle`]'s business.
pub fn condition(
    type_: Type,
    status: impl Into<Status>,
    reason: impl Into<String>,
    message: impl Into<String>,
    generation: Option<i64>,
) -> Condition {
    Condition {
        type_: type_.as_str().to_owned(),
        status: status.into().as_str().to_owned(),
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
