//! The REST API: rate limits around it, Apps and `/meta` in it (protocol §1, §8).

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use http::header::IF_NONE_MATCH;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, Refusal};
use super::auth;
use super::call::{Call, Credential};
use super::route::{Dialect, Route};
use super::{runners, runs};
use crate::shared::Shared;
use crate::state::State;
use crate::state::agents::Scope;
use crate::state::apps::{App, MintError, Narrowing};
use crate::state::grants::{InstallationGrant, Subject};
use crate::state::rates::Rate;

pub(super) const REST: Dialect = Dialect::Rest;

/// Registrations an hour (protocol §1.6).
const REGISTRATION_LIMIT: u64 = 10_000;

/// Any endpoint of the REST API, with its rate limit.
pub(super) async fn answer(shared: &Arc<Shared>, call: &Call, route: Route) -> Result<Answer, Refusal> {
    let resource = match route {
        Route::RegistrationToken(_) | Route::JitConfig(_) => "actions_runner_registration",
        _ => "core",
    };
    let cost = u64::from(route != Route::RateLimit);
    let (rate, within) = spend(shared, call, resource, cost);
    let outcome = match within {
        true => dispatch(shared, call, route).await,
        false => Err(REST.refuse(StatusCode::FORBIDDEN, "API rate limit exceeded")),
    };
    match outcome {
        Ok(answer) => Ok(with_rate(answer, rate)),
        Err(Refusal { answer, violation }) => {
            Err(Refusal { answer: Box::new(with_rate(*answer, rate)), violation })
        }
    }
}

async fn dispatch(shared: &Arc<Shared>, call: &Call, route: Route) -> Result<Answer, Refusal> {
    match route {
        Route::App => app(shared, call),
        Route::AccessTokens(installation) => access_tokens(shared, call, installation),
        Route::Installations => installations(shared, call),
        Route::InstallationOn(scope) => installation_on(shared, call, &scope),
        Route::RateLimit => rate_limit(shared, call),
        Route::Meta => meta(shared, call),
        Route::RegistrationToken(scope) => runners::registration_token(shared, call, scope),
        Route::RunnerGroups(org) => runners::groups(shared, call, org),
        Route::JitConfig(scope) => runners::generate(shared, call, scope).await,
        Route::Runners(scope) => runners::list(shared, call, &scope),
        Route::Runner(scope, id) => runners::get(shared, call, &scope, id),
        Route::DeleteRunner(scope, id) => runners::delete(shared, call, &scope, id),
        Route::Deprecation(scope, version) => runners::deprecation(shared, call, &scope, &version),
        Route::Enterprise => Err(forbidden().violating("an App cannot register enterprise runners")),
        route => runs::answer(shared, call, route),
    }
}

/// Counts a request against whoever made it.
fn spend(shared: &Shared, call: &Call, resource: &'static str, cost: u64) -> (Rate, bool) {
    shared.with(|state, now| {
        let subject = rate_subject(state, call, now);
        let limit = match resource {
            "core" => state.settings.rate_limit,
            _ => REGISTRATION_LIMIT.min(state.settings.rate_limit),
        };
        let window = state.settings.timers.rate_window();
        state.rates.spend(&subject, resource, cost, limit, window, now)
    })
}

fn rate_subject(state: &State, call: &Call, now: Timestamp) -> String {
    let Credential::Bearer(token) = call.credential() else { return "address".into() };
    match state.grant(token, now).map(|grant| &grant.subject) {
        Some(Subject::Installation(grant)) => format!("installation of app {}", grant.app),
        Some(_) => "other".into(),
        None => state.app_of(token, now).map_or_else(|_| "address".into(), |app| format!("app {}", app.id)),
    }
}

fn with_rate(answer: Answer, rate: Rate) -> Answer {
    answer
        .with("x-ratelimit-limit", &rate.limit.to_string())
        .with("x-ratelimit-remaining", &rate.remaining().to_string())
        .with("x-ratelimit-used", &rate.used.to_string())
        .with("x-ratelimit-reset", &rate.reset.as_second().to_string())
        .with("x-ratelimit-resource", rate.resource)
}

