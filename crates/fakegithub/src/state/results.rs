//! The results service: step states and logs (protocol §5.7).

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::State;
use super::blobs::Blob;
use super::claims::LockError;

/// A step, as its worker describes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) external_id: String,
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) status: StepStatus,
    pub(crate) conclusion: Option<&'static str>,
    pub(crate) started: Option<String>,
    pub(crate) completed: Option<String>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepStatus {
    InProgress,
    Pending,
    Completed,
}

impl StepStatus {
    fn from_number(number: u64) -> Option<Self> {
        match number {
            3 => Some(Self::InProgress),
            5 => Some(Self::Pending),
            6 => Some(Self::Completed),
            _ => None,
        }
    }

    /// The word of the REST API.
    pub(crate) fn rest(self) -> &'static str {
        match self {
            StepStatus::InProgress => "in_progress",
            StepStatus::Pending => "queued",
            StepStatus::Completed => "completed",
        }
    }
}

impl Step {
    /// Reads one element of `steps`; none when it is not one.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let conclusion = match value.get("conclusion").and_then(Value::as_u64).unwrap_or(0) {
            0 => None,
            2 => Some("success"),
            3 => Some("failure"),
            4 => Some("cancelled"),
            7 => Some("skipped"),
            _ => return None,
        };
        Some(Self {
            external_id: text("external_id")?,
            number: value.get("number").and_then(Value::as_u64)?,
            name: text("name").unwrap_or_default(),
            status: StepStatus::from_number(value.get("status").and_then(Value::as_u64)?)?,
            conclusion,
            started: text("started_at"),
            completed: text("completed_at"),
        })
    }
}

/// What a worker uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log<'a> {
    Job,
    Step(&'a str),
    /// What a step wrote for the page of its run.
    Summary(&'a str),
    /// The runner's own log, with debug logging only.
    Diagnostics,
}

impl fmt::Display for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Log::Job => f.write_str("job"),
            Log::Step(step) => write!(f, "steps/{step}"),
            Log::Summary(step) => write!(f, "summaries/{step}"),
            Log::Diagnostics => f.write_str("diagnostics"),
        }
    }
}

/// A log that was uploaded, or begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredLog {
    /// `job`, `steps/{id}`, `summaries/{id}` or `diagnostics`.
    pub log: String,
    /// Its length so far.
    pub bytes: usize,
    /// Whether it was sealed as an append blob.
    pub sealed: bool,
    /// Whether the worker called it whole.
    pub finished: bool,
    /// How many lines it has, as the worker says.
    pub lines: Option<u64>,
}

impl State {
    /// Whether the ids in a request are those of the token's job.
    pub(crate) fn check_results(&self, job: u64, plan: &str, named: &str) -> Result<(), LockError> {
        let known = self.job(job).map(|known| known.guid.to_string()).ok_or(LockError::Over)?;
        match self.plan_of(job).to_string() == plan && known == named {
            true => Ok(()),
            false => Err(LockError::NotAuthorized),
        }
    }

    /// Takes step states over. The first of these calls is the job's start.
    pub(crate) fn update_steps(&mut self, id: u64, steps: Vec<Step>, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.life.start();
        job.started.get_or_insert(now);
        for step in steps {
            job.steps.insert(step.number, step);
        }
        self.touch();
    }

    /// A URL that a log can be put to.
    pub(crate) fn log_url(&mut self, job: u64, log: Log<'_>) -> String {
        let name = self.log_name(job, log);
        let signature = match self.blobs.get(&name) {
            Some(blob) => blob.signature.clone(),
            None => {
                let fresh = self.ids.text(32);
                let account = self.run_of_job(job).map(|run| run.owner().to_owned()).unwrap_or_default();
                self.note_secret(&account, "log-signature", &fresh);
                fresh
            }
        };
        let url = format!("{}/blobs/{name}?sv=2024-11-04&sig={signature}", self.base);
        self.blobs.entry(name).or_default().signature = signature;
        url
    }

    /// The worker says that a log is whole, and how many lines it has.
    pub(crate) fn finish_log(&mut self, job: u64, log: Log<'_>, lines: Option<u64>) {
        let name = self.log_name(job, log);
        if let Some(blob) = self.blobs.get_mut(&name) {
            blob.finished = true;
            blob.lines = lines;
        }
    }

    fn log_name(&self, job: u64, log: Log<'_>) -> String {
        let guid = self.job(job).map_or(Uuid::nil(), |job| job.guid);
        format!("{guid}/{log}")
    }

    /// What was uploaded of a job, by name.
    pub(crate) fn logs(&self, job: u64) -> Option<Vec<StoredLog>> {
        let prefix = format!("{}/", self.job(job)?.guid);
        let mut logs: Vec<StoredLog> = self
            .blobs
            .iter()
            .filter_map(|(name, blob)| Some((name.strip_prefix(&prefix)?, blob)))
            .map(|(log, blob)| StoredLog {
                log: log.to_owned(),
                bytes: blob.len(),
                sealed: blob.is_sealed(),
                finished: blob.finished,
                lines: blob.lines,
            })
            .collect();
        logs.sort_by(|a, b| a.log.cmp(&b.log));
        Some(logs)
    }

    /// A job's log: the one of the whole job, else what there is of its steps'.
    pub(crate) fn log(&self, job: u64) -> Option<String> {
        let whole = self.blobs.get(&self.log_name(job, Log::Job)).filter(|blob| blob.len() > 0);
        if let Some(blob) = whole {
            return Some(blob.text());
        }
        let steps = self.job(job)?.steps.values();
        let logs = steps.filter_map(|step| self.blobs.get(&self.log_name(job, Log::Step(&step.external_id))));
        Some(logs.map(Blob::text).collect())
    }
}
