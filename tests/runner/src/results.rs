//! The results service: where steps and logs are told (protocol §5.7). All of it is best effort.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::blobs::Blobs;
use crate::http::Reply;
use crate::log::LogOf;
use crate::service::Caller;

/// A gateway in between may be starting: it is asked again. What the service itself answers is final.
const ATTEMPTS: u32 = 3;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// The only store that blobs go to.
const AZURE: &str = "BLOB_STORAGE_TYPE_AZURE";

const RECEIVER: &str = "results.services.receiver.Receiver";
const STEPS: &str = "github.actions.results.api.v1.WorkflowStepUpdateService/WorkflowStepsUpdate";
/// Not GitHub's: the ledger of the fake GitHub (docs/fake-github.md).
const LEDGER: &str = "fakegithub.Ledger/Begin";

/// The service, for one job.
pub struct Results {
    caller: Arc<Caller>,
    blobs: Blobs,
    base: String,
    plan: String,
    job: String,
    changes: AtomicU64,
}

/// A step as `WorkflowStepsUpdate` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepUpdate {
    /// GitHub's id of it.
    pub external_id: String,
    /// From 1.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// 3 in progress, 5 pending, 6 completed.
    pub status: u8,
    /// With three decimals.
    pub started_at: Option<String>,
    /// As above.
    pub completed_at: Option<String>,
    /// 0 as long as it is not over.
    pub conclusion: u8,
}

#[derive(Serialize)]
struct StepsUpdate<'a> {
    steps: &'a [StepUpdate],
    change_order: u64,
    workflow_job_run_backend_id: &'a str,
    workflow_run_backend_id: &'a str,
}

#[derive(Serialize)]
struct GetUrl<'a> {
    workflow_job_run_backend_id: &'a str,
    workflow_run_backend_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_backend_id: Option<&'a str>,
}

#[derive(Serialize)]
struct LogMetadata<'a> {
    workflow_run_backend_id: &'a str,
    workflow_job_run_backend_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_backend_id: Option<&'a str>,
    uploaded_at: String,
    line_count: u64,
}

#[derive(Serialize)]
struct SummaryMetadata<'a> {
    step_backend_id: &'a str,
    workflow_run_backend_id: &'a str,
    workflow_job_run_backend_id: &'a str,
    size: u64,
    uploaded_at: String,
}

#[derive(Serialize)]
struct Begin<'a> {
    start_id: &'a str,
    pod_uid: &'a str,
    workflow_run_backend_id: &'a str,
    workflow_job_run_backend_id: &'a str,
}

impl Results {
    /// The service at this address.
    pub fn new(caller: Arc<Caller>, blobs: Blobs, base: &str, plan: &str, job: &str) -> Results {
        let changes = AtomicU64::new(1);
        Results { caller, blobs, base: base.to_owned(), plan: plan.to_owned(), job: job.to_owned(), changes }
    }

    /// Says that this process begins the job: `start` names this start, so that one that is told twice counts once.
    pub async fn begin(&self, start: &str, pod: &str) -> anyhow::Result<()> {
        let body = Begin {
            start_id: start,
            pod_uid: pod,
            workflow_run_backend_id: &self.plan,
            workflow_job_run_backend_id: &self.job,
        };
        self.call(LEDGER, &body).await.map(drop).context("the ledger does not take the start")
    }

    /// Says how steps stand.
    pub async fn update_steps(&self, steps: &[StepUpdate]) -> anyhow::Result<()> {
        let body = StepsUpdate {
            steps,
            change_order: self.changes.fetch_add(1, Ordering::Relaxed),
            workflow_job_run_backend_id: &self.job,
            workflow_run_backend_id: &self.plan,
        };
        confirmed(&self.call(STEPS, &body).await?)
    }

