//! The run service: acquire, renew, complete (protocol §5.1 to §5.4), and id tokens (§5.7).

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::{Answer, Refusal};
use super::auth;
use super::call::{Call, Credential};
use super::route::Dialect;
use crate::shared::Shared;
use crate::state::State;
use crate::state::claims::{Completion, LockError};
use crate::state::grants::Subject;
use crate::state::life::{AcquireError, Conclusion};
use crate::state::message::BILLING_OWNER;
use crate::state::runs::Annotation;

const RUN: Dialect = Dialect::RunService;

const COMPLETE_KEYS: [&str; 10] = [
    "planId",
    "jobId",
    "conclusion",
    "outputs",
    "stepResults",
    "annotations",
    "telemetry",
    "environmentUrl",
    "billingOwnerId",
    "infrastructureFailureCategory",
];

const STEP_KEYS: [&str; 16] = [
    "external_id",
    "number",
    "name",
    "action_name",
    "ref",
    "type",
    "status",
    "conclusion",
    "started_at",
    "completed_at",
    "completed_log_url",
    "completed_log_lines",
    "annotations",
    "is_background",
    "background_control_type",
    "background_control_step_ids",
];

const ANNOTATION_KEYS: [&str; 11] = [
    "level",
    "message",
    "title",
    "rawDetails",
    "path",
    "isInfrastructureIssue",
    "startLine",
    "endLine",
    "startColumn",
    "endColumn",
    "stepNumber",
];

/// X1: claims what the runner was offered.
pub(crate) fn acquire(shared: &Shared, call: &Call, service: u64) -> Result<Answer, Refusal> {
    let agent = auth::runner(shared, call, RUN)?;
    let body = call.object(RUN, &["jobMessageId", "runnerOS", "billingOwnerId"])?;
    let request = guid(&body, "jobMessageId")?;
    let os = body.get("runnerOS").and_then(Value::as_str);
    if !os.is_some_and(|os| ["Linux", "macOS", "Windows"].contains(&os)) {
        return Err(RUN.invalid("runnerOS must be Linux, macOS or Windows"));
    }
    if body.get("billingOwnerId").and_then(Value::as_str) != Some(BILLING_OWNER) {
        return Err(RUN.invalid("billingOwnerId must echo the notification's billing_owner_id"));
    }
    match shared.with(|state, now| state.acquire(agent, request, service, now)) {
        Ok(claimed) => {
            tracing::info!(plan = %claimed.plan, agent, "job acquired");
            let answer = Answer::bytes(StatusCode::OK, "application/json; charset=utf-8", claimed.message);
            Ok(answer.with("x-plan-id", &claimed.plan.to_string()))
        }
        Err(AcquireError::Unknown) => {
            Err(RUN.refuse(StatusCode::NOT_FOUND, "the job is unknown, finished, or no longer on offer"))
        }
        Err(AcquireError::Taken) => Err(RUN.refuse(StatusCode::CONFLICT, "the job was already acquired")),
    }
}

/// Notes on the offer that its runner tries to claim it, also when a fault keeps the claim from the state.
pub(crate) fn note_claim(state: &mut State, call: &Call, now: Timestamp) {
    let Credential::Bearer(token) = call.credential() else { return };
    let Some(Subject::Runner { agent }) = state.grant(token, now).map(|grant| grant.subject.clone()) else {
        return;
    };
    let body: Option<Value> = serde_json::from_slice(&call.body).ok();
    let request = body.as_ref().and_then(|body| body.get("jobMessageId")?.as_str()?.parse().ok());
    if let Some(request) = request {
        state.note_claim(agent, request, now);
    }
}

/// X2: extends the lock.
pub(crate) fn renew(shared: &Shared, call: &Call, service: u64) -> Result<Answer, Refusal> {
    let job = own_job(shared, call, service)?;
    let body = call.object(RUN, &["planId", "jobId"])?;
    let (plan, named) = (guid(&body, "planId")?, guid(&body, "jobId")?);
    let until = shared.with(|state, now| state.renew(job, plan, named, now)).map_err(refuse)?;
    let until = format!("{}0Z", until.strftime("%Y-%m-%dT%H:%M:%S.%6f"));
    Ok(Answer::json(StatusCode::OK, &json!({"lockedUntil": until})))
}

