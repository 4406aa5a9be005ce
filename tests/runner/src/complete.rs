//! The end of a job, told to the run service (protocol §5.4).

use std::time::Duration;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::sleep;
use uuid::Uuid;

use crate::annotation::Annotation;
use crate::http::Reply;
use crate::step::Conclusion;

/// The official worker's patience: tries of attempts.
const TRIES: u32 = 5;
const ATTEMPTS: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_secs(5);

/// Between two attempts of one try, by chance.
const BETWEEN_ATTEMPTS: std::ops::RangeInclusive<u64> = 5_000..=15_000;

/// The body of `completejob`, its keys in the order of the official worker.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    /// The run attempt.
    pub plan_id: String,
    /// The job in it.
    pub job_id: String,
    /// How it ended.
    pub conclusion: Conclusion,
    /// Name → `{"value"}`.
    pub outputs: Map<String, Value>,
    /// All steps.
    pub step_results: Vec<StepResult>,
    /// Those of the job, not of a step.
    pub annotations: Vec<Annotation>,
    /// Sent back as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_owner_id: Option<String>,
}

/// How a step went. Of one that was skipped nobody knows what it would have run.
#[derive(Debug, Serialize)]
pub struct StepResult {
    /// GitHub's id of it, or the worker's own for its first and last step.
    pub external_id: String,
    /// From 1.
    pub number: u64,
    /// Its name on the page.
    pub name: String,
    /// What ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// `runner` or `run`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// How far it came.
    pub status: &'static str,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// RFC 3339 with up to seven decimals.
    pub started_at: Option<String>,
    /// As above.
    pub completed_at: Option<String>,
    /// What the page shows beside it.
    pub annotations: Vec<Annotation>,
}

/// An error body of the run service. What it says counts more than the HTTP status (protocol §5.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunServiceError {
    source: String,
    status_code: u16,
}

/// Sends the report until it is taken or refused for good.
pub async fn deliver(mut send: impl AsyncFnMut() -> anyhow::Result<Reply>) -> anyhow::Result<()> {
    let mut last = anyhow!("completejob was never sent");
    for _ in 0..TRIES {
        for attempt in 1..=ATTEMPTS {
            match once(&mut send).await {
                Ok(()) => return Ok(()),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Perhaps(error)) => last = error,
            }
            if attempt < ATTEMPTS {
                sleep(pause()).await;
            }
        }
        sleep(BETWEEN_TRIES).await;
    }
    Err(last)
}

enum Failed {
    Final(anyhow::Error),
    Perhaps(anyhow::Error),
}

/// One attempt. A 401 is answered by a second request, since a token might have been renewed.
async fn once(send: &mut impl AsyncFnMut() -> anyhow::Result<Reply>) -> Result<(), Failed> {
    let mut reply = send().await.map_err(Failed::Perhaps)?;
    if reply.status.as_u16() == 401 {
        reply = send().await.map_err(Failed::Perhaps)?;
    }
    if reply.status.is_success() {
        return Ok(());
    }
    let (http, meant) = (reply.status.as_u16(), meant_status(&reply));
    let error =
        anyhow!("completejob is answered with {}: {}", reply.status, String::from_utf8_lossy(&reply.body));
    Err(if [http, meant].iter().any(|it| [401, 404].contains(it)) {
        Failed::Final(error)
    } else {
        Failed::Perhaps(error)
    })
}

fn meant_status(reply: &Reply) -> u16 {
    match serde_json::from_slice::<RunServiceError>(&reply.body) {
        Ok(error) if error.source == "actions-run-service" => error.status_code,
        _ => reply.status.as_u16(),
    }
}

fn pause() -> Duration {
    let chance = Uuid::new_v4().as_u128() % u128::from(BETWEEN_ATTEMPTS.end() - BETWEEN_ATTEMPTS.start() + 1);
    Duration::from_millis(BETWEEN_ATTEMPTS.start() + u64::try_from(chance).unwrap_or_default())
}

#[cfg(test)]
mod tests;
