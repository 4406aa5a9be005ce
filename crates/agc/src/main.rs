//! The program: reads arguments and environment, puts the parts together, runs them.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agc::args::Args;
use agc::config::Config;
use agc::github::GitHub;
use agc::report::{Metrics, Reporter};
use agc::run::{Checks, Parts, run};
use agc::runner_group::state::GroupStates;
use agc::versions::Versions;
use anyhow::Context as _;
use clap::Parser as _;
use github::token::{CredentialFiles, TokenConfig, TokenFailure};
use github::{App, Client, InstallationTokens, Timeouts};
use operator::events::Events;
use operator::lease::{Elector, Params, Timing};
use operator::metrics::{ControllerMetrics, RestMetrics};
use runtime::admin::{self, Health};
use runtime::clock::Clock;
use runtime::shutdown::Shutdown;
use runtime::telemetry::{self, Traces};

/// Within the 30 s of the pod: sessions, writes in hand, Events; five more are for spans.
const PATIENCE: Duration = Duration::from_secs(22);

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    match start().await {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the controller failed");
            // The log may not be set up yet.
            std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("agc: {error:#}\n")).ok();
            ExitCode::FAILURE
        }
    }
}

async fn start() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let guard = telemetry::init(telemetry::Config {
        component: "agc",
        service_name: "actions-gateway-agc",
        log: args.log.options(),
        traces: Traces::from_vars(|name| variables.get(name).cloned()),
    })?;
    let config = Config::from_env(&variables)?;
    tracing::info!(
        version = runtime::version::VERSION,
        namespace = config.env.pod_namespace,
        gateway = config.env.gateway_name,
        scope = %config.target.scope,
        "starting"
    );
    let shutdown = Shutdown::install()?;
    let ended = serve(&args, &config, &shutdown).await;
    guard.flush().await;
    ended?;
    Ok(if shutdown.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn serve(args: &Args, config: &Config, shutdown: &Shutdown) -> anyhow::Result<()> {
    let registry = runtime::metrics::registry("agc")?;
    let metrics = Metrics::register(&registry)?;
    let controller_metrics = ControllerMetrics::register(&registry)?;
    let rest_metrics = RestMetrics::register(&registry)?;
    let health = Health::new();
    let checks = Checks::new(&health);
    let states = GroupStates::default();
    serve_admin(args, registry, &health, &states, shutdown).await?;

    let client = operator::client::connect(args.kubeconfig.as_deref(), rest_metrics).await?;
    let clock = Clock::system();
    let namespace = config.env.pod_namespace.clone();
    let instance = config.env.pod_name.clone();
    let (events, publisher) =
        Events::new(client.clone(), "actions-gateway.github.com/agc", instance.clone(), clock.clone());
    shutdown.spawn_service("events", publisher.run(shutdown.aborted()));
    let params = Params {
        namespace: namespace.clone(),
        name: api::names::CONTROLLER.to_owned(),
        identity: format!("{instance}_{}", config.env.pod_uid),
        timing: Timing::TENANT,
    };
    let gauge = controller_metrics.leader(api::names::CONTROLLER);
    let (elector, leadership) = Elector::new(client.clone(), params, gauge, clock.clone());
    shutdown.spawn_service("lease", elector.run(shutdown.aborted()));

    let reporter = Reporter::new(metrics, events, &namespace);
    let (github, tokens) = github(config, &reporter, clock, shutdown)?;
    let parts = Parts {
        client,
        github,
        tokens: tokens.watch(),
        platform: config.platform.clone(),
        never_started: config.never_started,
        reporter,
        controller_metrics,
        health: health.clone(),
        checks,
        states,
    };
    let stop = shutdown.requested();
    shutdown.spawn("controller", async move {
        if let Err(error) = Box::pin(run(parts, leadership, stop)).await {
            tracing::error!(error = %operator::describe(&error), "exiting at once");
            // Whatever is under way must not be finished: another may have taken over.
            std::process::exit(1);
        }
    });
    shutdown.requested().cancelled().await;
    health.drain();
    shutdown.drain(PATIENCE).await.context("the controller did not end in time")
}

async fn serve_admin(
    args: &Args,
    registry: prometheus::Registry,
    health: &Health,
    states: &GroupStates,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let metrics = admin::bind(args.metrics_port).await?;
    let probes = admin::bind(args.health_port).await?;
    let states = states.clone();
    let status: admin::Status = Arc::new(move || {
        serde_json::json!({
            "version": runtime::version::VERSION,
            "commit": runtime::version::COMMIT,
            "runnerGroups": states.all(),
        })
    });
    let router = admin::metrics_router(registry);
    shutdown.spawn_service("metrics", admin::serve(metrics, router, shutdown.aborted()));
    let router = admin::health_router(health.clone(), status);
    shutdown.spawn_service("health", admin::serve(probes, router, shutdown.aborted()));
    Ok(())
}

fn github(
    config: &Config,
    reporter: &Reporter,
    clock: Clock,
    shutdown: &Shutdown,
) -> anyhow::Result<(GitHub, InstallationTokens)> {
    let client = Client::new(config.github_client()?)?;
    let timeouts = Timeouts::default();
    let observer = reporter.token_observer();
    let (tokens, _task) = InstallationTokens::start(
        TokenConfig {
            client: client.clone(),
            api: config.target.api.clone(),
            source: Box::new(CredentialFiles::new(&config.env.credentials_dir)),
            clock: clock.clone(),
            timeouts: timeouts.clone(),
            observer: Arc::new(move |outcome: Result<(), TokenFailure>| observer(outcome.is_ok())),
        },
        shutdown.aborted(),
    );
    let app = App::new(client.clone(), config.target.clone(), tokens.clone(), timeouts.clone());
    let github = GitHub {
        client,
        app,
        clock,
        timeouts,
        owner: config.env.pod_name.clone(),
        versions: Versions::new(&config.env.runner_version, &config.env.worker_image),
        runner_group_id: u64::try_from(config.env.runner_group_id).unwrap_or(1),
        architecture: config.architecture,
    };
    Ok((github, tokens))
}
