//! Which token a request carries, and whether it is the right kind (protocol §0.4).

use http::StatusCode;
use jiff::Timestamp;

use super::answer::Refusal;
use super::call::{Call, Credential};
use super::route::{Dialect, Route};
use crate::fault::Caller;
use crate::shared::Shared;
use crate::state::State;
use crate::state::apps::App;
use crate::state::grants::{InstallationGrant, Subject};

/// For the record and the faults: the kind of the token, and whose request it is. A path that names an account counts
/// more than the token.
pub(crate) fn caller(
    state: &State,
    call: &Call,
    route: Option<&Route>,
    now: Timestamp,
) -> (&'static str, Caller) {
    let (kind, mut caller) = bearer_of(state, call, now);
    if let Some(account) = route.and_then(|route| account_in(state, route)) {
        caller.account = Some(account);
    }
    (kind, caller)
}

fn bearer_of(state: &State, call: &Call, now: Timestamp) -> (&'static str, Caller) {
    let token = match call.credential() {
        Credential::None => return ("none", Caller::default()),
        Credential::Unknown => return ("unknown", Caller::default()),
        Credential::Bearer(token) | Credential::RemoteAuth(token) => token,
    };
    let Some(grant) = state.grant(token, now) else {
        return match state.app_of(token, now) {
            Ok(app) => ("app-jwt", Caller { agent: None, account: Some(app.account.clone()) }),
            Err(_) => ("unknown", Caller::default()),
        };
    };
    let caller = match &grant.subject {
        Subject::Installation(grant) => Caller { agent: None, account: Some(grant.account.clone()) },
        Subject::Registration(scope) => Caller { agent: None, account: Some(scope.owner().to_owned()) },
        Subject::Runner { agent } => {
            let agent = state.agent(*agent);
            Caller {
                agent: agent.map(|agent| agent.name.clone()),
                account: agent.map(|agent| agent.scope.owner().to_owned()),
            }
        }
        Subject::Job { job } => Caller {
            agent: state.job(*job).and_then(|job| job.runner.as_ref()).map(|(_, name)| name.clone()),
            account: state.run_of_job(*job).map(|run| run.owner().to_owned()),
        },
        Subject::Workflow { .. } => Caller::default(),
    };
    (grant.subject.kind().word(), caller)
}

/// The account that a path names, by itself or by the id of what belongs to one.
fn account_in(state: &State, route: &Route) -> Option<String> {
    match route {
        Route::AccessTokens(installation) => state.installed(*installation).map(|app| app.account.clone()),
        Route::Token { client, .. } => {
            state.agent_of_client(client).map(|agent| agent.scope.owner().to_owned())
        }
        route => route.owner().map(str::to_owned),
    }
}

/// The bearer token, or the refusal of a request without one.
fn bearer(call: &Call, dialect: Dialect) -> Result<&str, Refusal> {
    match call.credential() {
        Credential::Bearer(token) => Ok(token),
        Credential::None => Err(unauthorized(dialect).violating("no Authorization")),
        Credential::RemoteAuth(_) => {
            Err(unauthorized(dialect).violating("scheme RemoteAuth where Bearer is due"))
        }
        Credential::Unknown => {
            Err(unauthorized(dialect).violating("the scheme word of Authorization is not Bearer"))
        }
    }
}

/// A plain 401.
pub(crate) fn unauthorized(dialect: Dialect) -> Refusal {
    match dialect {
        Dialect::Rest => dialect.refuse(StatusCode::UNAUTHORIZED, "Bad credentials"),
        Dialect::RunService => dialect.refuse(StatusCode::UNAUTHORIZED, "Not authorized for this job"),
        Dialect::Broker => {
            Dialect::broker(StatusCode::UNAUTHORIZED, "Unauthorized", "the token is not valid")
        }
        _ => dialect.refuse(StatusCode::UNAUTHORIZED, "the token is not valid"),
    }
}

/// Whom the request's token speaks for. An unknown or expired token is no violation: that happens to anyone.
fn subject(shared: &Shared, call: &Call, dialect: Dialect) -> Result<Subject, Refusal> {
    let token = bearer(call, dialect)?;
    let subject = shared.with(|state, now| state.grant(token, now).map(|grant| grant.subject.clone()));
    subject.ok_or_else(|| unauthorized(dialect))
}

fn wrong_kind(dialect: Dialect, subject: &Subject, due: &str) -> Refusal {
    let kind = subject.kind().word();
    unauthorized(dialect).violating(format!("a token of kind '{kind}' where one of kind '{due}' is due"))
}

/// The App whose JWT the request carries (protocol §1.1).
pub(crate) fn app(shared: &Shared, call: &Call) -> Result<App, Refusal> {
    let token = bearer(call, Dialect::Rest)?;
    shared.with(|state, now| match state.grant(token, now) {
        Some(grant) => Err(wrong_kind(Dialect::Rest, &grant.subject, "app-jwt")),
        None => match state.app_of(token, now).cloned() {
            Ok(app) => {
                state.note_secret(&app.account, "app-jwt", token);
                Ok(app)
            }
            Err(error) => {
                let text = format!("A JSON web token could not be decoded: {error}");
                let refusal = Dialect::Rest.refuse(StatusCode::UNAUTHORIZED, &text);
                // A wrong clock, key or id is somebody's configuration; a token of another form is a mistake in code.
                Err(if error.is_of_form() { refusal.violating(format!("App JWT: {error}")) } else { refusal })
            }
        },
    })
}

/// The installation whose token the request carries.
pub(crate) fn installation(shared: &Shared, call: &Call) -> Result<InstallationGrant, Refusal> {
    match subject(shared, call, Dialect::Rest) {
        Ok(Subject::Installation(grant)) => Ok(grant),
        Ok(other) => Err(wrong_kind(Dialect::Rest, &other, "installation")),
        Err(refusal) => {
            let Credential::Bearer(token) = call.credential() else { return Err(refusal) };
            match shared.with(|state, now| state.app_of(token, now).is_ok()) {
                true => {
                    Err(refusal
                        .violating("a token of kind 'app-jwt' where one of kind 'installation' is due"))
                }
                false => Err(refusal),
            }
        }
    }
}

/// The runner whose token the request carries.
pub(crate) fn runner(shared: &Shared, call: &Call, dialect: Dialect) -> Result<u64, Refusal> {
    match subject(shared, call, dialect)? {
        Subject::Runner { agent } => Ok(agent),
        other => Err(wrong_kind(dialect, &other, "runner")),
    }
}

/// The job whose token the request carries.
pub(crate) fn job(shared: &Shared, call: &Call, dialect: Dialect) -> Result<u64, Refusal> {
    match subject(shared, call, dialect)? {
        Subject::Job { job } => Ok(job),
        other => Err(wrong_kind(dialect, &other, "job")),
    }
}

/// Whether a held request's token is still valid, and until when.
pub(crate) fn valid_until(state: &State, call: &Call, now: Timestamp) -> Option<Timestamp> {
    match call.credential() {
        Credential::Bearer(token) => state.grant(token, now).map(|grant| grant.expires),
        _ => None,
    }
}
