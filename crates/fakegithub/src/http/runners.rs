//! Runner records in the REST API (protocol §2).

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth;
use super::call::Call;
use super::jit::jit_config;
use super::rest::{Page, REST, forbidden, not_found, permit, unprocessable};
use crate::shared::Shared;
use crate::state::agents::{Agent, DeleteError, NameTaken, Scope};
use crate::state::grants::InstallationGrant;
use crate::state::versions::Release;

/// Longest name of a runner.
const NAME_LIMIT: usize = 64;

/// The permission that runner calls need in a scope (protocol §1.3).
fn permit_runners(
    shared: &Shared,
    call: &Call,
    scope: &Scope,
    level: &str,
) -> Result<InstallationGrant, Refusal> {
    let grant = auth::installation(shared, call)?;
    let permission = match scope {
        Scope::Organization(_) => "organization_self_hosted_runners",
        Scope::Repository { .. } => "administration",
    };
    permit(&grant, scope, permission, level)?;
    Ok(grant)
}

/// R1.
pub(super) fn registration_token(shared: &Shared, call: &Call, scope: Scope) -> Result<Answer, Refusal> {
    permit_runners(shared, call, &scope, "write")?;
    call.no_body(REST)?;
    let (token, expires) = shared.with(|state, now| state.mint_registration(scope, now));
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    Ok(Answer::json(StatusCode::CREATED, &json!({"token": token, "expires_at": expires})))
}

/// R2: there is one group.
pub(super) fn groups(shared: &Shared, call: &Call, org: String) -> Result<Answer, Refusal> {
    permit_runners(shared, call, &Scope::Organization(org), "read")?;
    let group = json!({
        "id": 1, "name": "Default", "visibility": "all", "default": true, "inherited": false,
        "allows_public_repositories": false, "restricted_to_workflows": false, "selected_workflows": [],
    });
    let page = Page::read(call)?;
    let (items, more) = page.cut(vec![group]);
    let answer = Answer::json(StatusCode::OK, &json!({"total_count": 1, "runner_groups": items}));
    Ok(page.link(shared, call, answer, more))
}

/// What the body of R3 asks for.
#[derive(Debug)]
struct Wanted {
    name: String,
    group: u64,
    labels: Vec<String>,
    work_folder: String,
}

impl Wanted {
    fn read(call: &Call) -> Result<Self, Refusal> {
        let body = call.object(REST, &["name", "runner_group_id", "labels", "work_folder"])?;
        let missing = |key: &str| {
            let text = format!("Invalid request.\n\n\"{key}\" wasn't supplied or is of the wrong type.");
            unprocessable(key, &text).violating(text)
        };
        let name = body.get("name").and_then(Value::as_str).ok_or_else(|| missing("name"))?;
        let group =
            body.get("runner_group_id").and_then(Value::as_u64).ok_or_else(|| missing("runner_group_id"))?;
        let labels = body.get("labels").and_then(Value::as_array).ok_or_else(|| missing("labels"))?;
        let labels: Option<Vec<String>> =
            labels.iter().map(|label| label.as_str().map(str::to_owned)).collect();
        let labels =
            labels.filter(|all| all.iter().all(|one| !one.is_empty())).ok_or_else(|| missing("labels"))?;
        let work_folder = match body.get("work_folder") {
            None => "_work",
            Some(value) => value.as_str().ok_or_else(|| missing("work_folder"))?,
        };
        if name.is_empty() || name.chars().count() > NAME_LIMIT {
            return Err(unprocessable("name", "The name must have 1 to 64 characters"));
        }
        if !(1..=100).contains(&labels.len()) {
            return Err(unprocessable("labels", "There must be 1 to 100 labels"));
        }
        Ok(Self { name: name.to_owned(), group, labels, work_folder: work_folder.to_owned() })
    }
}

/// R3: mints a runner record and its credentials.
pub(super) async fn generate(shared: &Arc<Shared>, call: &Call, scope: Scope) -> Result<Answer, Refusal> {
    permit_runners(shared, call, &scope, "write")?;
    let wanted = Wanted::read(call)?;
    match wanted.group {
        1 => {}
        2 => return Err(forbidden()),
        _ => return Err(not_found()),
    }
    if let Some(label) = refused_label(shared, &wanted) {
        return Err(unprocessable("labels", &format!("Validation Failed: label '{label}' is reserved")));
    }
    // A taken name is refused before anything is made (protocol §2.3).
    let taken = || {
        let text = format!("Already exists - A runner with the name {} already exists.", wanted.name);
        REST.refuse(StatusCode::CONFLICT, &text)
    };
    if shared.with(|state, _| state.agent_named(&scope, &wanted.name).is_some()) {
        return Err(taken());
    }
    let pool = Arc::clone(shared);
    let key = match tokio::task::spawn_blocking(move || pool.keys.take()).await {
        Ok(Ok(key)) => key,
        _ => return Err(REST.refuse(StatusCode::INTERNAL_SERVER_ERROR, "failed to generate an RSA key")),
    };
    let made = shared.with(|state, now| {
        let account = scope.owner().to_owned();
        let (name, labels) = (&wanted.name, wanted.labels.clone());
        let agent = state.register_agent(scope, name, wanted.group, labels, Arc::clone(&key), now)?.clone();
        let blob = jit_config(state, &agent, &wanted.work_folder);
        state.note_runner_key(&account, &blob, &key);
        Ok::<Value, NameTaken>(json!({"runner": runner(&agent), "encoded_jit_config": blob}))
    });
    let body = made.map_err(|_| taken())?;
    tracing::info!(agent = wanted.name, "runner registered");
    Ok(Answer::json(StatusCode::CREATED, &body))
}

