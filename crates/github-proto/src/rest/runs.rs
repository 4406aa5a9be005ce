//! J1, J4, J5 and J8: re-running, reading and ending workflow runs (protocol §7).

use std::fmt;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::{RestError, RestErrorKind, call, has_next_page, paged, success};
use crate::reply::Reply;
use crate::request::{BuildError, Request};
use crate::rest::Page;
use crate::secret::InstallationToken;
use crate::url::{ApiBase, Repository};

/// A workflow run; its attempts share the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which attempt of a run; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(pub u32);

/// How far a run or job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Over: look at the conclusion.
    Completed,
    /// Not over: `queued`, `in_progress`, `waiting`, `requested`, `pending`, and what GitHub may add.
    #[serde(other)]
    Unfinished,
}

/// How a run or job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// All went well.
    Success,
    /// A job failed.
    Failure,
    /// Someone ended it.
    Cancelled,
    /// Nothing had to be done.
    Skipped,
    /// It took too long.
    TimedOut,
    /// `neutral`, `action_required`, `stale`, `startup_failure`, and what GitHub may add.
    #[serde(other)]
    Other,
}

/// A workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Run {
    /// The run.
    pub id: RunId,
    /// Its latest attempt, or the one asked for.
    #[serde(default)]
    pub run_attempt: Option<Attempt>,
    /// How far it is.
    pub status: RunStatus,
    /// How it ended.
    #[serde(default)]
    pub conclusion: Option<Conclusion>,
}

/// A job of a run, as REST knows it: its id is not the `jobId` of the job message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunJob {
    /// REST's own number.
    pub id: u64,
    /// Of which attempt.
    #[serde(default)]
    pub run_attempt: Option<Attempt>,
    /// The display name.
    pub name: String,
    /// How far it is.
    pub status: RunStatus,
    /// How it ended.
    #[serde(default)]
    pub conclusion: Option<Conclusion>,
    /// Who runs it, from the claim on.
    #[serde(default)]
    pub runner_name: Option<String>,
    /// When it was claimed; for a job that waits, when it was queued.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub completed_at: Option<Timestamp>,
    /// What the worker reported of its steps so far.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub steps: Vec<RunStep>,
}

impl RunJob {
    /// How many steps a worker has begun: none, as long as no worker runs the job.
    pub fn steps_begun(&self) -> usize {
        self.steps.iter().filter(|step| step.status != StepStatus::Pending).count()
    }
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunStep {
    /// The display name.
    pub name: String,
    /// Its place, from 1.
    #[serde(default)]
    pub number: u64,
    /// How far it is.
    pub status: StepStatus,
    /// How it ended.
    #[serde(default)]
    pub conclusion: Option<Conclusion>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It runs.
    InProgress,
    /// Over: look at the conclusion.
    Completed,
    /// Not begun: `queued`, `pending`, and what GitHub may add.
    #[serde(other)]
    Pending,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RunStep>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// GitHub's word on a re-run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// A new attempt is queued.
    Accepted,
    /// The run has not concluded yet: ask again in 30 s.
    StillRunning,
    /// Never: nothing in it failed, or it is too old.
    CannotBeRetried,
}

#[derive(Deserialize)]
struct JobsBody {
    jobs: Vec<RunJob>,
}

fn run_url(api: &ApiBase, repository: &Repository, run: RunId, tail: &[&str]) -> url::Url {
    let id = run.to_string();
    let mut path = vec!["repos", repository.owner(), repository.name(), "actions", "runs", &id];
    path.extend(tail);
    api.join(&path)
}

/// J1: queues the failed and cancelled jobs of a run once more.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn rerun_failed_jobs(
    api: &ApiBase,
    repository: &Repository,
    run: RunId,
    token: &InstallationToken,
) -> Result<Request, BuildError> {
    let url = run_url(api, repository, run, &["rerun-failed-jobs"]);
    call(Method::POST, url).bearer(token).build()
}

/// Reads the answer to J1.
///
/// # Errors
/// [`RestError`], classified. A 403 that is neither of the two known texts is a permission.
pub fn decode_rerun(reply: &Reply) -> Result<Rerun, RestError> {
    if reply.status().is_success() {
        return Ok(Rerun::Accepted);
    }
    let error = RestError::of(reply);
    match error.kind {
        RestErrorKind::Forbidden if error.says("already running") => Ok(Rerun::StillRunning),
        RestErrorKind::Forbidden if error.says("cannot be retried") => Ok(Rerun::CannotBeRetried),
        _ => Err(error),
    }
}

/// J4: a run, at one attempt or at its latest.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn get_run(
    api: &ApiBase,
    repository: &Repository,
    run: RunId,
    attempt: Option<Attempt>,
    token: &InstallationToken,
) -> Result<Request, BuildError> {
    let url = match attempt {
        None => run_url(api, repository, run, &[]),
        Some(attempt) => run_url(api, repository, run, &["attempts", &attempt.0.to_string()]),
    };
    call(Method::GET, url).bearer(token).build()
}

/// Reads the answer to J4; `None` when there is no such run.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_run(reply: &Reply) -> Result<Option<Run>, RestError> {
    match success(reply, StatusCode::OK) {
        Ok(run) => Ok(Some(run)),
        Err(error) if error.kind == RestErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// J5: one page of the jobs of an attempt.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn list_run_jobs(
    api: &ApiBase,
    repository: &Repository,
    run: RunId,
    attempt: Attempt,
    token: &InstallationToken,
    page: u32,
) -> Result<Request, BuildError> {
    let attempt = attempt.0.to_string();
    let url = run_url(api, repository, run, &["attempts", &attempt, "jobs"]);
    call(Method::GET, paged(url, page)).bearer(token).build()
}

/// Reads the answer to J5.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_run_jobs(reply: &Reply) -> Result<Page<RunJob>, RestError> {
    let body: JobsBody = success(reply, StatusCode::OK)?;
    Ok(Page { items: body.jobs, more: has_next_page(reply) })
}

/// J8: ends a run at once, `always()` steps included.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn force_cancel(
    api: &ApiBase,
    repository: &Repository,
    run: RunId,
    token: &InstallationToken,
) -> Result<Request, BuildError> {
    let url = run_url(api, repository, run, &["force-cancel"]);
    call(Method::POST, url).bearer(token).build()
}

/// Reads the answer to J8. 409 says that the run was over already, which is what was wanted.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_force_cancel(reply: &Reply) -> Result<(), RestError> {
    if reply.status().is_success() {
        return Ok(());
    }
    let error = RestError::of(reply);
    match error.kind {
        RestErrorKind::Conflict => Ok(()),
        _ => Err(error),
    }
}
