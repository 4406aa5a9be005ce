//! The run service: claiming a job, keeping it, and reporting its end (protocol §5.1 to §5.4).

use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use crate::any_case::any_case;
use crate::id::{JobId, PlanId};
use crate::limits::{JOB_MESSAGE, RUN_SERVICE_BODY};
use crate::message::RunnerJobRequest;
use crate::rate_limit::RateLimit;
use crate::reply::{BodyError, Reply, clip, header, json, plain_text};
use crate::request::{BuildError, Draft, Request};
use crate::secret::{JobToken, RunnerToken};
use crate::timestamp::ServiceTime;
use crate::url::join;

const ACCEPT: &str = "application/json";
const JSON: &str = "application/json; charset=utf-8";

/// Only bodies that name this source are the run service's own word.
const SOURCE: &str = "actions-run-service";

/// The run service did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run service answered {code} (HTTP {status}): {message}")]
pub struct RunServiceError {
    /// HTTP status.
    pub status: StatusCode,
    /// The status in the body, which counts, or the HTTP status.
    pub code: u16,
    /// What to make of it.
    pub kind: RunServiceErrorKind,
    /// The service's words, clipped.
    pub message: String,
}

/// The tables of protocol §5.2 to §5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunServiceErrorKind {
    /// 404, 410: the job is unknown or over, or its delivery window is. For a renewal: the lock is lost; for
    /// a report: there was one.
    NotFound,
    /// 409: someone else has it.
    Conflict,
    /// 422: it cannot be processed.
    Unprocessable,
    /// 401, 403: the wrong token, or an old one.
    Unauthorized,
    /// Later.
    RateLimited(RateLimit),
    /// A success whose body makes no sense. For a claim: the job is ours, and its message lost.
    Malformed,
    /// Try again.
    Transient,
}

any_case! {
    struct ErrorBody {
        source: String = "source",
        code: u16 = "statusCode",
        message: String = "errorMessage",
    }
}

impl RunServiceError {
    fn of(reply: &Reply) -> Self {
        let body: ErrorBody = json(reply.body(), RUN_SERVICE_BODY).unwrap_or_default();
        let own = body.source.as_deref() == Some(SOURCE);
        let message = body.message.as_deref().map_or_else(|| plain_text(reply.body()), clip);
        let said = body.code.filter(|_| own);
        let code = said.unwrap_or(reply.status().as_u16());
        let limit = RateLimit::of(reply, &message).filter(|_| said.is_none_or(|it| it == 429));
        let kind = match (limit, code) {
            (Some(limit), _) => RunServiceErrorKind::RateLimited(limit),
            (_, 429) => RunServiceErrorKind::RateLimited(RateLimit::Unspecified),
            (_, 404 | 410) => RunServiceErrorKind::NotFound,
            (_, 409) => RunServiceErrorKind::Conflict,
            (_, 422) => RunServiceErrorKind::Unprocessable,
            (_, 401 | 403) => RunServiceErrorKind::Unauthorized,
            _ => RunServiceErrorKind::Transient,
        };
        Self { status: reply.status(), code, kind, message }
    }

    fn malformed(reply: &Reply, error: &BodyError) -> Self {
        Self {
            status: reply.status(),
            code: reply.status().as_u16(),
            kind: RunServiceErrorKind::Malformed,
            message: error.to_string(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AcquireBody<'a> {
    job_message_id: &'a str,
    #[serde(rename = "runnerOS")]
    runner_os: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_owner_id: Option<&'a str>,
}

/// X1: claims the job that was offered.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn acquire(offer: &RunnerJobRequest, token: &RunnerToken) -> Result<Request, BuildError> {
    let body = AcquireBody {
        job_message_id: offer.request_id.as_str(),
        runner_os: "Linux",
        billing_owner_id: offer.billing_owner_id.as_deref(),
    };
    Draft::new(Method::POST, join(&offer.run_service_url, "acquirejob"), ACCEPT)
        .bearer(token)
        .json(JSON, &body)
        .build()
}

/// A claim that succeeded.
#[derive(Clone, PartialEq, Eq)]
pub struct Acquired {
    /// From the `x-plan-id` header, which goes before the plan id in the message.
    pub plan_id: Option<PlanId>,
    /// The job message as it came, byte for byte: it goes to the worker unchanged, secrets and all.
    pub message: Bytes,
}

impl std::fmt::Debug for Acquired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acquired")
            .field("plan_id", &self.plan_id)
            .field("message", &format_args!("{} bytes", self.message.len()))
            .finish()
    }
}

