//! A claimed job: what GitHub answered, and what of it we know.

use std::fmt;
use std::str::FromStr as _;

use api::runner_job::JobIdentity;
use bytes::Bytes;
use github_proto::JitBlob;
use github_proto::job_message::{JobMessage, JobMessageError};
use github_proto::run_service::Acquired;
use handoff::worker::RunInfo;
use jiff::{SignedDuration, Timestamp};
use runtime::telemetry::SpanIds;
use url::Url;

/// GitHub's lock after a claim (protocol §0.8), for answers that do not say.
pub const LOCK: SignedDuration = SignedDuration::from_mins(10);

/// A claimed job. Its `Debug` shows neither message nor token.
#[derive(Clone)]
pub struct AcquiredJob {
    /// GitHub's answer, byte for byte; `None` once a Secret holds it: a thousand of them are not kept in memory.
    pub message: Option<Bytes>,
    /// The registration of the agent that claimed it.
    pub jit: JitBlob,
    /// What we read of the message.
    pub job: JobMessage,
    /// Where its lock is renewed.
    pub renew_at: Url,
    /// Which job it is, for people and programs.
    pub run: RunInfo,
    /// Ids of its trace and root span.
    pub ids: SpanIds,
}

impl fmt::Debug for AcquiredJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquiredJob").field("run", &self.run).finish_non_exhaustive()
    }
}

impl AcquiredJob {
    /// Reads what GitHub answered to the claim.
    ///
    /// # Errors
    /// The message is of no use: the job can be neither renewed nor run.
    pub fn read(
        acquired: Acquired,
        run_service: &Url,
        jit: JitBlob,
        namespace: &str,
        group: &str,
    ) -> Result<Self, JobMessageError> {
        let job = JobMessage::decode(&acquired)?;
        let context = &job.github;
        let run_id = context.run_id.map_or(0, |it| it.0);
        let attempt = context.run_attempt.map_or(1, |it| it.0);
        let ids = ids(run_id, attempt, job.plan_id.as_str(), job.job_id.as_str());
        let run = RunInfo {
            repository: context.repository.as_ref().map(ToString::to_string).unwrap_or_default(),
            workflow: context.workflow.clone().unwrap_or_default(),
            job_name: job.display_name.clone(),
            run_id: run_id.to_string(),
            run_attempt: attempt.into(),
            plan_id: job.plan_id.to_string(),
            job_id: job.job_id.to_string(),
            trace_id: hex::encode(ids.trace_id),
            span_id: hex::encode(ids.span_id),
            // Until the runner's part has a span of its own, steps hang below the job's.
            run_span_id: hex::encode(ids.span_id),
            sampled: None,
            namespace: namespace.to_owned(),
            runner_group: group.to_owned(),
        };
        let renew_at = job.connection.url.clone().unwrap_or_else(|| run_service.clone());
        Ok(Self { message: Some(acquired.message), jit, job, renew_at, run, ids })
    }

    /// The same without the message, which a Secret holds.
    #[must_use]
    pub fn stored(&self) -> Self {
        Self { message: None, ..self.clone() }
    }

    /// Until when GitHub holds the job for us after a claim made now.
    #[must_use]
    pub fn locked_until(&self, now: Timestamp) -> Timestamp {
        self.job.locked_until.unwrap_or(now + LOCK)
    }

    /// The job's identity as its status has it.
    #[must_use]
    pub fn identity(&self) -> JobIdentity {
        JobIdentity {
            plan_id: self.run.plan_id.clone(),
            job_id: self.run.job_id.clone(),
            name: self.run.job_name.clone(),
            repository: self.run.repository.clone(),
            workflow: self.run.workflow.clone(),
            run_id: self.run.run_id.clone(),
            run_attempt: self.run.run_attempt,
        }
    }
}

/// Ids of a job's trace and root span: those of its [`Claim`], which may be gone.
#[must_use]
pub fn span_ids(identity: &JobIdentity) -> SpanIds {
    let run_id = u64::from_str(&identity.run_id).unwrap_or_default();
    let attempt = u32::try_from(identity.run_attempt).unwrap_or(1);
    ids(run_id, attempt, &identity.plan_id, &identity.job_id)
}

fn ids(run_id: u64, attempt: u32, plan_id: &str, job_id: &str) -> SpanIds {
    SpanIds {
        trace_id: job::trace::trace_id(run_id, attempt),
        span_id: job::trace::root_span_id(plan_id, job_id),
    }
}

/// The run of a job, for calls about runs; `None` when its message named none.
#[must_use]
pub fn run_of(identity: &JobIdentity) -> Option<(github_proto::url::Repository, github_proto::rest::RunId)> {
    let repository = github_proto::url::Repository::parse(&identity.repository).ok()?;
    let run = u64::from_str(&identity.run_id).ok().filter(|it| *it != 0)?;
    Some((repository, github_proto::rest::RunId(run)))
}
