//! The broker: sessions and their long polls (protocol §4).

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{Answer, Refusal};
use super::auth;
use super::call::Call;
use super::route::Dialect;
use crate::shared::Shared;
use crate::state::sessions::{Message, Poll, SessionError, Status};
use crate::state::versions::Release;

const BROKER: Dialect = Dialect::Broker;

const SESSION_KEYS: [&str; 4] = ["sessionId", "ownerName", "agent", "useFipsEncryption"];
const AGENT_KEYS: [&str; 9] = [
    "id",
    "name",
    "version",
    "osDescription",
    "ephemeral",
    "status",
    "provisioningState",
    "enabled",
    "disableUpdate",
];

/// B1: opens the session of the token's runner.
pub(crate) fn create_session(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let agent_id = auth::runner(shared, call, BROKER)?;
    let body = call.object(BROKER, &SESSION_KEYS)?;
    let owner = required_text(&body, "ownerName")?;
    let session = body.get("sessionId").filter(|id| !id.is_null());
    if session.is_some_and(|id| id.as_str().is_none_or(|id| Uuid::parse_str(id).is_err())) {
        return Err(BROKER.invalid("sessionId must be a GUID"));
    }
    let Some(Value::Bool(fips)) = body.get("useFipsEncryption") else {
        return Err(BROKER.invalid("useFipsEncryption must be a boolean"));
    };
    let Some(Value::Object(agent)) = body.get("agent") else {
        return Err(BROKER.invalid("agent must be an object"));
    };
    if let Some(key) = agent.keys().find(|key| !AGENT_KEYS.contains(&key.as_str())) {
        return Err(BROKER.invalid(&format!("agent.{key} is not a known key")));
    }
    let (name, version) = (required_text(agent, "name")?, required_text(agent, "version")?);
    let known = shared.with(|state, _| state.agent(agent_id).map(|agent| agent.name.clone()));
    if agent.get("id").and_then(Value::as_u64) != Some(agent_id) {
        return Err(BROKER.invalid("agent.id is not the id of the token's runner"));
    }
    if known.is_some_and(|known| known != name) {
        return Err(BROKER.invalid("agent.name is not the name of the token's runner"));
    }
    admit(shared, agent_id, release(version)?)?;
    let os = agent.get("osDescription").and_then(Value::as_str).and_then(|text| text.split(' ').next());
    let (id, key) =
        shared.with(|state, now| state.create_session(agent_id, owner, os, version, now)).map_err(refuse)?;
    tracing::info!(agent = name, session = %id, "session opened");
    let mut answer = json!({
        "sessionId": id,
        "ownerName": owner,
        "agent": {"id": agent_id, "name": name, "version": version, "status": "offline"},
        "useFipsEncryption": fips,
    });
    if let (Some(key), Some(object)) = (key, answer.as_object_mut()) {
        let sha256 =
            shared.with(|state, _| state.settings.encryption == crate::envelope::Encryption::RsaSha256);
        object.insert("encryptionKey".into(), key);
        object.insert("useFipsEncryption".into(), json!(sha256));
    }
    Ok(Answer::json(StatusCode::OK, &answer))
}

/// B4: closes the session of the token's runner; nothing else names it.
pub(crate) fn delete_session(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let agent = auth::runner(shared, call, BROKER)?;
    call.no_body(BROKER)?;
    shared.with(|state, _| state.delete_session(agent)).map_err(refuse)?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// What the query of a poll or an acknowledgement says.
#[derive(Debug)]
struct Query {
    session: Uuid,
    status: Status,
}

impl Query {
    fn read(shared: &Shared, call: &Call, poll: bool) -> Result<Self, Refusal> {
        let get = |name: &str| {
            call.parameter(name).ok_or_else(|| BROKER.invalid(&format!("the parameter {name} is missing")))
        };
        let one_of = |name: &str, values: &[&str]| {
            let value = get(name)?;
            match values.iter().any(|known| known.eq_ignore_ascii_case(value)) {
                true => Ok(()),
                false => Err(BROKER.invalid(&format!("{name} must be one of {values:?}"))),
            }
        };
        let session =
            Uuid::parse_str(get("sessionId")?).map_err(|_| BROKER.invalid("sessionId must be a GUID"))?;
        let status = Status::from_query(get("status")?)
            .ok_or_else(|| BROKER.invalid("status must be Online, Busy or Offline"))?;
        one_of("os", &["Linux", "macOS", "Windows"])?;
        one_of("architecture", &["X64", "ARM64", "X86", "ARM"])?;
        let release = release(get("runnerVersion")?)?;
        if poll {
            one_of("disableUpdate", &["true", "false"])?;
            // A runner that updates itself would be told to, and is not refused (protocol §4.3).
            let updates = get("disableUpdate")?.eq_ignore_ascii_case("false");
            if !updates && shared.with(|state, now| state.settings.versions.refuses(release, now)) {
                let text = format!("runner version v{release} is deprecated and cannot receive messages");
                return Err(Dialect::broker(StatusCode::FORBIDDEN, "RunnerVersionTooOld", &text));
            }
        }
        Ok(Self { session, status })
    }
}

/// B3: noted on the offer; what it changes is a lever.
pub(crate) fn acknowledge(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let agent = auth::runner(shared, call, BROKER)?;
    Query::read(shared, call, false)?;
    let body = call.object(BROKER, &["runnerRequestId"])?;
    let request = required_text(&body, "runnerRequestId")?;
    let request = Uuid::parse_str(request).map_err(|_| BROKER.invalid("runnerRequestId must be a GUID"))?;
    match shared.with(|state, now| state.acknowledge(agent, request, now)) {
        true => Ok(Answer::empty(StatusCode::OK)),
        false => Err(Dialect::broker(StatusCode::NOT_FOUND, "AcknowledgeJobNotFound", "no such job request")),
    }
}

/// Keeps a session alive while its poll is held, also when the client goes away.
struct Parked<'a> {
    shared: &'a Shared,
    session: Uuid,
    turn: u64,
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.shared.with(|state, now| state.end_poll(self.session, self.turn, now));
    }
}

