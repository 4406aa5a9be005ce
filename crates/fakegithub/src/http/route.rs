//! Which endpoint a path names (protocol §0.7), and in which dialect that endpoint speaks.

use http::{Method, StatusCode};
use serde_json::{Value, json};

mod results;

pub(crate) use results::{LogKind, ResultsMethod};

use super::answer::{Answer, Refusal};
use crate::state::agents::{Scope, TokenService};
use crate::state::runs::Rerun;

/// Where each error of the REST API says that it is explained.
const DOCUMENTATION: &str = "https://docs.github.example/rest";

/// An endpoint with what its path says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Route {
    App,
    AccessTokens(u64),
    Installations,
    InstallationOn(Scope),
    RateLimit,
    RegistrationToken(Scope),
    RunnerGroups(String),
    JitConfig(Scope),
    Runners(Scope),
    Runner(Scope, u64),
    DeleteRunner(Scope, u64),
    Deprecation(Scope, String),
    Enterprise,
    Token {
        service: TokenService,
        client: String,
    },
    CreateSession,
    Message,
    Acknowledge,
    DeleteSession,
    Acquire(u64),
    Renew(u64),
    Complete(u64),
    Rerun(Scope, u64, Rerun),
    RerunJob(Scope, u64),
    Runs(Scope),
    Run(Scope, u64, Option<u64>),
    RunJobs(Scope, u64, Option<u64>),
    Job(Scope, u64),
    Cancel(Scope, u64),
    ForceCancel(Scope, u64),
    Meta,
    ResolveActions {
        plan: String,
        job: String,
    },
    IdToken(u64),
    Results(ResultsMethod),
    Blob(String),
    /// What the official worker or a step may ask for by itself, and this server does not have.
    Unserved,
}

/// How an endpoint words its errors (protocol §0.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Rest,
    OAuth,
    Broker,
    RunService,
    Twirp,
    Blob,
}

impl Dialect {
    /// The dialect of a path that names no endpoint.
    pub(crate) fn of_path(segments: &[&str]) -> Self {
        match segments.first() {
            Some(&"broker") => Dialect::Broker,
            Some(&"run-service") => Dialect::RunService,
            Some(&"results") => Dialect::Twirp,
            Some(&"blobs") => Dialect::Blob,
            Some(&"tenant-1") => Dialect::OAuth,
            _ => Dialect::Rest,
        }
    }

    /// An error in this dialect.
    pub(crate) fn refuse(self, status: StatusCode, message: &str) -> Refusal {
        let code = status.as_u16();
        let body = match self {
            Dialect::Rest => json!({
                "message": message,
                "documentation_url": DOCUMENTATION,
                "status": code.to_string(),
            }),
            Dialect::OAuth => json!({"error": "invalid_request", "error_description": message}),
            Dialect::Broker => return Self::broker(status, "BadRequest", message),
            Dialect::RunService => {
                json!({"source": "actions-run-service", "statusCode": code, "errorMessage": message})
            }
            Dialect::Twirp => json!({"code": twirp_code(status), "msg": message}),
            Dialect::Blob => {
                let text = format!(
                    "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
                );
                return Answer::bytes(status, "application/xml", text.into()).into();
            }
        };
        Answer::json(status, &body).into()
    }

    /// An error of the broker, whose clients decide on `errorKind` (protocol §4.1).
    pub(crate) fn broker(status: StatusCode, kind: &str, message: &str) -> Refusal {
        let body = json!({
            "source": "actions-broker-listener",
            "errorKind": kind,
            "statusCode": status.as_u16(),
            "errorMessage": message,
        });
        Answer::json(status, &body).into()
    }

    /// A request that breaks the protocol: 422 in the REST API, 400 elsewhere.
    pub(crate) fn invalid(self, message: &str) -> Refusal {
        let refusal = match self {
            Dialect::Rest => Self::unprocessable(message, json!([message])),
            _ => self.refuse(StatusCode::BAD_REQUEST, message),
        };
        refusal.violating(message)
    }

    /// A 422 of the REST API with its list of errors (protocol §1.2).
    pub(crate) fn unprocessable(message: &str, errors: Value) -> Refusal {
        let body = json!({"message": message, "documentation_url": DOCUMENTATION, "status": "422", "errors": errors});
        Answer::json(StatusCode::UNPROCESSABLE_ENTITY, &body).into()
    }
}

fn twirp_code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "unauthenticated",
        403 => "permission_denied",
        404 => "not_found",
        _ => "invalid_argument",
    }
}

