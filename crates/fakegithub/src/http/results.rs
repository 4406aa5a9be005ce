//! The results service: step states, and URLs for logs, summaries and diagnostics (protocol §5.7).

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::auth;
use super::call::Call;
use super::route::{Dialect, LogKind, ResultsMethod};
use crate::shared::Shared;
use crate::state::claims::LockError;
use crate::state::results::{Log, Step};

const TWIRP: Dialect = Dialect::Twirp;
/// What a step should not exceed in its summary, in bytes.
const SUMMARY_LIMIT: u64 = 1 << 20;
/// The longest name in the ledger: a host's.
const LABEL_LIMIT: usize = 253;

/// Any of its methods. Workers send more fields than the protocol names, so only the named ones are looked at.
pub(crate) fn call(shared: &Shared, call: &Call, method: ResultsMethod) -> Result<Answer, Refusal> {
    let job = auth::job(shared, call, TWIRP)?;
    let body = call.any_object(TWIRP)?;
    let (plan, named) =
        (text(&body, "workflow_run_backend_id")?, text(&body, "workflow_job_run_backend_id")?);
    shared
        .with(|state, _| state.check_results(job, plan, named))
        .map_err(|error| refuse(error, "the backend ids are not those of the token's job"))?;
    let answer = match method {
        ResultsMethod::WorkflowStepsUpdate => {
            let steps = steps(&body)?;
            shared.with(|state, now| state.update_steps(job, steps, now));
            json!({"ok": true})
        }
        ResultsMethod::SignedUrl(kind) => {
            let log = log(kind, &body)?;
            signed_url(kind, &shared.with(|state, _| state.log_url(job, log)))
        }
        ResultsMethod::Metadata(kind) => {
            let (log, lines) = (log(kind, &body)?, body.get("line_count").and_then(Value::as_u64));
            shared.with(|state, _| state.finish_log(job, log, lines));
            json!({"ok": true})
        }
        ResultsMethod::Begin => {
            let (start, pod) = (label(&body, "start_id")?, label(&body, "pod_uid")?);
            if !shared.with(|state, now| state.begin(job, start, pod, now)) {
                return Err(TWIRP.refuse(StatusCode::INSUFFICIENT_STORAGE, "the ledger is full"));
            }
            json!({"ok": true})
        }
    };
    Ok(Answer::json(StatusCode::OK, &answer))
}

/// The answer to ids that are not those of the token's job, and the rule that they break.
pub(super) fn refuse(error: LockError, rule: &str) -> Refusal {
    match error {
        LockError::NotAuthorized => auth::unauthorized(TWIRP).violating(rule),
        LockError::Over | LockError::Unstarted => TWIRP.refuse(StatusCode::NOT_FOUND, "no such job"),
    }
}

/// The log that a call is about.
fn log(kind: LogKind, body: &Map<String, Value>) -> Result<Log<'_>, Refusal> {
    Ok(match kind {
        LogKind::Job => Log::Job,
        LogKind::Step => Log::Step(step_id(body)?),
        LogKind::Summary => Log::Summary(step_id(body)?),
        LogKind::Diagnostics => Log::Diagnostics,
    })
}

/// The answer that hands a URL out.
fn signed_url(kind: LogKind, url: &str) -> Value {
    let mut answer = match kind {
        LogKind::Job | LogKind::Step => json!({"logs_url": url}),
        LogKind::Summary => json!({"summary_url": url, "soft_size_limit": SUMMARY_LIMIT}),
        LogKind::Diagnostics => json!({"diag_logs_url": url}),
    };
    answer["blob_storage_type"] = json!("BLOB_STORAGE_TYPE_AZURE");
    answer
}

fn steps(body: &Map<String, Value>) -> Result<Vec<Step>, Refusal> {
    let list =
        body.get("steps").and_then(Value::as_array).ok_or_else(|| TWIRP.invalid("steps must be an array"))?;
    list.iter().map(|step| Step::read(step).ok_or_else(|| TWIRP.invalid("a step cannot be read"))).collect()
}

/// A step's id becomes part of a path, so it must be one segment.
fn step_id(body: &Map<String, Value>) -> Result<&str, Refusal> {
    let id = text(body, "step_backend_id")?;
    match id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        true => Ok(id),
        false => Err(TWIRP.invalid("step_backend_id must be a GUID")),
    }
}

/// A name in the ledger: not empty, and short.
fn label<'a>(body: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refusal> {
    let label = text(body, key)?;
    match (1..=LABEL_LIMIT).contains(&label.len()) {
        true => Ok(label),
        false => Err(TWIRP.invalid(&format!("{key} must have 1 to {LABEL_LIMIT} characters"))),
    }
}

fn text<'a>(body: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refusal> {
    body.get(key).and_then(Value::as_str).ok_or_else(|| TWIRP.invalid(&format!("{key} must be a string")))
}