/// B2: waits for a message.
pub(crate) async fn message(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Refusal> {
    let agent = auth::runner(shared, call, BROKER)?;
    call.no_body(BROKER)?;
    let Query { session, status } = Query::read(shared, call, true)?;
    let mut changes = shared.changes();
    let (turn, hold) =
        shared.with(|state, now| (state.begin_poll(agent, session, now), state.settings.timers.hold()));
    let _parked = Parked { shared, session, turn };
    let deadline = Instant::now() + positive(hold);
    loop {
        changes.mark_unchanged();
        // The token may run out, or be revoked, while the poll is held.
        let seen = shared.with(|state, now| {
            let valid = auth::valid_until(state, call, now)?;
            Some((state.poll(agent, session, turn, status, now), valid, now))
        });
        let Some((poll, valid, now)) = seen else { return Err(auth::unauthorized(BROKER)) };
        let look_again = match poll.map_err(refuse)? {
            Poll::Message(message) => return Ok(deliver(&message)),
            Poll::Gone => return Ok(Answer::empty(StatusCode::OK)),
            Poll::Superseded => return Ok(Answer::empty(StatusCode::ACCEPTED)),
            Poll::Wait(until) => wake(until.map_or(valid, |until| until.min(valid)), now, deadline),
        };
        tokio::select! {
            () = tokio::time::sleep_until(look_again) => {
                if look_again >= deadline {
                    return Ok(Answer::empty(StatusCode::ACCEPTED));
                }
            }
            _ = changes.changed() => {}
            () = shared.stop.cancelled() => return Ok(Answer::empty(StatusCode::ACCEPTED)),
        }
    }
}

/// When a held poll looks again by itself.
fn wake(until: Timestamp, now: Timestamp, deadline: Instant) -> Instant {
    (Instant::now() + positive(until.duration_since(now))).min(deadline)
}

fn positive(duration: SignedDuration) -> Duration {
    // Bounded, so that adding it to an instant cannot overflow.
    Duration::try_from(duration).unwrap_or_default().min(Duration::from_secs(86_400))
}

fn deliver(message: &Message) -> Answer {
    let mut body = json!({"messageId": message.id, "messageType": message.kind, "body": message.body});
    if let (Some(iv), Some(object)) = (&message.iv, body.as_object_mut()) {
        object.insert("iv".into(), json!(iv));
    }
    Answer::json(StatusCode::OK, &body)
}

fn refuse(error: SessionError) -> Refusal {
    match error {
        SessionError::Unauthorized => auth::unauthorized(BROKER),
        SessionError::RunnerNotFound => {
            Dialect::broker(StatusCode::NOT_FOUND, "RunnerNotFound", "the runner is not registered")
        }
        SessionError::Invalid => {
            Dialect::broker(StatusCode::NOT_FOUND, "RunnerSessionInvalid", "the runner has no such session")
        }
        SessionError::Conflict => {
            Dialect::broker(StatusCode::CONFLICT, "SessionConflict", "the runner has a session already")
        }
    }
}

fn required_text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refusal> {
    let text = object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| BROKER.invalid(&format!("{key} must be a non-empty string")))
}

fn release(version: &str) -> Result<Release, Refusal> {
    version.parse().map_err(|_| BROKER.invalid("the version is not that of a runner release"))
}

/// B1 takes any version, as at GitHub, where a lever does not say otherwise. It then answers what is no broker's error:
/// the official runner would read none (protocol §4.1).
fn admit(shared: &Shared, agent: u64, release: Release) -> Result<(), Refusal> {
    let minimum = shared.with(|state, now| {
        let account = state.agent(agent).map_or("", |agent| agent.scope.owner());
        let refuses = *state.settings.choices.session_refuses_versions.of(account);
        let versions = &state.settings.versions;
        (refuses && versions.refuses(release, now)).then(|| versions.oldest(now))
    });
    let Some(minimum) = minimum else { return Ok(()) };
    let text = format!("runner version {release} is too old, the minimum version is {minimum}");
    Err(Answer::text(StatusCode::BAD_REQUEST, &text).into())
}