/// What GitHub says when a permission is missing.
pub(super) fn forbidden() -> Refusal {
    REST.refuse(StatusCode::FORBIDDEN, "Resource not accessible by integration")
}

pub(super) fn not_found() -> Refusal {
    REST.refuse(StatusCode::NOT_FOUND, "Not Found")
}

/// A 422 that names the field (protocol §1.2).
pub(super) fn unprocessable(field: &str, message: &str) -> Refusal {
    Dialect::unprocessable(message, json!([{"resource": "Runner", "field": field, "code": "invalid"}]))
}

/// Checks that a token reaches a scope and may do something there.
pub(super) fn permit(
    grant: &InstallationGrant,
    scope: &Scope,
    permission: &str,
    level: &str,
) -> Result<(), Refusal> {
    let named = match scope {
        Scope::Organization(_) => true,
        Scope::Repository { name, .. } => grant
            .repositories
            .as_ref()
            .is_none_or(|all| all.iter().any(|known| known.eq_ignore_ascii_case(name))),
    };
    if !named || !grant.account.eq_ignore_ascii_case(scope.owner()) {
        return Err(not_found());
    }
    match grant.permissions.get(permission).map(String::as_str) {
        Some("write") => Ok(()),
        Some("read") if level == "read" => Ok(()),
        _ => Err(forbidden()),
    }
}

/// `per_page` and `page`, checked.
pub(super) struct Page {
    pub(super) size: usize,
    pub(super) number: usize,
}

impl Page {
    pub(super) fn read(call: &Call) -> Result<Self, Refusal> {
        let number =
            |name: &str, default: usize, max: usize| match call.parameter(name).map(str::parse::<usize>) {
                None => Ok(default),
                Some(Ok(value)) if (1..=max).contains(&value) => Ok(value),
                Some(_) => Err(REST.invalid(&format!("{name} is out of range"))),
            };
        Ok(Self { size: number("per_page", 30, 100)?, number: number("page", 1, 1_000_000)? })
    }

    /// The items of this page, and whether there are more.
    pub(super) fn cut<T>(&self, all: Vec<T>) -> (Vec<T>, bool) {
        let skip = (self.number - 1) * self.size;
        let more = all.len() > skip + self.size;
        (all.into_iter().skip(skip).take(self.size).collect(), more)
    }

    /// Adds the `Link` header to the next page.
    pub(super) fn link(&self, shared: &Shared, call: &Call, answer: Answer, more: bool) -> Answer {
        if !more {
            return answer;
        }
        let base = shared.with(|state, _| state.base.clone());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in call.query.iter().filter(|(name, _)| name != "page") {
            query.append_pair(name, value);
        }
        query.append_pair("page", &(self.number + 1).to_string());
        answer.with("link", &format!("<{base}{}?{}>; rel=\"next\"", call.path, query.finish()))
    }
}

fn app(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let app = auth::app(shared, call)?;
    let body = json!({
        "id": app.id, "slug": format!("app-{}", app.id), "client_id": app.client_id, "name": format!("app {}", app.id),
        "owner": {"login": app.account, "id": 5001}, "permissions": app.permissions, "events": [],
        "installations_count": 1,
    });
    Ok(Answer::json(StatusCode::OK, &body))
}

fn installation(app: &App, base: &str) -> Value {
    json!({
        "id": app.installation, "app_id": app.id, "client_id": app.client_id, "target_type": app.account_type,
        "account": {"login": app.account, "id": 5001, "type": app.account_type},
        "repository_selection": selection(&app.repositories),
        "suspended_at": app.suspended, "permissions": app.permissions,
        "access_tokens_url": format!("{base}/api/v3/app/installations/{}/access_tokens", app.installation),
    })
}

fn selection(repositories: &Option<Vec<String>>) -> &'static str {
    if repositories.is_some() { "selected" } else { "all" }
}

fn installations(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let app = auth::app(shared, call)?;
    let base = shared.with(|state, _| state.base.clone());
    let page = Page::read(call)?;
    let (items, more) = page.cut(vec![installation(&app, &base)]);
    Ok(page.link(shared, call, Answer::json(StatusCode::OK, &json!(items)), more))
}

