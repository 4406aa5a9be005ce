//! The watches that occasion a pass, and the leadership that allows one. Nothing here decides about a gateway.

mod election;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use api::ActionsGateway;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config as ControllerConfig};
use kube::runtime::reflector::Store;
use kube::runtime::{Controller, reflector};
use kube::{Client, ResourceExt};
use operator::apply::Applier;
use operator::controller::Reconciler;
use operator::events::Events;
use operator::lease::{Leadership, lost};
use operator::metrics::ControllerMetrics;
use prometheus::Registry;
use runtime::admin::{Health, Status};
use runtime::clock::Clock;
use runtime::version::{COMMIT, VERSION};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Election, Pod, Provision};
use crate::gateway::children::Children;
use crate::gateway::error::Error;
use crate::gateway::{self, Context, FIELD_MANAGER};
use crate::metrics::ManagedGateways;
use election::Elections;

/// Who reports Events.
pub const REPORTING: &str = "actions-gateway.github.com/gmc";

/// Passes at the same time: they wait for the API server, not for us; ten resync 200 tenants in seconds.
const CONCURRENCY: u16 = 10;

/// How often the API server is asked whether it is there.
const PROBE_PERIOD: Duration = Duration::from_secs(10);

/// How long it may take to say so.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// What the manager runs with.
pub struct Manager {
    /// Reaches the API server.
    pub client: Client,
    /// The time of day, and chance.
    pub clock: Clock,
    /// Says what happened.
    pub events: Events,
    /// Series of every controller.
    pub metrics: ControllerMetrics,
    /// Where our own series go.
    pub registry: Registry,
    /// What the probes answer.
    pub health: Health,
    /// This pod.
    pub pod: Pod,
    /// How one leader is found among several.
    pub election: Option<Election>,
    /// What goes into tenants' objects.
    pub provision: Provision,
}

/// The manager with its watches set up, not yet running.
pub struct Prepared {
    manager: Manager,
    gateways: Store<DeserializeGuard<ActionsGateway>>,
    writer: reflector::store::Writer<DeserializeGuard<ActionsGateway>>,
    elections: Elections,
}

impl Manager {
    /// Registers what is measured.
    ///
    /// # Errors
    /// A series is registered already.
    pub fn prepare(self) -> prometheus::Result<Prepared> {
        let (gateways, writer) = reflector::store();
        let elections = Elections::new(&self);
        let (leadership, counted) = (elections.leadership(), gateways.clone());
        ManagedGateways::register(&self.registry, move || match *leadership.borrow() {
            Leadership::Leading => counted.len(),
            Leadership::Waiting | Leadership::Lost => 0,
        })?;
        Ok(Prepared { manager: self, gateways, writer, elections })
    }
}

impl Prepared {
    /// What `/statusz` tells.
    pub fn status(&self) -> Status {
        let (gateways, leadership) = (self.gateways.clone(), self.elections.leadership());
        Arc::new(move || {
            let leads = *leadership.borrow() == Leadership::Leading;
            json!({ "version": VERSION, "commit": COMMIT, "leads": leads, "gateways": gateways.len() })
        })
    }

    /// Runs until `stop`: passes under way are finished, then the Lease is given back.
    pub async fn run(self, stop: CancellationToken) {
        let Self { manager, gateways, writer, elections } = self;
        let Manager { client, clock, events, metrics, health, provision, .. } = manager;
        let leadership = elections.leadership();
        let work_ended = CancellationToken::new();

        let watches =
            streams::Watches { client: client.clone(), health: health.clone(), clock: clock.clone() };
        let (children, writers) = Children::new();
        let controller = Controller::for_stream(watches.gateways(writer), gateways.clone())
            .with_config(ControllerConfig::default().concurrency(CONCURRENCY));
        let controller = writers.into_iter().fold(controller, |controller, (kind, writer)| {
            controller.owns_stream_with(watches.children(&kind, writer), kind)
        });
        let controller = controller
            .watches_stream(watches.runner_groups(), streams::gateways_beside(gateways.clone()))
            .watches_stream(watches.namespaces(), streams::gateways_in(gateways))
            .reconcile_all_on(election::begun(leadership.clone()));

        let applier = Applier::new(client.clone(), FIELD_MANAGER);
        let context = Context { applier, children, events, provision, clock: clock.clone() };
        let reconciler = Arc::new(Gateways { context, leadership });
        let ready = health.check("actionsgateways");
        let passes =
            operator::controller::run(controller, reconciler, metrics, ready, clock.clone(), stop.clone());
        let work = async {
            passes.await;
            work_ended.cancel();
        };
        tokio::join!(work, elections.run(work_ended.clone()), probe(client, &health, &clock, stop));
    }
}

/// Readiness knows whether the API server can be reached; liveness, that this process still runs its loops.
async fn probe(client: Client, health: &Health, clock: &Clock, stop: CancellationToken) {
    let (reachable, alive) = (health.check("api-server"), health.heartbeat("api-probe", PROBE_PERIOD));
    loop {
        match operator::client::bounded(PROBE_DEADLINE, client.apiserver_version()).await {
            Ok(_) => reachable.pass(),
            Err(error) => reachable.fail(&operator::describe(&error).to_string()),
        }
        alive.beat();
        tokio::select! {
            () = stop.cancelled() => return alive.retire(),
            () = tokio::time::sleep(clock.about(PROBE_PERIOD)) => {}
        }
    }
}

/// Passes over gateways, while we lead.
struct Gateways {
    context: Context,
    leadership: watch::Receiver<Leadership>,
}

impl Reconciler for Gateways {
    type Object = ActionsGateway;
    type Error = Error;
    const NAME: &'static str = "actionsgateway";

    /// A standby knows everything and does nothing. A pass under way ends with the leadership.
    async fn reconcile(&self, object: Arc<ActionsGateway>) -> Result<Action, Error> {
        let mut leadership = self.leadership.clone();
        if *leadership.borrow_and_update() != Leadership::Leading {
            return Ok(Action::await_change());
        }
        tokio::select! {
            biased;
            () = lost(&mut leadership) => Ok(Action::await_change()),
            pass = gateway::reconcile(&object, &self.context) => pass,
        }
    }

    fn span(&self, object: &ActionsGateway) -> tracing::Span {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        tracing::info_span!(parent: None, "ActionsGateway.Reconcile", namespace, gateway = name)
    }

    fn reason(&self, error: &Error) -> &'static str {
        error.step()
    }
}
