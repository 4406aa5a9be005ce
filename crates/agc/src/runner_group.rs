//! The controller of `RunnerGroup`s: validate, keep a pool of agents, say how it goes.

pub(crate) mod cleanup;
pub(crate) mod group;
pub(crate) mod pools;
pub mod state;
pub(crate) mod status;
pub(crate) mod validate;

use std::sync::Arc;
use std::time::Duration;

use api::pod_template::Rules;
use api::{RunnerGroup, labels};
use futures::{Stream, stream};
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{Controller, WatchStreamExt as _, controller, watcher};
use kube::{Api, Client, ResourceExt as _};
use operator::apply::{Applier, ApplyError};
use operator::controller::{Reconciler, Retry};
use operator::finalizer;
use runtime::admin::Health;
use runtime::clock::Clock;
use tokio::time::Instant;
use tracing::info_span;

use crate::agents::Registrar;
use crate::agents::registrar::RegisterError;
use crate::report::Reporter;
use crate::runner_group::group::GroupId;
use crate::runner_group::state::{GroupState, GroupStates};
use crate::watches::Stores;
use cleanup::Leftover;
use pools::Pools;

/// A group that cannot register its agents is tried again.
const REPAIR: Duration = Duration::from_secs(10);
/// A pod that waits for a node says so by itself only once.
const PENDING: Duration = Duration::from_secs(30);
/// Jobs of a deleted group are waited for.
const JOBS: Duration = Duration::from_secs(5);

/// Status follows the facts at once, then at most this often: a storm of jobs is no storm of writes.
const STATUS_PERIOD: Duration = Duration::from_secs(5);

/// Passes at once. A pass is a status write; there are at most 64 groups.
const CONCURRENCY: u16 = 4;

/// A pass failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The finalizer was not put on or taken off.
    #[error("failed to update the finalizers")]
    Finalizer(#[source] finalizer::Error),
    /// The status was not written.
    #[error("failed to update the status")]
    Status(#[source] ApplyError),
    /// An agent of a group that is going was not read.
    #[error("failed to read the agents' Secrets")]
    Agents(#[source] RegisterError),
    /// The spec cannot be honoured.
    #[error("the spec is invalid")]
    Validate(#[source] validate::Error),
}

impl Error {
    /// The finite word.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Finalizer(_) => "FailedUpdateFinalizer",
            Self::Status(_) => "FailedUpdateStatus",
            Self::Agents(_) => "FailedReadAgents",
            Self::Validate(_) => "InvalidSpec",
        }
    }
}

/// Reconciles the groups of one namespace.
pub struct Groups {
    /// Reaches the groups.
    pub api: Api<RunnerGroup>,
    /// Writes status.
    pub applier: Applier,
    /// The pools of all groups.
    pub pools: Pools,
    /// Removes agents.
    pub registrar: Registrar,
    /// What is known.
    pub states: GroupStates,
    /// Worker pods.
    pub stores: Stores,
    /// Tells what stays behind.
    pub reporter: Reporter,
    /// What templates may ask for.
    pub rules: Rules,
    /// The time.
    pub clock: Clock,
}

impl Reconciler for Groups {
    type Object = RunnerGroup;
    type Error = Error;
    const NAME: &'static str = "runnergroup";

    async fn reconcile(&self, group: Arc<RunnerGroup>) -> Result<Action, Error> {
        if group.metadata.deletion_timestamp.is_some() {
            return self.clean_up(&group).await;
        }
        finalizer::add(&self.api, &*group, labels::FINALIZER_GROUP).await.map_err(Error::Finalizer)?;
        let validated = validate::validate(&group, &self.rules);
        if let Ok(validated) = &validated {
            self.pools.ensure(Arc::new(validated.clone())).await;
        }
        let facts = self.facts(&group.name_any());
        let unschedulable = status::unschedulable(&group.name_any(), &self.stores.pods.state());
        let wanted =
            status::status(&group, validated.as_ref().err(), &facts, unschedulable, self.clock.now());
        let written = self.applier.status(&*group, &wanted).await;
        validated.map_err(Error::Validate)?; // the first failure is the one to report
        written.map_err(Error::Status)?;
        Ok(self.next_look(&facts))
    }

    fn span(&self, group: &RunnerGroup) -> tracing::Span {
        info_span!(
            parent: None,
            "RunnerGroup.Reconcile",
            runnergroup.namespace = group.namespace(),
            runnergroup.name = group.name_any(),
        )
    }

    fn reason(&self, error: &Error) -> &'static str {
        error.reason()
    }

    fn retry(&self, error: &Error) -> Retry {
        match error {
            Error::Validate(_) => Retry::OnChange,
            Error::Finalizer(_) | Error::Status(_) | Error::Agents(_) => Retry::Backoff,
        }
    }
}