impl Route {
    /// The id in the protocol's endpoint index; what has none there goes by a name.
    pub(crate) fn id(&self) -> &'static str {
        match self {
            Route::App => "A1",
            Route::AccessTokens(_) => "A2",
            Route::Installations => "A3",
            Route::InstallationOn(_) => "A4",
            Route::RateLimit => "A5",
            Route::RegistrationToken(_) => "R1",
            Route::RunnerGroups(_) => "R2",
            Route::JitConfig(_) | Route::Enterprise => "R3",
            Route::Runners(_) => "R4",
            Route::Runner(..) => "R5",
            Route::DeleteRunner(..) => "R6",
            Route::Deprecation(..) => "R9",
            Route::Token { .. } => "O1",
            Route::CreateSession => "B1",
            Route::Message => "B2",
            Route::Acknowledge => "B3",
            Route::DeleteSession => "B4",
            Route::Acquire(_) => "X1",
            Route::Renew(_) => "X2",
            Route::Complete(_) => "X3",
            Route::Rerun(_, _, Rerun::Failed) => "J1",
            Route::Rerun(..) => "J2",
            Route::RerunJob(..) => "J3",
            Route::Runs(_) | Route::Run(..) => "J4",
            Route::RunJobs(..) => "J5",
            Route::Job(..) => "J6",
            Route::Cancel(..) => "J7",
            Route::ForceCancel(..) => "J8",
            Route::Meta => "M1",
            Route::ResolveActions { .. } => "ResolveActions",
            Route::IdToken(_) => "IdToken",
            Route::Results(method) => method.name(),
            Route::Blob(_) => "Blob",
            Route::Unserved => "Unserved",
        }
    }

    /// The owner that the path names.
    pub(crate) fn owner(&self) -> Option<&str> {
        match self {
            Route::RunnerGroups(org) => Some(org),
            Route::InstallationOn(scope)
            | Route::RegistrationToken(scope)
            | Route::JitConfig(scope)
            | Route::Runners(scope)
            | Route::Runner(scope, _)
            | Route::DeleteRunner(scope, _)
            | Route::Deprecation(scope, _)
            | Route::Rerun(scope, ..)
            | Route::RerunJob(scope, _)
            | Route::Runs(scope)
            | Route::Run(scope, ..)
            | Route::RunJobs(scope, ..)
            | Route::Job(scope, _)
            | Route::Cancel(scope, _)
            | Route::ForceCancel(scope, _) => Some(scope.owner()),
            _ => None,
        }
    }

    /// The query parameters that the endpoint knows; none for blobs, whose URLs are signed with whatever they need.
    pub(crate) fn parameters(&self) -> Option<&'static [&'static str]> {
        Some(match self {
            Route::Blob(_) | Route::Unserved => return None,
            Route::IdToken(_) => &["api-version", "audience"],
            Route::Installations => &["per_page", "page"],
            Route::RunnerGroups(_) => &["per_page", "page", "visible_to_repository"],
            Route::Runners(_) => &["name", "per_page", "page"],
            Route::Runs(_) => &["status", "per_page", "page"],
            Route::Run(..) => &["exclude_pull_requests"],
            Route::RunJobs(..) => &["filter", "per_page", "page"],
            Route::Message => {
                &["sessionId", "status", "runnerVersion", "os", "architecture", "disableUpdate"]
            }
            Route::Acknowledge => &["sessionId", "status", "runnerVersion", "os", "architecture"],
            _ => &[],
        })
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Route::Token { .. } => Dialect::OAuth,
            Route::CreateSession | Route::Message | Route::Acknowledge | Route::DeleteSession => {
                Dialect::Broker
            }
            Route::Acquire(_) | Route::Renew(_) | Route::Complete(_) | Route::IdToken(_) => {
                Dialect::RunService
            }
            Route::ResolveActions { .. } | Route::Results(_) | Route::Unserved => Dialect::Twirp,
            Route::Blob(_) => Dialect::Blob,
            _ => Dialect::Rest,
        }
    }
}

/// The endpoint that a request names, if there is one.
pub(crate) fn route(method: &Method, segments: &[&str]) -> Option<Route> {
    match segments {
        ["api", "v3", rest @ ..] => rest_route(method, rest),
        ["tenant-1", "_apis", "oauth2", "token", client] if method == Method::POST => {
            Some(Route::Token { service: TokenService::First, client: (*client).to_owned() })
        }
        ["tenant-1", "_apis", "oauth2", "v2", "token", client] if method == Method::POST => {
            Some(Route::Token { service: TokenService::Second, client: (*client).to_owned() })
        }
        ["broker", verb] => match (method.as_str(), *verb) {
            ("POST", "session") => Some(Route::CreateSession),
            ("DELETE", "session") => Some(Route::DeleteSession),
            ("GET", "message") => Some(Route::Message),
            ("POST", "acknowledge") => Some(Route::Acknowledge),
            _ => None,
        },
        ["run-service", number, verb @ ("acquirejob" | "renewjob" | "completejob")]
            if method == Method::POST =>
        {
            let number = number.parse().ok()?;
            match *verb {
                "acquirejob" => Some(Route::Acquire(number)),
                "renewjob" => Some(Route::Renew(number)),
                _ => Some(Route::Complete(number)),
            }
        }
        ["run-service", number, "idtoken"] if method == Method::GET => {
            Some(Route::IdToken(number.parse().ok()?))
        }
        ["actions", "build", plan, "jobs", job, "runnerresolve", "actions"] if method == Method::POST => {
            Some(Route::ResolveActions { plan: (*plan).to_owned(), job: (*job).to_owned() })
        }
        ["results", "twirp", service, name] if method == Method::POST => {
            ResultsMethod::named(service, name).map(Route::Results).or_else(|| unserved(segments))
        }
        ["blobs", name @ ..] if method == Method::PUT && !name.is_empty() => {
            Some(Route::Blob(name.join("/")))
        }
        rest => rest_route(method, rest).or_else(|| unserved(rest)),
    }
}