fn installation_on(shared: &Shared, call: &Call, scope: &Scope) -> Result<Answer, Refusal> {
    let app = auth::app(shared, call)?;
    let base = shared.with(|state, _| state.base.clone());
    let here = app.account.eq_ignore_ascii_case(scope.owner());
    let named = match (scope, &app.repositories) {
        (Scope::Repository { name, .. }, Some(granted)) => {
            granted.iter().any(|it| it.eq_ignore_ascii_case(name))
        }
        _ => true,
    };
    match here && named {
        true => Ok(Answer::json(StatusCode::OK, &installation(&app, &base))),
        false => Err(not_found()),
    }
}

/// A2.
fn access_tokens(shared: &Shared, call: &Call, id: u64) -> Result<Answer, Refusal> {
    let app = auth::app(shared, call)?;
    let body = call.optional_object(REST, &["repositories", "repository_ids", "permissions"])?;
    let narrowing = narrowing(&body)?;
    let named = narrowing.repositories.clone();
    let minted = shared.with(|state, now| state.mint_installation(app.id, id, narrowing, now));
    let (token, expires, grant) = minted.map_err(|error| match error {
        MintError::NotFound => not_found(),
        MintError::Suspended => REST.refuse(StatusCode::FORBIDDEN, "This installation has been suspended"),
        MintError::NotGranted(what) => unprocessable("permissions", &format!("The {what} was not granted")),
    })?;
    let mut answer = json!({
        "token": token, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "permissions": grant.permissions, "repository_selection": selection(&grant.repositories),
    });
    if let (Some(named), Some(object)) = (named, answer.as_object_mut()) {
        let full =
            |name: &String| json!({"id": 42, "name": name, "full_name": format!("{}/{name}", grant.account)});
        object.insert("repositories".into(), named.iter().map(full).collect());
    }
    Ok(Answer::json(StatusCode::CREATED, &answer))
}

fn narrowing(body: &Map<String, Value>) -> Result<Narrowing, Refusal> {
    let repositories = match body.get("repositories") {
        None => None,
        Some(value) => Some(
            serde_json::from_value::<Vec<String>>(value.clone())
                .ok()
                .filter(|names| names.len() <= 500)
                .ok_or_else(|| unprocessable("repositories", "repositories must be at most 500 names"))?,
        ),
    };
    let permissions = match body.get("permissions") {
        None => None,
        Some(value) => Some(
            serde_json::from_value::<BTreeMap<String, String>>(value.clone())
                .map_err(|_| unprocessable("permissions", "permissions must be a map"))?,
        ),
    };
    if body.contains_key("repository_ids") {
        return Err(unprocessable("repository_ids", "repositories have no ids here: name them"));
    }
    Ok(Narrowing { repositories, permissions })
}

/// A5: looks at the limits without spending.
fn rate_limit(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    auth::installation(shared, call)?;
    let look = |resource| {
        let (rate, _) = spend(shared, call, resource, 0);
        json!({"limit": rate.limit, "used": rate.used, "remaining": rate.remaining(), "reset": rate.reset.as_second()})
    };
    let core = look("core");
    let body = json!({
        "resources": {"core": core, "actions_runner_registration": look("actions_runner_registration")},
        "rate": core,
    });
    Ok(Answer::json(StatusCode::OK, &body))
}

/// M1, with an `ETag` of its content. It takes no token, but none that is wrong.
fn meta(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    if call.credential() != Credential::None && auth::app(shared, call).is_err() {
        auth::installation(shared, call)?;
    }
    let body = shared.with(|state, _| state.settings.meta.clone());
    let digest = Sha256::digest(body.to_string().as_bytes());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("W/\"{short}\"");
    let known = call.header(IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag));
    let answer = match known {
        true => Answer::empty(StatusCode::NOT_MODIFIED),
        false => Answer::json(StatusCode::OK, &body),
    };
    Ok(answer.with("etag", &etag))
}
