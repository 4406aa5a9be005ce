//! The plain-HTTP side of a process: metrics for Prometheus, probes for the kubelet, a status page for people.
//!
//! | Path | Answers |
//! |---|---|
//! | `/metrics` | the registry, in Prometheus' text format |
//! | `/healthz` | 200 while every heartbeat beats, else 503: the process makes no progress and should be restarted |
//! | `/readyz` | 200 while every check holds and the process is not draining, else 503 with the failing ones |
//! | `/statusz` | what the program tells about itself, as JSON; never a secret |

mod health;

use std::{io, net::Ipv4Addr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::Registry;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use health::{Check, Health, Heartbeat};

/// Makes the body of `/statusz`.
pub type Status = Arc<dyn Fn() -> Value + Send + Sync>;

/// An admin server could not start or went on strike.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Mostly: another process has the port.
    #[error("failed to listen on port {port}")]
    Bind {
        /// The port that was asked for.
        port: u16,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Listens on all addresses of the pod. Port 0 takes any free one.
///
/// # Errors
/// [`Error::Bind`] with the port.
pub async fn bind(port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.map_err(|source| Error::Bind { port, source })
}

/// Serves until `stop`, then lets answers in hand go out.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the admin server failed");
    }
}

/// `/metrics`.
pub fn metrics_router(registry: Registry) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(registry)
}

/// `/healthz`, `/readyz` and `/statusz`.
pub fn health_router(health: Health, status: Status) -> Router {
    let probes =
        Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(health);
    let statusz = Router::new().route("/statusz", get(statusz)).with_state(status);
    probes.merge(statusz)
}

/// For a program that has nothing to tell beyond its version.
pub fn no_status() -> Status {
    Arc::new(|| serde_json::json!({ "version": crate::version::VERSION, "commit": crate::version::COMMIT }))
}

async fn metrics(State(registry): State<Registry>) -> Response {
    match prometheus::TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn healthz(State(health): State<Health>) -> Response {
    verdict("stalled", health.stalled())
}

async fn readyz(State(health): State<Health>) -> Response {
    verdict("failing", health.failing())
}

async fn statusz(State(status): State<Status>) -> Json<Value> {
    Json(status())
}

/// 200 when there is nothing to complain of.
fn verdict(word: &str, complaints: std::collections::BTreeMap<String, String>) -> Response {
    if complaints.is_empty() {
        return Json(serde_json::json!({ "status": "ok" })).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::json!({ "status": "failed", word: complaints })))
        .into_response()
}

#[cfg(test)]
mod tests;