/// Services that a job may call of its own accord (protocol §5.7): caches and artifacts.
fn unserved(segments: &[&str]) -> Option<Route> {
    let known = match segments {
        ["results", "twirp", service, _] => {
            service.starts_with("github.actions.results.api.v1.")
                && !service.ends_with("WorkflowStepUpdateService")
        }
        ["_apis", "artifactcache" | "pipelines", ..] => true,
        _ => false,
    };
    known.then_some(Route::Unserved)
}

fn rest_route(method: &Method, segments: &[&str]) -> Option<Route> {
    match (method.as_str(), segments) {
        ("GET", ["app"]) => Some(Route::App),
        ("POST", ["app", "installations", id, "access_tokens"]) => {
            Some(Route::AccessTokens(id.parse().ok()?))
        }
        ("GET", ["app", "installations"]) => Some(Route::Installations),
        ("GET", ["orgs" | "users", account, "installation"]) => {
            Some(Route::InstallationOn(Scope::Organization((*account).to_owned())))
        }
        ("GET", ["repos", owner, name, "installation"]) => {
            Some(Route::InstallationOn(repository(owner, name)))
        }
        ("GET", ["rate_limit"]) => Some(Route::RateLimit),
        ("GET", ["meta"]) => Some(Route::Meta),
        ("GET", ["orgs", org, "actions", "runner-groups"]) => Some(Route::RunnerGroups((*org).to_owned())),
        (_, ["orgs", org, "actions", "runners", rest @ ..]) => {
            runner_route(method, Scope::Organization((*org).to_owned()), rest)
        }
        (_, ["repos", owner, name, "actions", "runners", rest @ ..]) => {
            runner_route(method, repository(owner, name), rest)
        }
        ("POST", ["enterprises", _, "actions", "runners", "generate-jitconfig"]) => Some(Route::Enterprise),
        (_, ["repos", owner, name, "actions", "runs", rest @ ..]) => {
            run_route(method, repository(owner, name), rest)
        }
        ("GET", ["repos", owner, name, "actions", "jobs", id]) => {
            Some(Route::Job(repository(owner, name), id.parse().ok()?))
        }
        ("POST", ["repos", owner, name, "actions", "jobs", id, "rerun"]) => {
            Some(Route::RerunJob(repository(owner, name), id.parse().ok()?))
        }
        // Where resolved actions would be.
        ("GET", ["repos", _, _, "tarball" | "zipball", _, ..]) => Some(Route::Unserved),
        _ => None,
    }
}

fn runner_route(method: &Method, scope: Scope, rest: &[&str]) -> Option<Route> {
    match (method.as_str(), rest) {
        ("POST", ["registration-token"]) => Some(Route::RegistrationToken(scope)),
        ("POST", ["generate-jitconfig"]) => Some(Route::JitConfig(scope)),
        ("GET", []) => Some(Route::Runners(scope)),
        ("GET", ["deprecations", version]) => Some(Route::Deprecation(scope, (*version).to_owned())),
        ("GET", [id]) => Some(Route::Runner(scope, id.parse().ok()?)),
        ("DELETE", [id]) => Some(Route::DeleteRunner(scope, id.parse().ok()?)),
        _ => None,
    }
}

fn run_route(method: &Method, scope: Scope, rest: &[&str]) -> Option<Route> {
    let [id, rest @ ..] = rest else { return (method == Method::GET).then_some(Route::Runs(scope)) };
    let id = id.parse().ok()?;
    match (method.as_str(), rest) {
        ("GET", []) => Some(Route::Run(scope, id, None)),
        ("GET", ["attempts", attempt]) => Some(Route::Run(scope, id, Some(attempt.parse().ok()?))),
        ("GET", ["jobs"]) => Some(Route::RunJobs(scope, id, None)),
        ("GET", ["attempts", attempt, "jobs"]) => {
            Some(Route::RunJobs(scope, id, Some(attempt.parse().ok()?)))
        }
        ("POST", ["rerun-failed-jobs"]) => Some(Route::Rerun(scope, id, Rerun::Failed)),
        ("POST", ["rerun"]) => Some(Route::Rerun(scope, id, Rerun::All)),
        ("POST", ["cancel"]) => Some(Route::Cancel(scope, id)),
        ("POST", ["force-cancel"]) => Some(Route::ForceCancel(scope, id)),
        _ => None,
    }
}

fn repository(owner: &str, name: &str) -> Scope {
    Scope::Repository { owner: owner.to_owned(), name: name.to_owned() }
}