/// Reads the answer to X1. The message is not parsed here: it must be kept whatever it holds.
///
/// # Errors
/// [`RunServiceError`], classified.
pub fn decode_acquired(reply: &Reply) -> Result<Acquired, RunServiceError> {
    if reply.status() != StatusCode::OK {
        return Err(RunServiceError::of(reply));
    }
    let length = reply.body().len();
    if length > JOB_MESSAGE {
        let error = BodyError::TooLong { length, limit: JOB_MESSAGE };
        return Err(RunServiceError::malformed(reply, &error));
    }
    Ok(Acquired {
        plan_id: header(reply, "x-plan-id").and_then(|text| PlanId::parse(text.trim()).ok()),
        message: reply.body().clone(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RenewBody<'a> {
    plan_id: &'a PlanId,
    job_id: &'a JobId,
}

/// X2: keeps a claimed job for about ten more minutes. `base` is the address of the job's
/// `SystemVssConnection`, or the offer's `run_service_url`.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn renew(base: &Url, plan_id: &PlanId, job_id: &JobId, token: &JobToken) -> Result<Request, BuildError> {
    Draft::new(Method::POST, join(base, "renewjob"), ACCEPT)
        .bearer(token)
        .json(JSON, &RenewBody { plan_id, job_id })
        .build()
}

any_case! {
    struct RenewAnswer {
        locked_until: ServiceTime = "lockedUntil",
    }
}

/// Reads the answer to X2: until when the lock holds, if the service says.
///
/// # Errors
/// [`RunServiceError`], classified.
pub fn decode_renewed(reply: &Reply) -> Result<Option<Timestamp>, RunServiceError> {
    if !reply.status().is_success() {
        return Err(RunServiceError::of(reply));
    }
    if reply.body().trim_ascii().is_empty() {
        return Ok(None);
    }
    let answer: RenewAnswer =
        json(reply.body(), RUN_SERVICE_BODY).map_err(|error| RunServiceError::malformed(reply, &error))?;
    Ok(answer.locked_until.and_then(|it| it.0))
}

/// The end of a job whose worker left no report of its own: it failed (protocol §5.4).
#[derive(Debug, Clone, Copy)]
pub struct Completion<'a> {
    /// The run attempt.
    pub plan_id: &'a PlanId,
    /// The job, as its message names it.
    pub job_id: &'a JobId,
    /// What a person reads of it at GitHub, masked; line breaks are kept. Nothing, when empty.
    pub message: Option<&'a str>,
    /// As in the job message.
    pub billing_owner_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CompleteBody<'a> {
    plan_id: &'a PlanId,
    job_id: &'a JobId,
    conclusion: &'static str,
    annotations: Vec<Annotation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_owner_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Annotation<'a> {
    level: &'static str,
    message: &'a str,
}

/// X3: reports that the job failed, in the place of its worker. `base` is that of [`renew`].
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn complete(base: &Url, report: &Completion<'_>, token: &JobToken) -> Result<Request, BuildError> {
    let message = report.message.filter(|message| !message.is_empty());
    let body = CompleteBody {
        plan_id: report.plan_id,
        job_id: report.job_id,
        conclusion: "failed",
        annotations: message.map(|message| Annotation { level: "failure", message }).into_iter().collect(),
        billing_owner_id: report.billing_owner_id.filter(|owner| !owner.is_empty()),
    };
    Draft::new(Method::POST, join(base, "completejob"), ACCEPT).bearer(token).json(JSON, &body).build()
}

/// Reads the answer to X3.
///
/// # Errors
/// [`RunServiceError`], classified; [`RunServiceErrorKind::NotFound`] means that the job had ended already.
pub fn decode_completed(reply: &Reply) -> Result<(), RunServiceError> {
    if reply.status().is_success() { Ok(()) } else { Err(RunServiceError::of(reply)) }
}

#[cfg(test)]
mod tests;
