//! Which condition stands on which kind, with which reasons, and what makes it stand otherwise.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Reason, Type};
use crate::Kind;

/// A condition on a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its type.
    pub type_: Type,
    /// Whose condition it is.
    pub kind: Kind,
    /// Why it is True. None where the words are those of a job's end: `Complete`.
    pub when_true: &'static [Reason],
    /// Why it is False.
    pub when_false: &'static [Reason],
    /// Why it is Unknown, where whoever writes it can be unable to say.
    pub when_unknown: &'static [Reason],
    /// What ends a state that is a fault, or what ends the wait.
    pub cleared_by: &'static str,
}

/// All conditions, in the order of the types.
pub const TABLE: &[Row] = &[
    Row {
        type_: Type::Ready,
        kind: Kind::ActionsGateway,
        when_true: &[Reason::AllAvailable],
        when_false: &[
            Reason::AnotherGateway,
            Reason::Terminating,
            Reason::NamespaceNotAllowed,
            Reason::InvalidSpec,
            Reason::NameConflict,
            Reason::ProvisioningFailed,
            Reason::SecretNotFound,
            Reason::SecretMalformed,
            Reason::TokenRefused,
            Reason::GitHubUnreachable,
            Reason::AGCNotReady,
            Reason::RunnerGroupsImpaired,
        ],
        when_unknown: &[Reason::ControllerAway],
        cleared_by: "what clears the condition that it repeats",
    },
    Row {
        type_: Type::Ready,
        kind: Kind::RunnerGroup,
        when_true: &[Reason::ListenerActive],
        when_false: &[
            Reason::NoActiveSessions,
            Reason::LabelsRefused,
            Reason::RunnerGroupNotFound,
            Reason::TokenUnavailable,
            Reason::PodRefused,
        ],
        when_unknown: &[Reason::ControllerAway],
        cleared_by: "the next session; the controller, when it is there again",
    },
    Row {
        type_: Type::AGCAvailable,
        kind: Kind::ActionsGateway,
        when_true: &[Reason::AGCReady],
        when_false: &[Reason::AGCNotReady],
        when_unknown: &[],
        cleared_by: "an available replica",
    },
    Row {
        type_: Type::CredentialUnavailable,
        kind: Kind::ActionsGateway,
        when_true: &[
            Reason::SecretNotFound,
            Reason::SecretMalformed,
            Reason::TokenRefused,
            Reason::GitHubUnreachable,
        ],
        when_false: &[Reason::SecretFound],
        when_unknown: &[],
        cleared_by: "the next token",
    },
    Row {
        type_: Type::Degraded,
        kind: Kind::ActionsGateway,
        when_true: &[
            Reason::AnotherGateway,
            Reason::NamespaceNotAllowed,
            Reason::InvalidSpec,
            Reason::NameConflict,
            Reason::ProvisioningFailed,
        ],
        when_false: &[Reason::ReconcileSucceeded],
        when_unknown: &[],
        cleared_by: "a pass that goes through",
    },
    Row {
        type_: Type::Degraded,
        kind: Kind::RunnerGroup,
        when_true: &[Reason::InvalidSpec],
        when_false: &[Reason::ReconcileSucceeded],
        when_unknown: &[],
        cleared_by: "an edit of the spec",
    },
    Row {
        type_: Type::RunnerGroupsDegraded,
        kind: Kind::ActionsGateway,
        when_true: &[Reason::RunnerGroupsImpaired],
        when_false: &[Reason::AllRunnerGroupsHealthy],
        when_unknown: &[],
        cleared_by: "the group's own condition",
    },
    Row {
        type_: Type::RateLimited,
        kind: Kind::RunnerGroup,
        when_true: &[Reason::SustainedRateLimit],
        when_false: &[Reason::PollingHealthy],
        when_unknown: &[],
        cleared_by: "the next poll that is answered",
    },
    Row {
        type_: Type::RunnerVersionTooOld,
        kind: Kind::RunnerGroup,
        when_true: &[Reason::VersionTooOld, Reason::VersionEnding],
        when_false: &[Reason::VersionAccepted],
        when_unknown: &[],
        cleared_by: "a version that GitHub takes, and goes on to take",
    },
    Row {
        type_: Type::RunnerVersionMismatch,
        kind: Kind::RunnerGroup,
        when_true: &[Reason::VersionDiffers],
        when_false: &[Reason::VersionAccepted],
        when_unknown: &[],
        cleared_by: "an edit, or a worker that agrees with the configuration",
    },
    Row {
        type_: Type::WorkersUnschedulable,
        kind: Kind::RunnerGroup,
        when_true: &[Reason::PodsUnschedulable],
        when_false: &[Reason::WorkersSchedulable],
        when_unknown: &[],
        cleared_by: "the pod's being placed, or its end",
    },
    Row {
        type_: Type::WorkersAdmitted,
        kind: Kind::RunnerGroup,
        when_true: &[Reason::DryRunAccepted],
        when_false: &[Reason::PodRefused, Reason::QuotaExceeded],
        when_unknown: &[Reason::DryRunUnsupported, Reason::Unknown],
        cleared_by: "a dry run that passes, or a worker's pod that is created",
    },
    Row {
        type_: Type::PossibleReapBlockingSidecar,
        kind: Kind::RunnerGroup,
        when_true: &[Reason::ReapBlockingSidecar],
        when_false: &[Reason::NoReapBlockingSidecar],
        when_unknown: &[],
        cleared_by: "a later worker pod that ends with its runner, or the deletion of the pod",
    },
    Row {
        type_: Type::Acquired,
        kind: Kind::RunnerJob,
        when_true: &[Reason::Acquired],
        when_false: &[Reason::Acquiring, Reason::ClaimLost],
        when_unknown: &[],
        cleared_by: "GitHub's answer; a job whose claim was lost is history",
    },
    Row {
        type_: Type::PodCreated,
        kind: Kind::RunnerJob,
        when_true: &[Reason::PodCreated, Reason::WaitingToStart],
        when_false: &[
            Reason::WaitingForQuota,
            Reason::WaitingForAdmission,
            Reason::WaitingForSecret,
            Reason::WaitingForPod,
            Reason::NodeRejected,
        ],
        when_unknown: &[],
        cleared_by: "the pod; the job ends without one after `spec.pendingPodDeadline`, or once GitHub holds it no longer",
    },
    Row {
        type_: Type::Complete,
        kind: Kind::RunnerJob,
        when_true: &[],
        when_false: &[Reason::Running, Reason::AwaitingRerun],
        when_unknown: &[],
        cleared_by: "nothing, once it is True",
    },
    Row {
        type_: Type::DeadLetter,
        kind: Kind::RunnerJob,
        when_true: &[Reason::RerunRefused],
        when_false: &[Reason::Retried, Reason::Discarded],
        when_unknown: &[],
        cleared_by: "a person, who retries or discards the call",
    },
];

impl Row {
    /// Whether the condition may say this.
    fn allows(&self, condition: &Condition) -> bool {
        let reasons = match condition.status.as_str() {
            "True" if self.when_true.is_empty() => return true,
            "True" => self.when_true,
            "False" => self.when_false,
            "Unknown" => self.when_unknown,
            _ => return false,
        };
        reasons.iter().any(|it| it.as_str() == condition.reason)
    }
}

/// Whether a condition on that kind stands in the table, with this status and reason: for tests of those who write them.
pub fn is_listed(kind: Kind, condition: &Condition) -> bool {
    let rows = TABLE.iter().filter(|it| it.kind == kind && it.type_.as_str() == condition.type_);
    rows.into_iter().any(|it| it.allows(condition))
}
