//! The egress proxy of one tenant.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use handoff::proxy::ProxyEnv;
use proxy::{config::Config, dial, metrics::Metrics, server::Server};
use runtime::{
    admin::{self, Health, Heartbeat},
    args::LogArgs,
    shutdown::Shutdown,
    telemetry, tls,
};

/// HTTP CONNECT over TLS, to the destinations that PROXY_ALLOWED_HOST_SUFFIXES and PROXY_ALLOWED_CIDRS admit.
/// Configured by environment variables.
#[derive(Debug, Parser)]
#[command(version = runtime::version::VERSION)]
struct Args {
    #[command(flatten)]
    log: LogArgs,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let guard = telemetry::init(telemetry::Config {
        component: "proxy",
        service_name: "actions-gateway-proxy",
        log: args.log.options(),
        traces: telemetry::Traces::from_vars(|name| std::env::var(name).ok()),
    })?;
    let result = serve(&std::env::vars().collect()).await;
    let code = result.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "the proxy failed");
        ExitCode::FAILURE
    });
    guard.flush().await;
    Ok(code)
}

async fn serve(env: &BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    let config = Config::from_env(ProxyEnv::from_env(env)?)?;
    let shutdown = Shutdown::install()?;
    let registry = runtime::metrics::registry("proxy")?;
    let metrics = Metrics::register(&registry)?;
    let health = Health::new();

    let certificate = Arc::new(tls::HotCert::default());
    certificate.load(&config.certificate).context("failed to load the serving certificate")?;
    let resolver = dial::system_resolver();
    let server = Server::new(certificate.clone(), config.policy, resolver, config.limits, metrics)?;
    let listener = admin::bind(config.port).await?;
    let probes = admin::bind(config.health_port).await?;

    let router =
        admin::metrics_router(registry).merge(admin::health_router(health.clone(), admin::no_status()));
    shutdown.spawn_service("admin", admin::serve(probes, router, shutdown.aborted()));
    shutdown.spawn_service("event-loop", Heartbeat::of_event_loop(health.clone(), shutdown.aborted()));
    shutdown.spawn_service("certificate", certificate.follow(config.certificate, shutdown.aborted()));
    shutdown.spawn("server", server.run(listener, shutdown.requested()));
    tracing::info!(
        port = config.port,
        health_port = config.health_port,
        version = runtime::version::VERSION,
        "serving"
    );

    shutdown.requested().cancelled().await;
    health.drain();
    // The server bounds its own drain; this only outlasts it.
    let drained = shutdown.drain(config.limits.drain + Duration::from_secs(5)).await;
    if let Err(unfinished) = drained {
        tracing::warn!(error = %unfinished, "some tasks did not end in time");
    }
    tracing::info!("stopped");
    Ok(if shutdown.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
