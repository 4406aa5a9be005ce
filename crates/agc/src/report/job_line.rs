//! The fields of a log line about a job: the same ones, whichever part of this program writes the line.

use api::RunnerJob;
use api::runner_job::JobIdentity;

use crate::jobs::acquired::span_ids;

/// The job that a line is about. Until it is acquired, only its `RunnerJob` and its group are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobFields<'a> {
    /// The `RunnerGroup`'s name.
    pub(crate) runner_group: &'a str,
    /// The `RunnerJob`'s name.
    pub(crate) runner_job: &'a str,
    /// Which job it is at GitHub.
    pub(crate) identity: Option<&'a JobIdentity>,
}

impl<'a> JobFields<'a> {
    /// What a `RunnerJob` says of its job.
    pub(crate) fn of_object(object: &'a RunnerJob) -> Self {
        Self {
            runner_group: &object.spec.runner_group.name,
            runner_job: object.metadata.name.as_deref().unwrap_or_default(),
            identity: object.status.as_ref().and_then(|it| it.job.as_ref()),
        }
    }

    /// GitHub's display name.
    pub(crate) fn job(&self) -> Option<&'a str> {
        self.identity.map(|it| it.name.as_str())
    }

    /// `owner/name`.
    pub(crate) fn repository(&self) -> Option<&'a str> {
        self.identity.map(|it| it.repository.as_str())
    }

    /// Id of the workflow run.
    pub(crate) fn run_id(&self) -> Option<&'a str> {
        self.identity.map(|it| it.run_id.as_str())
    }

    /// Attempt of the workflow run.
    pub(crate) fn run_attempt(&self) -> Option<i64> {
        self.identity.map(|it| it.run_attempt)
    }

    /// The trace of the run attempt, with tracing off, too.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.identity.map(|it| hex::encode(span_ids(it).trace_id))
    }

    /// The job's root span.
    pub(crate) fn span_id(&self) -> Option<String> {
        self.identity.map(|it| hex::encode(span_ids(it).span_id))
    }
}

/// Writes a line about a job: its level, the [`JobFields`], then fields and words as for `tracing`'s own macros.
///
/// Fields and not a span around the line: a line at `warn` needs them where spans at `info` are filtered out.
macro_rules! job_line {
    ($level:ident, $job:expr, $($rest:tt)+) => {{
        let job = &$job;
        tracing::$level!(
            runner_group = job.runner_group,
            runner_job = job.runner_job,
            job = job.job(),
            repository = job.repository(),
            run_id = job.run_id(),
            run_attempt = job.run_attempt(),
            trace_id = job.trace_id(),
            span_id = job.span_id(),
            $($rest)+
        )
    }};
}
pub(crate) use job_line;
