//! Why an agent could not be registered, read or stored.

use github::app::AppError;
use github_proto::jit::JitError;
use github_proto::rest::RestErrorKind;

use super::NAMES;

/// An agent could not be registered or read.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// GitHub did not register it.
    #[error("failed to register a runner")]
    GitHub(#[source] AppError),
    /// What GitHub registered cannot be used.
    #[error("GitHub registered runner {name}, and its JIT configuration cannot be read")]
    Unreadable {
        /// The runner.
        name: String,
        /// Why.
        #[source]
        source: JitError,
    },
    /// Every name that was tried is taken.
    #[error("{NAMES} runner names in a row are taken, the last one {0}")]
    NamesTaken(String),
    /// Its Secret was not read.
    #[error("failed to read Secret {name}")]
    Read {
        /// The Secret.
        name: String,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// Its Secret was not written.
    #[error("failed to write Secret {name}")]
    Store {
        /// The Secret.
        name: String,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// There is a Secret of that name that is not ours.
    #[error("Secret {name} exists and belongs to {owner}")]
    NameConflict {
        /// The Secret.
        name: String,
        /// Its owner.
        owner: String,
    },
}

impl RegisterError {
    /// GitHub's word, if it said one.
    #[must_use]
    pub fn kind(&self) -> Option<RestErrorKind> {
        match self {
            Self::GitHub(error) => error.kind(),
            _ => None,
        }
    }
}
