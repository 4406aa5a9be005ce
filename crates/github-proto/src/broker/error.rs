//! What a refusal of the broker means: `errorKind` first, HTTP status second (protocol §4.1).

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
    /// 401: the token is old, or the record was consumed. Get a fresh token, once.
    Unauthorized,
    /// 403 without the broker's own word. To a poll no verdict on anything; to a new session a policy that
    /// keeps this record out.
    Forbidden,
    /// The record is gone: stop.
    RunnerNotFound,
    /// GitHub serves this runner version no longer: stop, and tell.
    VersionTooOld,
    /// The session is gone: make a new one.
    SessionInvalid,
    /// 404 or 410 without the broker's own word. To a poll the session is gone; to a new session the record
    /// is, or the address is wrong.
    NotFound,
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
        let (said, message) = words(reply);
        Self { status: reply.status(), kind: said.unwrap_or_else(|| by_status(reply, &message)), message }
    }

    /// To B1 the status decides: of its body only a refusal of the version counts (protocol §4.2).
    pub(crate) fn of_new_session(reply: &Reply) -> Self {
        let (said, message) = words(reply);
        let said = said.filter(|kind| *kind == BrokerErrorKind::VersionTooOld);
        Self { status: reply.status(), kind: said.unwrap_or_else(|| by_status(reply, &message)), message }
    }

    /// A success whose body makes no sense: cut on its way.
    pub(crate) fn malformed(reply: &Reply, error: &BodyError) -> Self {
        Self { status: reply.status(), kind: BrokerErrorKind::Transient, message: error.to_string() }
    }
}

/// The broker's own verdict, if there is one, and what else it says.
fn words(reply: &Reply) -> (Option<BrokerErrorKind>, String) {
    let body: ErrorBody = json(reply.body(), BROKER_BODY).unwrap_or_default();
    let own = body.source.as_deref() == Some(SOURCE);
    let message = body.message.as_deref().map_or_else(|| plain_text(reply.body()), clip);
    (body.kind.as_deref().filter(|_| own).and_then(by_kind), message)
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
        StatusCode::UNAUTHORIZED => BrokerErrorKind::Unauthorized,
        StatusCode::FORBIDDEN => BrokerErrorKind::Forbidden,
        StatusCode::NOT_FOUND | StatusCode::GONE => BrokerErrorKind::NotFound,
        StatusCode::CONFLICT => BrokerErrorKind::Conflict,
        StatusCode::BAD_REQUEST if calls_runner_too_old(message) => BrokerErrorKind::VersionTooOld,
        _ => BrokerErrorKind::Transient,
    }
}

/// The exact text is not known: it must speak of the runner, of its version, and of age (protocol §4.2). Each
/// alone is said of other things: "api-version header missing".
fn calls_runner_too_old(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    says("runner") && says("version") && ["too old", "deprecated", "minimum"].into_iter().any(says)
}
