//! Claiming a job, renewing its lock, and reporting its end (protocol §5.2 to §5.4).

use std::time::Duration;

use github_proto::limits::{JOB_MESSAGE, RUN_SERVICE_BODY};
use github_proto::message::RunnerJobRequest;
use github_proto::run_service::{self, Acquired, Completion, RunServiceError, RunServiceErrorKind};
use github_proto::{JobId, JobToken, PlanId, RateLimit};
use jiff::{SignedDuration, Timestamp};
use runtime::clock::Clock;
use runtime::telemetry::chain;
use tokio::time::sleep;
use url::Url;

use crate::Timeouts;
use crate::auth::{AuthError, RunnerAuth};
use crate::client::{self, Client, Deadline};

/// The claim did not succeed, as far as we know.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Refused with 404, 409 or 422.
    #[error("GitHub refused to let the runner acquire the job")]
    Declined {
        /// GitHub's word.
        #[source]
        source: RunServiceError,
        /// An earlier attempt got an answer that settles nothing (a 5xx, say), so the job may be ours.
        doubtful: bool,
    },
    /// Refused with 401 twice, with a fresh token the second time.
    #[error("the runner's token is not accepted")]
    Unauthorized(#[source] RunServiceError),
    /// No token for the claim.
    #[error("no runner token to acquire the job with")]
    Auth(#[source] AuthError),
    /// Nothing was sent in any attempt: the job is certainly not ours.
    #[error("the request to acquire the job was not sent")]
    NotSent(#[source] client::Error),
    /// The claim was sent and its answer lost: the job may be ours. There is no second call for its
    /// message; the same claim again tells.
    #[error("the request to acquire the job was sent, but its response was lost")]
    Sent(#[source] client::Error),
    /// GitHub answered every attempt with errors that settle nothing.
    #[error("GitHub cannot process the request to acquire the job now")]
    Unavailable(#[source] RunServiceError),
    /// The job is ours, and its message of no use.
    #[error("the acquired job message cannot be used")]
    Unusable(#[source] RunServiceError),
}

impl AcquireError {
    /// Whether GitHub may hold the job for us all the same.
    pub fn may_be_ours(&self) -> bool {
        match self {
            Self::Declined { doubtful, .. } => *doubtful,
            Self::Unauthorized(_) | Self::Auth(_) | Self::NotSent(_) => false,
            Self::Sent(_) | Self::Unavailable(_) | Self::Unusable(_) => true,
        }
    }

    /// GitHub's own word on it, if it said one.
    pub fn kind(&self) -> Option<RunServiceErrorKind> {
        match self {
            Self::Declined { source, .. }
            | Self::Unauthorized(source)
            | Self::Unavailable(source)
            | Self::Unusable(source) => Some(source.kind),
            Self::Auth(_) | Self::NotSent(_) | Self::Sent(_) => None,
        }
    }
}

/// X1. Repeats what was certainly not sent, and what GitHub answered with an error that settles
/// nothing; never what was sent and not answered.
///
/// # Errors
/// [`AcquireError`]; [`AcquireError::may_be_ours`] tells whether the claim needs looking after.
pub async fn acquire(
    client: &Client,
    auth: &RunnerAuth,
    offer: &RunnerJobRequest,
    clock: &Clock,
    timeouts: &Timeouts,
) -> Result<Acquired, AcquireError> {
    let mut doubtful = false;
    let mut refreshed = false;
    let mut attempt = 1;
    loop {
        let token = auth.token().await.map_err(AcquireError::Auth)?;
        let request = run_service::acquire(offer, &token)
            .map_err(|error| AcquireError::NotSent(client::Error::Build(error)))?;
        let again = attempt < timeouts.acquire_attempts;
        match client.send(request, Deadline::within(timeouts.acquire, JOB_MESSAGE)).await {
            Err(error) if error.sent() => return Err(AcquireError::Sent(error)),
            Err(error) if !again && !doubtful => return Err(AcquireError::NotSent(error)),
            Err(error) if !again => return Err(AcquireError::Sent(error)),
            Err(_) => {}
            Ok(reply) => match run_service::decode_acquired(&reply) {
                Ok(acquired) => return Ok(acquired),
                Err(error) if error.kind == RunServiceErrorKind::Unauthorized && !refreshed => {
                    auth.refused(&token);
                    refreshed = true;
                    continue; // a new token, at once, and not one of the attempts
                }
                Err(error) => match settled(error, doubtful) {
                    Ok(error) => return Err(error),
                    Err(error) if !again => return Err(AcquireError::Unavailable(error)),
                    Err(_) => doubtful = true,
                },
            },
        }
        attempt += 1;
        sleep(clock.between(timeouts.acquire_retry)).await;
    }
}

/// `Ok` when the answer decides, `Err` when the claim may be tried again.
fn settled(error: RunServiceError, doubtful: bool) -> Result<AcquireError, RunServiceError> {
    match error.kind {
        RunServiceErrorKind::NotFound
        | RunServiceErrorKind::Conflict
        | RunServiceErrorKind::Unprocessable => Ok(AcquireError::Declined { source: error, doubtful }),
        RunServiceErrorKind::Unauthorized => Ok(AcquireError::Unauthorized(error)),
        RunServiceErrorKind::Malformed => Ok(AcquireError::Unusable(error)),
        RunServiceErrorKind::RateLimited(_) | RunServiceErrorKind::Transient => Err(error),
    }
}

/// The lock was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// 404: the job is gone, and with it the lock. Final.
    #[error("the job's lock is lost")]
    Lost(#[source] RunServiceError),
    /// Later.
    #[error("the renewal of the lock was rate limited")]
    RateLimited {
        /// How long.
        limit: RateLimit,
        /// GitHub's word.
        #[source]
        source: RunServiceError,
    },
    /// Any other answer, a 401 included: only 404 is final (protocol §5.3).
    #[error("GitHub did not renew the lock")]
    Refused(#[source] RunServiceError),
    /// No answer.
    #[error("failed to reach the run service")]
    Send(#[source] client::Error),
}

/// X2, once. The rhythm and the patience are the caller's, who knows until when the lock holds.
/// Returns until when it holds now, if GitHub says.
///
/// # Errors
/// [`RenewError`]; only [`RenewError::Lost`] is final.
pub async fn renew(
    client: &Client,
    base: &Url,
    plan: &PlanId,
    job: &JobId,
    token: &JobToken,
    timeouts: &Timeouts,
) -> Result<Option<Timestamp>, RenewError> {
    let request = run_service::renew(base, plan, job, token)
        .map_err(|error| RenewError::Send(client::Error::Build(error)))?;
    let reply = client
        .send(request, Deadline::within(timeouts.renew, RUN_SERVICE_BODY))
        .await
        .map_err(RenewError::Send)?;
    run_service::decode_renewed(&reply).map_err(|error| match error.kind {
        RunServiceErrorKind::NotFound => RenewError::Lost(error),
        RunServiceErrorKind::RateLimited(limit) => RenewError::RateLimited { limit, source: error },
        _ => RenewError::Refused(error),
    })
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completed {
    /// GitHub knows.
    Accepted,
    /// 404: the job had ended already, most likely by its worker's own report.
    Gone,
    /// 401: the job's token is not accepted, any more or at all.
    Refused,
    /// Every attempt failed, or the lock lapsed before one succeeded: what the last one met, in words.
    GaveUp(String),
}

impl Completed {
    /// The word as labels have it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::GaveUp(_) => "error",
        }
    }
}

/// X3 for a job whose worker left no report: it failed. A few attempts, none of them begun after `until`,
/// when the job's lock lapses and GitHub ends the job itself.
pub async fn complete(
    client: &Client,
    base: &Url,
    report: &Completion<'_>,
    token: &JobToken,
    until: Option<Timestamp>,
    clock: &Clock,
    timeouts: &Timeouts,
) -> Completed {
    let mut words = "the job's lock has lapsed".to_owned();
    let mut wait = Duration::ZERO;
    for attempt in 0..timeouts.complete_attempts {
        if attempt > 0 {
            wait = wait.max(clock.between(timeouts.complete_retry));
        }
        let wait_ends = SignedDuration::try_from(wait)
            .map_or(Timestamp::MAX, |wait| clock.now().checked_add(wait).unwrap_or(Timestamp::MAX));
        if until.is_some_and(|until| wait_ends >= until) {
            break;
        }
        sleep(wait).await;
        (words, wait) = match report_once(client, base, report, token, clock, timeouts).await {
            Ok(completed) => return completed,
            Err(failed) => failed,
        };
    }
    Completed::GaveUp(words)
}

/// `Err` when another attempt may do better: why, in words, and how long GitHub wants to be left alone.
async fn report_once(
    client: &Client,
    base: &Url,
    report: &Completion<'_>,
    token: &JobToken,
    clock: &Clock,
    timeouts: &Timeouts,
) -> Result<Completed, (String, Duration)> {
    let reply = match run_service::complete(base, report, token) {
        Ok(request) => client.send(request, Deadline::within(timeouts.complete, RUN_SERVICE_BODY)).await,
        Err(error) => return Ok(Completed::GaveUp(chain(&error).to_string())),
    };
    let reply = reply.map_err(|error| (chain(&error).to_string(), Duration::ZERO))?;
    match run_service::decode_completed(&reply) {
        Ok(()) => Ok(Completed::Accepted),
        Err(error) if error.kind == RunServiceErrorKind::NotFound => Ok(Completed::Gone),
        Err(error) if error.code == 401 => Ok(Completed::Refused),
        Err(error) => {
            let wait = match error.kind {
                RunServiceErrorKind::RateLimited(limit) => {
                    limit.delay(clock.now()) + clock.between(timeouts.rate_limit_jitter)
                }
                _ => Duration::ZERO,
            };
            Err((error.to_string(), wait))
        }
    }
}

#[cfg(test)]
mod tests;
