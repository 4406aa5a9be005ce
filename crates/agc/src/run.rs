//! The controller from the moment it may act to its orderly end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::RunnerGroup;
use api::actions_gateway::NeverStarted;
use api::pod_template::Rules;
use github::token::TokenState;
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt as _};
use operator::apply::Applier;
use operator::lease::{self, Leadership};
use operator::metrics::ControllerMetrics;
use runtime::admin::{Check, Health};
use runtime::backoff::Backoff;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::MANAGER;
use crate::agents::Registrar;
use crate::agents::pool::Context;
use crate::credential;
use crate::dry_run::{DryRuns, Refusals, Sources};
use crate::github::GitHub;
use crate::jobs::adopt::{Adoption, inherit};
use crate::jobs::dispatcher::{self, Dispatcher};
use crate::jobs::executor::Executor;
use crate::pod::build::Platform;
use crate::reaper::Reaper;
use crate::report::Reporter;
use crate::runner_group::group::{GroupId, Known};
use crate::runner_group::pools::Pools;
use crate::runner_group::state::GroupStates;
use crate::runner_group::{self, Groups, validate};
use crate::versions::watch::Watch;
use crate::watches::{self, Stores, Watched};

/// An API server that does not answer is asked again.
const RETRY: Backoff = Backoff::Doubling { first: Duration::from_secs(2), longest: Duration::from_secs(30) };

/// What the last writes may take after the dispatcher has ended.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// What the controller is made of; `main` puts it together.
pub struct Parts {
    /// The API server.
    pub client: Client,
    /// GitHub.
    pub github: GitHub,
    /// The installation's token, for the condition that speaks of it.
    pub tokens: watch::Receiver<TokenState>,
    /// What is the same for all workers.
    pub platform: Platform,
    /// What is done about a claimed job whose worker can never start.
    pub never_started: NeverStarted,
    /// Counts and publishes.
    pub reporter: Reporter,
    /// The series of every controller.
    pub controller_metrics: ControllerMetrics,
    /// Probes.
    pub health: Health,
    /// What [`Parts::health`] waits for; made before anybody can ask it.
    pub checks: Checks,
    /// What is known of the groups.
    pub states: GroupStates,
}

/// The controller ended otherwise than it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another may hold the lease by now: not one more write.
    #[error("the lease is lost")]
    LeaseLost,
}

/// What must hold before the controller is ready; nothing does at first.
#[derive(Debug)]
pub struct Checks {
    lease: Check,
    watches: Check,
    groups: Check,
}

impl Checks {
    /// From here on `health` is not ready until the controller is.
    #[must_use]
    pub fn new(health: &Health) -> Self {
        Self {
            lease: health.check("lease"),
            watches: health.check("watches"),
            groups: health.check("runnergroups"),
        }
    }
}

/// Waits for the lease, then works until told to stop, then ends in order.
///
/// # Errors
/// [`Error::LeaseLost`]: the process must end at once.
pub async fn run(
    parts: Parts,
    mut leadership: watch::Receiver<Leadership>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let led = tokio::select! {
        led = lease::leading(&mut leadership) => led,
        () = stop.cancelled() => false,
    };
    if !led {
        return Ok(());
    }
    parts.checks.lease.pass();
    tokio::select! {
        () = work(parts, stop) => Ok(()),
        () = lease::lost(&mut leadership) => Err(Error::LeaseLost),
    }
}