    /// Writes a block of a log, and with the last says that the log is whole.
    pub async fn write_log(
        &self,
        of: &LogOf,
        content: Vec<u8>,
        first: bool,
        last: bool,
        lines: u64,
    ) -> anyhow::Result<()> {
        let step = of.step();
        let (get, create) = match of {
            LogOf::Job => ("GetJobLogsSignedBlobURL", "CreateJobLogsMetadata"),
            LogOf::Step(_) => ("GetStepLogsSignedBlobURL", "CreateStepLogsMetadata"),
        };
        let answer = self.get_url(get, step).await?;
        if let Some(url) = target(&answer, "logs_url")? {
            self.blobs.log(url, content, first, last).await?;
        }
        if !last {
            return Ok(());
        }
        let body = LogMetadata {
            workflow_run_backend_id: &self.plan,
            workflow_job_run_backend_id: &self.job,
            step_backend_id: step,
            uploaded_at: now(),
            line_count: lines,
        };
        confirmed(&self.receive(create, &body).await?)
    }

    /// Writes what a step left in `GITHUB_STEP_SUMMARY`.
    pub async fn write_summary(&self, step: &str, content: Vec<u8>) -> anyhow::Result<()> {
        let answer = self.get_url("GetStepSummarySignedBlobURL", Some(step)).await?;
        let size = content.len() as u64;
        let limit = answer["soft_size_limit"].as_u64().unwrap_or(u64::MAX);
        ensure!(size <= limit, "a summary of {size} bytes is larger than the {limit} that are allowed");
        if let Some(url) = target(&answer, "summary_url")? {
            self.blobs.whole(url, content).await?;
        }
        let body = SummaryMetadata {
            step_backend_id: step,
            workflow_run_backend_id: &self.plan,
            workflow_job_run_backend_id: &self.job,
            size,
            uploaded_at: now(),
        };
        confirmed(&self.receive("CreateStepSummaryMetadata", &body).await?)
    }

    /// Writes the worker's own log.
    pub async fn write_diagnostics(&self, content: Vec<u8>) -> anyhow::Result<()> {
        let answer = self.get_url("GetJobDiagLogsSignedBlobURL", None).await?;
        match target(&answer, "diag_logs_url")? {
            Some(url) => self.blobs.whole(url, content).await,
            None => Ok(()),
        }
    }

    async fn get_url(&self, method: &str, step: Option<&str>) -> anyhow::Result<Value> {
        let body = GetUrl {
            workflow_job_run_backend_id: &self.job,
            workflow_run_backend_id: &self.plan,
            step_backend_id: step,
        };
        self.receive(method, &body).await
    }

    async fn receive(&self, method: &str, body: &impl Serialize) -> anyhow::Result<Value> {
        self.call(&format!("{RECEIVER}/{method}"), body).await
    }

    async fn call(&self, method: &str, body: &impl Serialize) -> anyhow::Result<Value> {
        let path = format!("twirp/{method}");
        let mut attempt = 1;
        loop {
            let reply = self.caller.post(&self.base, &path, body).await;
            if attempt == ATTEMPTS || !may_pass(&reply) {
                let answer = reply.and_then(Reply::success)?;
                return serde_json::from_slice(&answer).context("the results service answers no JSON");
            }
            sleep(BETWEEN_ATTEMPTS).await;
            attempt += 1;
        }
    }
}

/// Whether what went wrong may be over in a moment.
fn may_pass(reply: &anyhow::Result<Reply>) -> bool {
    reply.as_ref().map_or(true, |it| [502, 503, 504].contains(&it.status.as_u16()))
}

/// Where to write; none for a store that is not Azure's.
fn target<'a>(answer: &'a Value, key: &str) -> anyhow::Result<Option<&'a str>> {
    let url = answer[key].as_str().filter(|it| !it.is_empty());
    let url = url.with_context(|| format!("the results service names no {key}"))?;
    Ok((answer["blob_storage_type"] == AZURE).then_some(url))
}

fn confirmed(answer: &Value) -> anyhow::Result<()> {
    ensure!(answer["ok"] == true, "the results service does not confirm: {answer}");
    Ok(())
}

/// The time with three decimals.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
