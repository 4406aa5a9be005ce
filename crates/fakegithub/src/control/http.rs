//! The control API over plain HTTP and JSON.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AppRequest, Control, Error, RunView};
use crate::lever::Lever;
use crate::workflow::Error as WorkflowError;

/// Workflows and lever lists are small; padding is asked for by number.
const BODY_LIMIT: usize = 4 << 20;

/// The routes of docs/fake-github.md.
pub(crate) fn router(control: Control) -> Router {
    Router::new()
        .route("/control/apps", post(create_app))
        .route("/control/apps/{id}/key", post(rotate_key))
        .route("/control/ca", get(ca))
        .route("/control/runs", post(start_run).get(runs))
        .route("/control/runs/{id}", get(run))
        .route("/control/runs/{id}/cancel", post(cancel))
        .route("/control/runs/{id}/jobs/{job}/log", get(log))
        .route("/control/runs/{id}/jobs/{job}/logs", get(logs))
        .route("/control/state", get(state))
        .route("/control/ledger", get(ledger))
        .route("/control/offers", get(offers))
        .route("/control/secrets", get(secrets))
        .route("/control/requests", get(requests))
        .route("/control/violations", get(violations).delete(clear_violations))
        .route("/control/faults", post(pull).get(faults).delete(reset))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(control)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match &self {
            Error::Workflow(WorkflowError::Unsupported(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Workflow(_) | Error::Lever(_) => StatusCode::BAD_REQUEST,
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::Completed => StatusCode::CONFLICT,
            Error::Key => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut text = self.to_string();
        if let Some(source) = std::error::Error::source(&self) {
            text = format!("{text}: {source}");
        }
        (status, Json(json!({"error": text}))).into_response()
    }
}

fn bad_request(error: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error.to_string()}))).into_response()
}

fn text(body: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

async fn create_app(State(control): State<Control>, body: String) -> Response {
    match serde_json::from_str::<AppRequest>(&body) {
        Err(error) => bad_request(error),
        Ok(request) => match control.create_app(request).await {
            Ok(app) => (StatusCode::CREATED, Json(app)).into_response(),
            Err(error) => error.into_response(),
        },
    }
}

async fn rotate_key(State(control): State<Control>, Path(id): Path<u64>) -> Result<Response, Error> {
    Ok(Json(control.rotate_app_key(id).await?).into_response())
}

async fn ca(State(control): State<Control>) -> Response {
    text(control.ca_pem().to_owned())
}

async fn start_run(State(control): State<Control>, body: String) -> Result<Response, Error> {
    Ok((StatusCode::CREATED, Json(control.start_run(&body)?)).into_response())
}

async fn runs(State(control): State<Control>) -> Response {
    Json(json!({"runs": control.runs()})).into_response()
}

/// `?until=completed&attempt=2&timeout=30`: waits for a status of that attempt or a later one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Until {
    until: Option<String>,
    attempt: Option<u64>,
    timeout: Option<f64>,
}

impl Until {
    fn met(&self, run: &RunView) -> bool {
        let reached = match self.until.as_deref() {
            Some("completed") => run.status == "completed",
            Some("in_progress") => run.status != "queued",
            _ => true,
        };
        reached && self.attempt.is_none_or(|attempt| run.attempt >= attempt)
    }
}

async fn run(
    State(control): State<Control>,
    Path(id): Path<u64>,
    query: Query<Until>,
) -> Result<Response, Error> {
    let Query(query) = query;
    if !matches!(query.until.as_deref(), None | Some("queued" | "in_progress" | "completed")) {
        return Ok(bad_request("until must be queued, in_progress or completed"));
    }
    let waits = query.until.is_some() || query.attempt.is_some();
    let limit = query.timeout.unwrap_or(if waits { 30.0 } else { 0.0 });
    let limit = Duration::try_from_secs_f64(limit).unwrap_or_default();
    Ok(Json(control.wait_for_run(id, limit, |run| query.met(run)).await?).into_response())
}

async fn cancel(State(control): State<Control>, Path(id): Path<u64>) -> Result<Response, Error> {
    Ok((StatusCode::ACCEPTED, Json(control.cancel_run(id)?)).into_response())
}

async fn log(State(control): State<Control>, Path((run, job)): Path<(u64, u64)>) -> Result<Response, Error> {
    Ok(text(control.job_log(run, job)?))
}

async fn logs(State(control): State<Control>, Path((run, job)): Path<(u64, u64)>) -> Result<Response, Error> {
    Ok(Json(json!({"logs": control.job_logs(run, job)?})).into_response())
}

async fn state(State(control): State<Control>) -> Response {
    Json(control.state()).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OfRun {
    run_id: Option<u64>,
}

async fn ledger(State(control): State<Control>, Query(query): Query<OfRun>) -> Response {
    Json(json!({"entries": control.ledger(query.run_id)})).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OfOffers {
    account: Option<String>,
    run_id: Option<u64>,
}

async fn offers(State(control): State<Control>, Query(query): Query<OfOffers>) -> Response {
    Json(control.offers(query.account.as_deref(), query.run_id)).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAccount {
    account: String,
}

async fn secrets(State(control): State<Control>, Query(query): Query<OfAccount>) -> Response {
    let (secrets, forgotten) = (control.secrets(&query.account), control.secrets_forgotten());
    Json(json!({"secrets": secrets, "forgotten": forgotten})).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn requests(State(control): State<Control>, Query(query): Query<Since>) -> Response {
    Json(json!({"requests": control.requests(query.since)})).into_response()
}

async fn violations(State(control): State<Control>) -> Response {
    Json(json!({"violations": control.violations()})).into_response()
}

async fn clear_violations(State(control): State<Control>) -> StatusCode {
    control.clear_violations();
    StatusCode::NO_CONTENT
}

/// One lever, or a list of them; the list is read whole before the first one is turned.
async fn pull(State(control): State<Control>, body: String) -> Result<Response, Error> {
    let value: Value = match serde_json::from_str(&body) {
        Ok(value) => value,
        Err(error) => return Ok(bad_request(error)),
    };
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let levers: Result<Vec<Lever>, _> = list.into_iter().map(serde_json::from_value).collect();
    match levers {
        Err(error) => return Ok(bad_request(error)),
        Ok(levers) => {
            for lever in levers {
                control.pull(lever)?;
            }
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn faults(State(control): State<Control>) -> Response {
    Json(json!({"faults": control.faults(), "settings": control.settings()})).into_response()
}

async fn reset(State(control): State<Control>) -> StatusCode {
    control.reset();
    StatusCode::NO_CONTENT
}
