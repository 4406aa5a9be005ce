//! Parses, builds and runs the manager.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use gmc::args::Args;
use gmc::config::Config;
use gmc::controller::{self, Manager};
use operator::events::Events;
use operator::metrics::{ControllerMetrics, RestMetrics};
use runtime::admin::{self, Health};
use runtime::clock::Clock;
use runtime::shutdown::Shutdown;
use runtime::{metrics, telemetry};
use tokio::net::TcpListener;

/// Passes under way end within their calls' deadlines; then the Lease is given back. Below the pod's grace of 30 s.
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let config = Config::new(Args::parse(), std::env::vars())?;
    let guard = telemetry::init(telemetry::Config {
        component: "gmc",
        service_name: "actions-gateway-gmc",
        log: config.log,
        traces: telemetry::Traces::OFF,
    })?;
    let shutdown = Shutdown::install()?;
    run(config, &shutdown).await?;
    let drained = shutdown.drain(DRAIN_PATIENCE).await;
    if let Err(unfinished) = &drained {
        tracing::warn!(%unfinished, "shutting down with unfinished tasks");
    }
    guard.flush().await;
    Ok(if shutdown.failed() || drained.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Returns when the end is asked for.
async fn run(config: Config, shutdown: &Shutdown) -> anyhow::Result<()> {
    let registry = metrics::registry("gmc")?;
    let health = Health::new();
    let requests = RestMetrics::register(&registry)?;
    let client = operator::client::connect(config.kubeconfig.as_deref(), requests).await?;
    let clock = Clock::system();
    let (events, publisher) =
        Events::new(client.clone(), controller::REPORTING, config.pod.name.clone(), clock.clone());
    shutdown.spawn_service("events", publisher.run(shutdown.aborted()));

    let manager = Manager {
        client,
        clock,
        events,
        metrics: ControllerMetrics::register(&registry)?,
        registry: registry.clone(),
        health: health.clone(),
        pod: config.pod,
        election: config.election,
        provision: config.provision,
    };
    let manager = manager.prepare()?;
    let probes = admin::health_router(health.clone(), manager.status());
    if let Some(listener) = listen(config.metrics).await? {
        let router = admin::metrics_router(registry);
        shutdown.spawn_service("metrics", admin::serve(listener, router, shutdown.aborted()));
    }
    if let Some(listener) = listen(config.health).await? {
        shutdown.spawn_service("health", admin::serve(listener, probes, shutdown.aborted()));
    }
    shutdown.spawn("manager", manager.run(shutdown.requested()));
    shutdown.requested().cancelled().await;
    health.drain();
    Ok(())
}

async fn listen(address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("failed to listen on {address}"))?;
    Ok(Some(listener))
}
