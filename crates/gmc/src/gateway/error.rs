//! Why a pass failed: the step, the word for it, and when to try again.

use std::time::Duration;

use api::conditions::Reason;
use operator::apply::{ApplyError, PruneError};

use crate::gateway::{away, dereference, teardown, validate};

/// The elder of two gateways may be on its way out; nothing tells the younger but a look.
const ELDER_RECHECK: Duration = Duration::from_secs(15);

/// One variant for each step of a pass.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
pub enum Error {
    /// What the gateway depends on could not be read.
    #[error("failed to read the objects that the gateway refers to")]
    Dereference(#[source] dereference::Error),
    /// The gateway cannot be honoured as it is written, or where it is.
    #[error(transparent)]
    Validate(validate::Error),
    /// Our finalizer could not be written.
    #[error("failed to update the gateway's finalizers")]
    Finalizer(#[source] operator::finalizer::Error),
    /// A child is not as wished.
    #[error("failed to provision the gateway")]
    Apply(#[source] ApplyError),
    /// A child that is no longer wanted stays.
    #[error("failed to prune objects that the gateway no longer needs")]
    Prune(#[source] PruneError),
    /// That the controller is away could not be written.
    #[error("failed to mark the RunnerGroups of a controller that is away")]
    Away(#[source] away::Error),
    /// The gateway could not be taken down.
    #[error("failed to tear down the gateway")]
    Teardown(#[source] teardown::Error),
    /// The status could not be written.
    #[error("failed to update the gateway's status")]
    Status(#[source] ApplyError),
}

impl Error {
    /// The word that stands in the condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Validate(error) => error.reason(),
            Self::Apply(ApplyError::NameConflict { .. }) => Reason::NameConflict,
            Self::Dereference(_)
            | Self::Finalizer(_)
            | Self::Apply(_)
            | Self::Prune(_)
            | Self::Away(_)
            | Self::Teardown(_)
            | Self::Status(_) => Reason::ProvisioningFailed,
        }
    }

    /// The word that stands in log lines: the step.
    pub fn step(&self) -> &'static str {
        self.into()
    }
}

impl validate::Error {
    /// The word that stands in the condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::ReservedNamespace(_) | Self::NotATenant(_) => Reason::NamespaceNotAllowed,
            Self::AnotherGateway { .. } => Reason::AnotherGateway,
            Self::InvalidSpec(_) => Reason::InvalidSpec,
        }
    }

    /// When to look again although nothing that is watched has changed. Mostly only an edit can help.
    pub fn recheck(&self) -> Option<Duration> {
        matches!(self, Self::AnotherGateway { .. }).then_some(ELDER_RECHECK)
    }
}
