//! The program: flags, logs, probes, and a server until a signal says stop.

mod args;
mod metrics;

use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use fakegithub::Server;
use runtime::admin::{self, Health};
use runtime::shutdown::Shutdown;
use runtime::telemetry::{self, Traces};
use tokio::net::TcpListener;

use args::Args;

/// A little more than the server itself takes.
const PATIENCE: Duration = Duration::from_secs(8);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let guard = telemetry::init(telemetry::Config {
        component: "fakegithub",
        service_name: "fakegithub",
        log: args.log.options(),
        traces: Traces::from_vars(|_| None),
    })
    .context("failed to set up telemetry")?;
    let shutdown = Shutdown::install().context("failed to install signal handlers")?;

    let server = Server::start(args.config()?).await.context("failed to start")?;
    let registry = runtime::metrics::registry("fakegithub").context("failed to set up metrics")?;
    metrics::register(&registry, server.control().clone()).context("failed to set up metrics")?;
    let health = Health::new();
    let router =
        admin::metrics_router(registry).merge(admin::health_router(health.clone(), admin::no_status()));
    let listener = TcpListener::bind(args.admin_listen).await.context("failed to listen for probes")?;
    shutdown.spawn_service("admin", admin::serve(listener, router, shutdown.aborted()));
    let control = server.control_address().map(|address| address.to_string());
    tracing::info!(base = server.base_url(), listen = %server.address(), control, "serving");

    shutdown.requested().cancelled().await;
    health.drain();
    server.shutdown().await;
    shutdown.drain(PATIENCE).await.context("some tasks did not end")?;
    guard.flush().await;
    Ok(())
}