async fn work(parts: Parts, stop: CancellationToken) {
    let Parts {
        client,
        github,
        tokens,
        platform,
        never_started,
        reporter,
        controller_metrics,
        health,
        checks,
        states,
    } = parts;
    let namespace = platform.namespace.clone();
    let gateway = platform.gateway.clone();
    let rules = platform.rules();
    let platform = Arc::new(platform);

    let (sender, mailbox) = mpsc::channel(dispatcher::MAILBOX);
    let executor = Executor::new(
        client.clone(),
        github.clone(),
        platform.clone(),
        never_started,
        reporter.clone(),
        sender.downgrade(),
    );
    let jobs_ended = CancellationToken::new();
    let (refused, refusals) = watch::channel(Refusals::new());
    let dispatcher = Dispatcher::new(
        mailbox,
        executor.clone(),
        reporter.clone(),
        states.clone(),
        refused,
        github.clock.clone(),
    );
    let heartbeat = health.heartbeat("dispatcher", dispatcher::HEARTBEAT);
    let dispatching = tokio::spawn(dispatcher.run(heartbeat, jobs_ended.clone()));

    let Watched { stores, world } =
        watches::start(&client, &namespace, &health, &github.clock, &sender, &github.versions);
    let Some(groups) = first_look(&client, &namespace, &rules, &stores, &github, &stop).await else {
        return;
    };
    checks.watches.pass();
    let registrar = Registrar::new(client.clone(), github.clone(), &namespace, &gateway);
    let context = Context {
        registrar: registrar.clone(),
        dispatcher: sender.clone(),
        states: states.clone(),
        reporter: reporter.clone(),
    };
    let pools = Pools::new(context, sender.clone(), inherit(&stores.runner_jobs(), &groups));
    let sources = Sources { groups: pools.groups(), world, refusals };
    let dry_runs = DryRuns::new(&client, platform, sources, sender.clone(), github.clock.clone());
    tokio::spawn(dry_runs.run(stop.clone()));
    for group in groups.values().filter_map(|it| it.spec.as_ref()).filter(|it| !it.id.deleting) {
        pools.ensure(group.clone()).await;
    }
    let adoption = Adoption {
        secrets: Api::namespaced(client.clone(), &namespace),
        registrar: registrar.clone(),
        namespace: namespace.clone(),
        dispatcher: sender.clone(),
    };
    // What it has not handed over when the process is told to end is left to the next start.
    tokio::select! {
        () = adoption.run(&stores, &groups, github.clock.now()) => {}
        () = stop.cancelled() => {}
    }

    let reaper = Reaper::new(
        client.clone(),
        &namespace,
        stores.clone(),
        pools.groups(),
        states.clone(),
        reporter.clone(),
        github.clock.clone(),
    );
    tokio::spawn(reaper.run(stop.clone()));
    let watch = Watch {
        versions: github.versions.clone(),
        almanac: github.app.clone(),
        states: states.clone(),
        reporter: reporter.clone(),
        clock: github.clock.clone(),
    };
    tokio::spawn(watch.run(stop.clone()));
    let told = pools.clone();
    let (watched, until) = (github.versions.clone(), stop.clone());
    tokio::spawn(async move { told.watch_versions(watched, until).await });
    let told = pools.clone();
    let (watched, until) = (tokens.clone(), stop.clone());
    tokio::spawn(async move { told.watch(watched, until).await });
    let gateways = Api::namespaced(client.clone(), &namespace);
    tokio::spawn(credential::run(gateways, gateway, tokens, github.clock.clone(), stop.clone()));

    let controller = runner_group::controller(client.clone(), &namespace, &states, &health, &github.clock);
    let reconciler = Groups {
        api: Api::namespaced(client.clone(), &namespace),
        applier: Applier::new(client, MANAGER),
        pools: pools.clone(),
        registrar,
        states,
        stores,
        reporter,
        rules,
        clock: github.clock.clone(),
    };
    operator::controller::run(
        controller,
        Arc::new(reconciler),
        controller_metrics,
        checks.groups,
        github.clock.clone(),
        stop,
    )
    .await;

    // Nobody is offered anything from here on; what was claimed is written down.
    pools.close_all().await;
    jobs_ended.cancel();
    let _ = dispatching.await;
    if timeout(LAST_WRITES, executor.finish()).await.is_err() {
        tracing::warn!("shutting down with unfinished writes: the next start resumes them");
    }
}

/// The groups as they are, once the watches have delivered; `None` when told to stop before that.
async fn first_look(
    client: &Client,
    namespace: &str,
    rules: &Rules,
    stores: &Stores,
    github: &GitHub,
    stop: &CancellationToken,
) -> Option<BTreeMap<String, Known>> {
    let look = async {
        stores.delivered().await;
        groups(&Api::namespaced(client.clone(), namespace), rules, github).await
    };
    tokio::select! {
        groups = look => Some(groups),
        () = stop.cancelled() => None,
    }
}

async fn groups(
    api: &Api<DeserializeGuard<RunnerGroup>>,
    rules: &Rules,
    github: &GitHub,
) -> BTreeMap<String, Known> {
    let mut failures = github.clock.failures(RETRY);
    let listed = loop {
        match api.list(&ListParams::default()).await {
            Ok(listed) => break listed,
            Err(error) => {
                tracing::warn!(error = %operator::describe(&error), "failed to list RunnerGroups: trying again");
                tokio::time::sleep(failures.fail()).await;
            }
        }
    };
    let valid = listed.items.into_iter().filter_map(|it| it.0.ok()).map(|group| {
        if let Some(written) = group.status.as_ref().and_then(|it| it.runner_version.as_ref()) {
            github.versions.recall(&group.name_any(), written);
        }
        // The jobs of a group whose spec no longer holds are seen to their end all the same.
        let spec = validate::validate(&group, rules).ok().map(Arc::new);
        let id = spec.as_ref().map_or_else(|| Arc::new(GroupId::of(&group)), |it| it.id.clone());
        (group.name_any(), Known { id, spec })
    });
    valid.collect()
}