/// X3: ends the job. Unknown keys are ignored as the live service seems to (protocol §5.4), and recorded; without
/// a known `conclusion` the zero value counts, which is success.
pub(crate) fn complete(shared: &Shared, call: &Call, service: u64, seq: u64) -> Result<Answer, Refusal> {
    let job = own_job(shared, call, service)?;
    let body = call.any_object(RUN)?;
    if let Some((key, of)) = unknown_key(&body) {
        super::violate(shared, seq, format!("'{key}' is not a key of {of}"));
    }
    let (plan, named) = (guid(&body, "planId")?, guid(&body, "jobId")?);
    let word = match body.get("conclusion") {
        None => {
            super::violate(shared, seq, "completejob without conclusion".into());
            "succeeded"
        }
        Some(value) => value.as_str().unwrap_or_default(),
    };
    let conclusion =
        conclusion(word).ok_or_else(|| RUN.invalid("conclusion is not one of the words of the protocol"))?;
    let completion = Completion {
        conclusion,
        word: word.to_owned(),
        outputs: body.get("outputs").cloned().unwrap_or_else(|| json!({})),
        annotations: annotations(&body),
    };
    shared.with(|state, now| state.complete(job, plan, named, completion, now)).map_err(refuse)?;
    tracing::info!(job_id = job, conclusion = conclusion.rest(), "job completed");
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// A step asks who it is. That the job is over changes nothing, as with its token.
pub(crate) fn id_token(shared: &Shared, call: &Call, service: u64) -> Result<Answer, Refusal> {
    let job = own_job(shared, call, service)?;
    call.no_body(RUN)?;
    let audience = call.parameter("audience").filter(|audience| !audience.is_empty());
    let token = shared.with(|state, now| state.id_token(job, audience, now));
    let token = token.ok_or_else(|| RUN.refuse(StatusCode::NOT_FOUND, "no such job"))?;
    Ok(Answer::json(StatusCode::OK, &json!({"count": 1, "value": token})))
}

/// The annotations of the whole job, then those of its steps.
fn annotations(body: &Map<String, Value>) -> Vec<Annotation> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all: Vec<Annotation> =
        list(body.get("annotations")).iter().map(|it| annotation(it, None)).collect();
    for step in list(body.get("stepResults")) {
        let number = step.get("number").and_then(Value::as_u64);
        all.extend(list(step.get("annotations")).iter().map(|it| annotation(it, number)));
    }
    all
}

fn annotation(value: &Value, step: Option<u64>) -> Annotation {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Annotation {
        level: text("level").unwrap_or_default(),
        message: text("message").unwrap_or_default(),
        title: text("title"),
        step,
    }
}

/// A key of a completion that the protocol does not name, and where it stands: the casing differs from list to list.
fn unknown_key(body: &Map<String, Value>) -> Option<(&str, &'static str)> {
    let objects = |list: &'static str| {
        let items = match body.get(list) {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(Value::Object(map)) => map.values().collect(),
            _ => Vec::new(),
        };
        items.into_iter().filter_map(Value::as_object)
    };
    let lists: [(&'static str, &[&str]); 4] = [
        ("stepResults", &STEP_KEYS),
        ("annotations", &ANNOTATION_KEYS),
        ("telemetry", &["message", "type"]),
        ("outputs", &["value", "isSecret"]),
    ];
    let inside = lists.into_iter().find_map(|(list, known)| {
        objects(list).find_map(|object| stranger(object, known)).map(|key| (key, list))
    });
    stranger(body, &COMPLETE_KEYS).map(|key| (key, "completejob")).or(inside)
}

fn stranger<'a>(object: &'a Map<String, Value>, known: &[&str]) -> Option<&'a str> {
    object.keys().map(String::as_str).find(|key| !known.contains(key))
}

/// The job of the token, which must be the one that the URL belongs to.
fn own_job(shared: &Shared, call: &Call, service: u64) -> Result<u64, Refusal> {
    let job = auth::job(shared, call, RUN)?;
    match job == service {
        true => Ok(job),
        false => {
            Err(RUN.refuse(StatusCode::NOT_FOUND, "no such job").violating("the URL is that of another job"))
        }
    }
}

/// The run service writes `canceled` (protocol §7.2).
fn conclusion(word: &str) -> Option<Conclusion> {
    match word {
        "succeeded" | "succeededWithIssues" => Some(Conclusion::Success),
        "failed" | "abandoned" => Some(Conclusion::Failure),
        "canceled" => Some(Conclusion::Cancelled),
        "skipped" => Some(Conclusion::Skipped),
        _ => None,
    }
}

fn refuse(error: LockError) -> Refusal {
    match error {
        LockError::NotAuthorized => {
            auth::unauthorized(RUN).violating("planId and jobId are not those of the token's job")
        }
        LockError::Over => RUN.refuse(StatusCode::NOT_FOUND, "the job is over"),
        LockError::Unstarted => auth::unauthorized(RUN),
    }
}

fn guid(body: &Map<String, Value>, key: &str) -> Result<Uuid, Refusal> {
    let text = body.get(key).and_then(Value::as_str);
    text.and_then(|text| Uuid::parse_str(text).ok())
        .ok_or_else(|| RUN.invalid(&format!("{key} must be a GUID")))
}
