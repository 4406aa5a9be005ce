//! The words of labels that no enum elsewhere has.

use github_proto::message::MessageError;
use github_proto::run_service::RunServiceErrorKind;

/// Why a message was dropped: no body of its type, encrypted with another key, of a service that we do not speak to.
pub(super) const BAD_MESSAGES: [&str; 3] = [BODY, DECRYPT, UNSUPPORTED];
const BODY: &str = "body";
const DECRYPT: &str = "decrypt";
const UNSUPPORTED: &str = "unsupported";

/// Why GitHub did not give a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AcquisitionError {
    /// Another runner has it.
    AlreadyClaimed,
    /// It is offered no longer.
    DeliveryWindowExpired,
    /// The runner version that we report is refused.
    VersionTooOld,
    /// Anything else.
    Other,
}

/// What came of asking GitHub to end a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ForceCancel {
    /// It does.
    Cancelled,
    /// It is not known which run it is.
    IdentityUnknown,
    /// It does not.
    Error,
}

impl AcquisitionError {
    /// What an answer of the run service comes to.
    #[must_use]
    pub fn of(kind: Option<RunServiceErrorKind>) -> Self {
        match kind {
            Some(RunServiceErrorKind::Conflict) => Self::AlreadyClaimed,
            Some(RunServiceErrorKind::NotFound) => Self::DeliveryWindowExpired,
            _ => Self::Other,
        }
    }

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl ForceCancel {
    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a message was dropped.
pub(super) fn bad_message(error: &MessageError) -> &'static str {
    match error {
        MessageError::Body(_) => BODY,
        MessageError::Decrypt => DECRYPT,
        MessageError::Unsupported => UNSUPPORTED,
    }
}
