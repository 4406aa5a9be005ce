//! The two services that a job reports to: the run service (protocol §5.4) and the results service (protocol §5.7).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::http::{Http, Reply};
use crate::message::Job;

/// The official runner's patience with `completejob`: five tries of five attempts each.
const TRIES: u32 = 5;
const ATTEMPTS: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_secs(5);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// Logs and steps are a convenience: fewer attempts.
const RESULTS_ATTEMPTS: u32 = 3;

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOf {
    /// The log of the whole job.
    Job,
    /// The log of one step.
    Step(String),
}

/// Both services, for one job.
pub struct Service {
    http: Arc<Http>,
    run_url: String,
    results_url: Option<String>,
    token: String,
    plan_id: String,
    job_id: String,
    change_order: AtomicU64,
}

/// An error body of the run service. What it says counts more than the HTTP status (protocol §5.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunServiceError {
    source: String,
    status_code: u16,
}

impl Service {
    /// The services that the message of a job names.
    pub fn new(http: Arc<Http>, job: &Job) -> Service {
        Service {
            http,
            run_url: job.connection.url.clone(),
            results_url: job.results_url.clone(),
            token: job.connection.token.clone(),
            plan_id: job.plan_id.clone(),
            job_id: job.job_id.clone(),
            change_order: AtomicU64::new(1),
        }
    }

    /// Says how the job ended. 401 and 404 are final, everything else is tried again.
    pub async fn complete(&self, mut body: Value) -> anyhow::Result<()> {
        body["planId"] = self.plan_id.as_str().into();
        body["jobId"] = self.job_id.as_str().into();
        let url = join(&self.run_url, "completejob");
        let mut last = None;
        for attempt in 0..TRIES * ATTEMPTS {
            if attempt > 0 {
                sleep(if attempt % ATTEMPTS == 0 { BETWEEN_TRIES } else { BETWEEN_ATTEMPTS }).await;
            }
            match self.post(&url, &body).await {
                Ok(reply) if reply.status.is_success() => return Ok(()),
                Ok(reply) => match meant_status(&reply) {
                    status @ (401 | 404) => bail!("completejob is refused with {status}"),
                    status => last = Some(anyhow::anyhow!("completejob is answered with {status}")),
                },
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("completejob was never sent")))
    }

    /// Whether the job wants its steps and logs reported.
    pub fn has_results(&self) -> bool {
        self.results_url.is_some()
    }

    /// Says that this process begins the job, to the ledger of the fake GitHub (docs/fake-github.md): `start` names this
    /// start, so that one that is told twice counts once.
    pub async fn begin(&self, start: &str, pod: &str) -> anyhow::Result<()> {
        if !self.has_results() {
            return Ok(()); // a job that reports nothing: the message names no service
        }
        let body = json!({ "start_id": start, "pod_uid": pod });
        self.results("fakegithub.Ledger/Begin", body)
            .await
            .map(drop)
            .context("the ledger does not take the start")
    }

    /// Says how the steps stand.
    pub async fn update_steps(&self, steps: Value) -> anyhow::Result<()> {
        let order = self.change_order.fetch_add(1, Ordering::Relaxed);
        let method = "github.actions.results.api.v1.WorkflowStepUpdateService/WorkflowStepsUpdate";
        self.results(method, json!({ "steps": steps, "change_order": order })).await.map(drop)
    }

    /// Where a log may be written to. The URL holds a signature.
    pub async fn log_url(&self, log: &LogOf) -> anyhow::Result<String> {
        let answer = match log {
            LogOf::Job => self.receiver("GetJobLogsSignedBlobURL", json!({})).await?,
            LogOf::Step(id) => {
                self.receiver("GetStepLogsSignedBlobURL", json!({ "step_backend_id": id })).await?
            }
        };
        let url = answer["logs_url"].as_str().filter(|it| !it.is_empty());
        url.map(str::to_owned).context("the results service names no URL for the log")
    }

    /// Says that a log is whole.
    pub async fn log_written(&self, log: &LogOf, lines: u64) -> anyhow::Result<()> {
        let mut body = json!({ "line_count": lines, "uploaded_at": Timestamp::now().to_string() });
        let method = match log {
            LogOf::Job => "CreateJobLogsMetadata",
            LogOf::Step(id) => {
                body["step_backend_id"] = id.as_str().into();
                "CreateStepLogsMetadata"
            }
        };
        self.receiver(method, body).await.map(drop)
    }

    /// One call on a blob, in the dialect of Azure. The signature in the URL is the only proof of identity.
    pub async fn put_blob(&self, url: &str, headers: &[(&str, &str)], body: Bytes) -> anyhow::Result<()> {
        let mut request =
            Request::builder().method(Method::PUT).uri(url).header("x-ms-version", "2021-12-02");
        request = request.header(CONTENT_LENGTH, body.len()); // hyper leaves it out when there is no body, Azure does not
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.http.send(request.body(Full::new(body))?).await?.success().map(drop)
    }

    async fn receiver(&self, method: &str, body: Value) -> anyhow::Result<Value> {
        self.results(&format!("results.services.receiver.Receiver/{method}"), body).await
    }

    async fn results(&self, method: &str, mut body: Value) -> anyhow::Result<Value> {
        let base = self.results_url.as_deref().context("the job has no results service")?;
        body["workflow_run_backend_id"] = self.plan_id.as_str().into();
        body["workflow_job_run_backend_id"] = self.job_id.as_str().into();
        let url = join(base, &format!("twirp/{method}"));
        let mut attempt = 1;
        loop {
            match self.post(&url, &body).await.and_then(Reply::success) {
                Ok(answer) => {
                    return serde_json::from_slice(&answer).context("the results service answers no JSON");
                }
                Err(error) if attempt == RESULTS_ATTEMPTS => return Err(error),
                Err(_) => sleep(BETWEEN_ATTEMPTS).await,
            }
            attempt += 1;
        }
    }

    async fn post(&self, url: &str, body: &Value) -> anyhow::Result<Reply> {
        let request = Request::post(url)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
        self.http.send(request).await
    }
}

fn meant_status(reply: &Reply) -> u16 {
    match serde_json::from_slice::<RunServiceError>(&reply.body) {
        Ok(error) if error.source == "actions-run-service" => error.status_code,
        _ if reply.status == StatusCode::OK => 0,
        _ => reply.status.as_u16(),
    }
}

/// Bases come with and without a slash at the end (protocol §0.6).
fn join(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}