/// The first label that a lever refuses.
fn refused_label(shared: &Shared, wanted: &Wanted) -> Option<String> {
    shared.with(|state, _| {
        let refused = &state.settings.refused_labels;
        let meets = |label: &&String| refused.iter().any(|it| it.eq_ignore_ascii_case(label));
        wanted.labels.iter().find(meets).cloned()
    })
}

/// A record as the REST API shows it.
fn runner(agent: &Agent) -> Value {
    let labels: Vec<Value> =
        agent.labels.iter().enumerate().map(|(index, name)| label(index, name)).collect();
    let mut runner = json!({
        "id": agent.id, "runner_group_id": agent.group, "name": agent.name, "os": agent.os,
        "status": if agent.session.is_some() { "online" } else { "offline" },
        "busy": agent.job.is_some(), "ephemeral": true, "labels": labels,
    });
    if let (Some(version), Some(object)) = (&agent.version, runner.as_object_mut()) {
        object.insert("version".into(), json!(version));
    }
    runner
}

fn label(index: usize, name: &str) -> Value {
    let known = ["self-hosted", "linux", "x64", "arm64"].iter().any(|it| it.eq_ignore_ascii_case(name));
    match known {
        true => json!({"id": 0, "name": name, "type": "read-only"}),
        false => json!({"id": 50 + index, "name": name, "type": "custom"}),
    }
}

/// R4.
pub(super) fn list(shared: &Shared, call: &Call, scope: &Scope) -> Result<Answer, Refusal> {
    permit_runners(shared, call, scope, "read")?;
    let page = Page::read(call)?;
    let name = call.parameter("name");
    let all: Vec<Value> = shared.with(|state, _| {
        let named = |agent: &&Agent| name.is_none_or(|name| agent.name.eq_ignore_ascii_case(name));
        state.agents_of(scope).filter(named).map(runner).collect()
    });
    let total = all.len();
    let (items, more) = page.cut(all);
    let answer = Answer::json(StatusCode::OK, &json!({"total_count": total, "runners": items}));
    Ok(page.link(shared, call, answer, more))
}

/// R5.
pub(super) fn get(shared: &Shared, call: &Call, scope: &Scope, id: u64) -> Result<Answer, Refusal> {
    permit_runners(shared, call, scope, "read")?;
    let found = shared.with(|state, _| state.agents_of(scope).find(|agent| agent.id == id).map(runner));
    found.map(|runner| Answer::json(StatusCode::OK, &runner)).ok_or_else(not_found)
}

/// R6.
pub(super) fn delete(shared: &Shared, call: &Call, scope: &Scope, id: u64) -> Result<Answer, Refusal> {
    permit_runners(shared, call, scope, "write")?;
    call.no_body(REST)?;
    match shared.with(|state, now| state.delete_agent(scope, id, now)) {
        Ok(()) => Ok(Answer::empty(StatusCode::NO_CONTENT)),
        Err(DeleteError::NotFound) => Err(not_found()),
        Err(DeleteError::Busy(name)) => {
            let text = format!("Runner {name} is currently running a job and cannot be deleted.");
            Err(REST.refuse(StatusCode::UNPROCESSABLE_ENTITY, &text))
        }
    }
}

/// R9: until when a version is served. `registration_deprecates_at` stands in no live answer.
pub(super) fn deprecation(
    shared: &Shared,
    call: &Call,
    scope: &Scope,
    version: &str,
) -> Result<Answer, Refusal> {
    permit_runners(shared, call, scope, "read")?;
    call.no_body(REST)?;
    let release: Release = version.parse().map_err(|_| not_found())?;
    let end = shared.with(|state, _| state.settings.versions.end(release)).ok_or_else(not_found)?;
    Ok(Answer::json(StatusCode::OK, &json!({"runner_version": release, "runtime_deprecates_at": end})))
}
