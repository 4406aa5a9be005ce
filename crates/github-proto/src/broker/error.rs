//! What a refusal of the broker means: `errorKind` first, HTTP status second.

use http::StatusCode;

use crate::any_case::any_case;
use crate::limits::BROKER_BODY;
use crate::rate_limit::RateLimit;
use crate::reply::{BodyError, Reply, clip, json, plain_text};

/// Only bodies that name this source are the broker's own word.
const SOURCE: &str = "actions-broker-listener";

/// The broker did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the broker answered {status}: {message}")]
pub struct BrokerError {
    /// HTTP status.
    pub status: StatusCode,
    /// What to make of it.
    pub kind: BrokerErrorKind,
    /// The broker's words, clipped.
    pub message: String,
}

/// The tables of protocol §4.1 to §4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerErrorKind {
    /// 401 or 403: the token is old, or the record was consumed. Get a fresh token, once.
    Unauthorized,
    /// The record is gone: stop.
    RunnerNotFound,
    /// The runner version is below GitHub's minimum: stop, and tell.
    VersionTooOld,
    /// The session is gone: make a new one.
    SessionInvalid,
    /// The agent has a session already.
    Conflict,
    /// The job that was acknowledged is gone.
    JobNotFound,
    /// Later.
    RateLimited(RateLimit),
    /// Try again with back-off.
    Transient,
}

any_case! {
    struct ErrorBody {
        source: String = "source",
        kind: String = "errorKind",
        message: String = "errorMessage",
    }
}

impl BrokerError {
    pub(crate) fn of(reply: &Reply) -> Self {
        let body: ErrorBody = json(reply.body(), BROKER_BODY).unwrap_or_default();
        let own = body.source.as_deref() == Some(SOURCE);
        let message = body.message.as_deref().map_or_else(|| plain_text(reply.body()), clip);
        let said = body.kind.as_deref().filter(|_| own).and_then(by_kind);
        Self { status: reply.status(), kind: said.unwrap_or_else(|| by_status(reply, &message)), message }
    }

    /// A success whose body makes no sense: cut on its way.
    pub(crate) fn malformed(reply: &Reply, error: &BodyError) -> Self {
        Self { status: reply.status(), kind: BrokerErrorKind::Transient, message: error.to_string() }
    }
}

fn by_kind(kind: &str) -> Option<BrokerErrorKind> {
    match kind.to_ascii_lowercase().as_str() {
        "runnernotfound" | "hostedrunnerdeprovisioned" => Some(BrokerErrorKind::RunnerNotFound),
        "runnerversiontooold" => Some(BrokerErrorKind::VersionTooOld),
        "runnersessioninvalid" => Some(BrokerErrorKind::SessionInvalid),
        "acknowledgejobnotfound" => Some(BrokerErrorKind::JobNotFound),
        _ => None,
    }
}

fn by_status(reply: &Reply, message: &str) -> BrokerErrorKind {
    if let Some(limit) = RateLimit::of(reply, message) {
        return BrokerErrorKind::RateLimited(limit);
    }
    match reply.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => BrokerErrorKind::Unauthorized,
        StatusCode::NOT_FOUND | StatusCode::GONE => BrokerErrorKind::SessionInvalid,
        StatusCode::CONFLICT => BrokerErrorKind::Conflict,
        StatusCode::BAD_REQUEST if speaks_of_version(message) => BrokerErrorKind::VersionTooOld,
        _ => BrokerErrorKind::Transient,
    }
}

/// The exact text is not known; these words are (protocol §4.2).
fn speaks_of_version(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["version", "too old", "minimum"].iter().any(|words| message.contains(words))
}