impl Groups {
    /// The states and the watch say when something changes; only what passes by itself must be looked at.
    fn next_look(&self, facts: &GroupState) -> Action {
        match facts {
            GroupState { parked: 1.., .. } => Action::requeue(self.clock.about(REPAIR)),
            GroupState { pending_jobs: 1.., .. } => Action::requeue(self.clock.about(PENDING)),
            _ => Action::await_change(),
        }
    }

    /// What the states has, with the version as it is known now: the states hears of that a moment later, and what is not
    /// in the status is forgotten with this process.
    fn facts(&self, group: &str) -> GroupState {
        let versions = &self.registrar.github().versions;
        GroupState { runner_version: versions.facts(group, self.clock.now()), ..self.states.facts(group) }
    }

    /// AG8: stop listening, let the jobs end, remove the agents, then the finalizer.
    async fn clean_up(&self, group: &RunnerGroup) -> Result<Action, Error> {
        let name = group.name_any();
        if !finalizer::is_on(group, labels::FINALIZER_GROUP) {
            return Ok(Action::await_change());
        }
        self.pools.close(&name).await;
        let active = self.states.facts(&name).active_jobs;
        if active > 0 {
            tracing::info!(runner_group = name, active, "waiting for the jobs of a deleted RunnerGroup");
            return Ok(Action::requeue(self.clock.about(JOBS)));
        }
        let leftovers =
            cleanup::remove_agents(&self.registrar, &GroupId::of(group)).await.map_err(Error::Agents)?;
        if !leftovers.is_empty() {
            let names: Vec<String> = leftovers.iter().map(Leftover::to_string).collect();
            self.reporter.runners_left(group, &names);
        }
        finalizer::remove(&self.api, group, labels::FINALIZER_GROUP).await.map_err(Error::Finalizer)?;
        self.pools.forget(&name).await;
        Ok(Action::await_change())
    }
}

/// The controller with its watches: the groups, and whatever becomes known of them.
pub fn controller(
    client: Client,
    namespace: &str,
    states: &GroupStates,
    health: &Health,
    clock: &Clock,
) -> Controller<DeserializeGuard<RunnerGroup>> {
    let api = Api::namespaced(client, namespace);
    let (groups, writer) = reflector::store();
    let news = operator::watch(health, clock, "runnergroups", api, watcher::Config::default())
        .reflect(writer)
        .applied_objects();
    Controller::for_stream(news, groups)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(changes(states, namespace.to_owned()))
}

/// Names the groups whenever something became known; at once the first time, then bundled.
fn changes(
    states: &GroupStates,
    namespace: String,
) -> impl Stream<Item = ObjectRef<DeserializeGuard<RunnerGroup>>> + use<> {
    let waves = stream::unfold((states.watch(), Instant::now()), |(mut facts, earliest)| async move {
        facts.changed().await.ok()?;
        tokio::time::sleep_until(earliest).await;
        let names: Vec<String> = facts.borrow_and_update().keys().cloned().collect();
        Some((names, (facts, Instant::now() + STATUS_PERIOD)))
    });
    let refs = move |names: Vec<String>| {
        let namespace = namespace.clone();
        stream::iter(names.into_iter().map(move |name| ObjectRef::new(&name).within(&namespace)))
    };
    futures::StreamExt::flat_map(waves, refs)
}
