//! B2 and B3: waiting for a message, and saying that its job is taken.

use http::{Method, StatusCode};
use serde::Serialize;
use url::Url;

use super::{ACCEPT, BrokerError, JSON};
use crate::id::{RequestId, SessionId};
use crate::message::{self, Message, MessageKey};
use crate::reply::Reply;
use crate::request::{BuildError, Draft, Request};
use crate::secret::RunnerToken;
use crate::url::join;

/// What a runner says of itself with each poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerStatus {
    /// Wants a job.
    Online,
    /// Has a job; wants to hear of its cancellation only.
    Busy,
}

impl RunnerStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Busy => "Busy",
        }
    }
}

/// The processor a job will run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// x86-64.
    X64,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    fn as_str(self) -> &'static str {
        match self {
            Self::X64 => "X64",
            Self::Arm64 => "ARM64",
        }
    }
}

/// The query of B2 and B3.
#[derive(Debug, Clone, Copy)]
pub struct PollQuery<'a> {
    /// From B1.
    pub session: &'a SessionId,
    /// What we want.
    pub status: RunnerStatus,
    /// As in B1.
    pub version: &'a str,
    /// Of the worker.
    pub architecture: Architecture,
}

impl PollQuery<'_> {
    fn apply(self, broker: &Url, verb: &str) -> Url {
        let mut url = join(broker, verb);
        url.query_pairs_mut()
            .append_pair("sessionId", self.session.as_str())
            .append_pair("status", self.status.as_str())
            .append_pair("runnerVersion", self.version)
            .append_pair("os", "Linux")
            .append_pair("architecture", self.architecture.as_str());
        url
    }
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// Nothing within the hold: ask again.
    Nothing,
    /// A success without a body. Once it means nothing; three times in a row that the record is gone
    /// (protocol §4.3).
    Hollow,
    /// A message.
    Message(Message),
}

/// B2: waits for a message. Updates are refused: the worker image decides the runner's version.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn poll(broker: &Url, token: &RunnerToken, query: PollQuery<'_>) -> Result<Request, BuildError> {
    let mut url = query.apply(broker, "message");
    url.query_pairs_mut().append_pair("disableUpdate", "true");
    Draft::new(Method::GET, url, ACCEPT).bearer(token).build()
}

/// Reads the answer to B2.
///
/// # Errors
/// [`BrokerError`], classified.
pub fn decode_poll(reply: &Reply, key: Option<&MessageKey>) -> Result<Poll, BrokerError> {
    match reply.status() {
        StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(Poll::Nothing),
        StatusCode::OK if reply.body().trim_ascii().is_empty() => Ok(Poll::Hollow),
        StatusCode::OK => message::decode(reply.body(), key)
            .map(Poll::Message)
            .map_err(|error| BrokerError::malformed(reply, &error)),
        _ => Err(BrokerError::of(reply)),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Acknowledgement<'a> {
    runner_request_id: &'a str,
}

/// B3: says that the offered job is taken. Only an offer that asks for it is acknowledged, and only one that
/// is claimed next: what becomes of one that is then declined is not known (protocol §4.5).
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn acknowledge(
    broker: &Url,
    token: &RunnerToken,
    query: PollQuery<'_>,
    request: &RequestId,
) -> Result<Request, BuildError> {
    let body = Acknowledgement { runner_request_id: request.as_str() };
    Draft::new(Method::POST, query.apply(broker, "acknowledge"), ACCEPT)
        .bearer(token)
        .json(JSON, &body)
        .build()
}

/// Reads the answer to B3.
///
/// # Errors
/// [`BrokerError`], classified.
pub fn decode_acknowledgement(reply: &Reply) -> Result<(), BrokerError> {
    if reply.status().is_success() { Ok(()) } else { Err(BrokerError::of(reply)) }
}
