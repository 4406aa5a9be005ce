//! One ActionsGateway, from the top each time: dereference, validate, build, apply, prune, and whatever came of it
//! written into its status.

pub mod apply;
pub mod availability;
pub mod away;
pub mod build;
pub mod children;
pub mod dereference;
pub mod error;
pub mod identity;
pub mod kinds;
pub mod prune;
pub mod status;
pub mod teardown;
pub mod validate;

use std::time::Duration;

use api::conditions::Reason;
use api::events;
use api::{ActionsGateway, ActionsGatewayStatus, labels};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::Api;
use kube::runtime::controller::Action;
use kube::{Client, Resource};
use operator::apply::Applier;
use operator::events::Events;
use operator::finalizer;
use runtime::clock::Clock;

use crate::config::Provision;
use build::{InCluster, Resources};
use children::Children;
use dereference::{References, dereference};
use error::Error;
use identity::Identity;
use status::{Outcome, look_again, ready_changed, status};
use teardown::Step;

/// The field manager of everything that the GMC writes.
pub const FIELD_MANAGER: &str = "actions-gateway-gmc";

/// How often everything is looked at although nothing was heard of: a watch may have missed something.
const RESYNC: Duration = Duration::from_secs(600);

/// What a pass works with.
#[derive(Clone)]
pub struct Context {
    /// Writes, and remembers what it wrote.
    pub applier: Applier,
    /// What the watches show of all gateways' children.
    pub children: Children,
    /// Says what happened.
    pub events: Events,
    /// What the platform decides.
    pub provision: Provision,
    /// The time of day, and chance.
    pub clock: Clock,
}

impl Context {
    fn client(&self) -> &Client {
        self.applier.client()
    }
}

/// What came of trying to make the cluster as the gateway asks.
pub struct Attempt {
    /// What was read; nothing, if that failed.
    pub references: Option<References>,
    /// What stands now, or why not all of it does.
    pub result: Result<Resources<InCluster>, Error>,
}

/// One pass. What a user must mend is an answer, not a failure: it stands in the status, and no operator is paged.
///
/// # Errors
/// The step that failed; the status says so too, if it could be written.
pub async fn reconcile(cr: &ActionsGateway, ctx: &Context) -> Result<Action, Error> {
    let Some(identity) = Identity::of(cr.meta()) else { return Ok(Action::await_change()) };
    let deleted = cr.metadata.deletion_timestamp.as_ref().map(|it| it.0);
    if deleted.is_some() && !finalizer::is_on(cr, labels::FINALIZER_GATEWAY) {
        return Ok(Action::await_change()); // it never made anything, or all of it is gone
    }
    let references = Box::pin(dereference(ctx.client(), identity)).await;
    // The pods of a namespace go before all else in it, and nothing is made there any more: a gateway that waited for
    // its own deletion would leave workers that nobody lets go.
    let namespace_deleted = references.as_ref().ok().and_then(|it| it.namespace_deleted);
    let pass = Pass { cr, ctx, namespace_ends: namespace_deleted.is_some() };
    let outcome = match (references.map_err(Error::Dereference), deleted.or(namespace_deleted)) {
        (Ok(references), None) => Outcome::Attempted(Box::new(Box::pin(pass.attempt(references)).await)),
        (Err(error), None) => Outcome::Attempted(Box::new(Attempt { references: None, result: Err(error) })),
        (Ok(references), Some(deleted)) => {
            Outcome::Ending(Box::pin(pass.take_down(&references, deleted)).await)
        }
        (Err(error), Some(_)) => Outcome::Ending(Err(error)),
    };
    let now = ctx.clock.now();
    let status = status(cr, &outcome, now);
    let written = match &outcome {
        Outcome::Ending(Ok(Step::Remove)) => Ok(()), // there is no object any more, or soon none
        _ => pass.write(&status).await,
    };
    let next = next_look(outcome, look_again(&status, now).unwrap_or(RESYNC), &ctx.clock)?;
    written?;
    Ok(next)
}

/// `pause` is until the next look at what was read.
fn next_look(outcome: Outcome, pause: Duration, clock: &Clock) -> Result<Action, Error> {
    match outcome {
        Outcome::Attempted(attempt) => match attempt.result {
            Ok(_) => Ok(Action::requeue(clock.about(pause))),
            Err(Error::Validate(refusal)) => {
                Ok(Action::requeue(clock.about(refusal.recheck().unwrap_or(pause))))
            }
            Err(error) => Err(error),
        },
        Outcome::Ending(Ok(Step::Remove)) => Ok(Action::await_change()),
        Outcome::Ending(step) => step.map(|_| Action::requeue(clock.about(teardown::LOOK_EVERY))),
    }
}

/// What the steps of a pass share.
struct Pass<'a> {
    cr: &'a ActionsGateway,
    ctx: &'a Context,
    /// Whether the gateway's namespace is being deleted.
    namespace_ends: bool,
}

impl Pass<'_> {
    async fn attempt(&self, references: References) -> Attempt {
        let result = match self.provision(&references).await {
            Ok(applied) => {
                let marked = away::mark(self.ctx.client(), &references, self.ctx.clock.now()).await;
                marked.map(|()| applied).map_err(Error::Away)
            }
            Err(error) => Err(error),
        };
        Attempt { references: Some(references), result }
    }

    async fn provision(&self, references: &References) -> Result<Resources<InCluster>, Error> {
        let Self { cr, ctx, .. } = self;
        let gateway = validate::validate(cr, references, &ctx.provision).map_err(Error::Validate)?;
        // Before the first child: from here on the end has to be an orderly one.
        finalizer::add(&self.gateways(&gateway.identity), cr, labels::FINALIZER_GATEWAY)
            .await
            .map_err(Error::Finalizer)?;
        let built = build::build(&gateway);
        let applied = apply::apply(&ctx.applier, references, built).await.map_err(Error::Apply)?;
        prune::prune(&ctx.applier, references, &ctx.children, &applied).await.map_err(Error::Prune)?;
        Ok(applied)
    }

    /// One step of the end; after the last our finalizer comes off, and the object is gone.
    async fn take_down(&self, references: &References, deleted: Timestamp) -> Result<Step, Error> {
        let Self { cr, ctx, .. } = self;
        if !finalizer::is_on(*cr, labels::FINALIZER_GATEWAY) {
            return Ok(Step::Remove);
        }
        // A younger gateway never made anything: what stands in the namespace is its elder's.
        if references.elder().is_none() {
            let facts = teardown::look(&ctx.applier, references, deleted, ctx.clock.now())
                .await
                .map_err(Error::Teardown)?;
            let step = teardown::next(&facts);
            teardown::take(&ctx.applier, references, &step).await.map_err(Error::Teardown)?;
            self.say_what_was_cut_short(&step);
            if step != Step::Remove {
                return Ok(step);
            }
        }
        let gateways = self.gateways(&references.identity);
        finalizer::remove(&gateways, cr, labels::FINALIZER_GATEWAY).await.map_err(Error::Finalizer)?;
        tracing::info!("removed the finalizer from ActionsGateway");
        Ok(Step::Remove)
    }

    fn gateways(&self, identity: &Identity) -> Api<ActionsGateway> {
        Api::namespaced(self.ctx.client().clone(), &identity.namespace)
    }

    fn say_what_was_cut_short(&self, step: &Step) {
        match step {
            Step::Stop { workers, .. } if !workers.is_empty() => {
                let note = format!("{} workers did not end in time and were deleted", workers.len());
                self.say(events::Reason::WorkerDrainTimeout, note);
            }
            Step::Release { groups, .. } if !groups.is_empty() => {
                let names: Vec<String> = groups.iter().filter_map(|it| it.name.clone()).collect();
                let note = format!(
                    "no controller was left to unregister the runners of {}: look for them in GitHub's settings of \
                     runners, and remove those that are offline",
                    teardown::few(&names)
                );
                self.say(events::Reason::TeardownIncomplete, note);
            }
            _ => {}
        }
    }

    async fn write(&self, status: &ActionsGatewayStatus) -> Result<(), Error> {
        let written = self.ctx.applier.status(self.cr, status).await.map_err(Error::Status)?;
        if let Some(ready) = ready_changed(self.cr, status).filter(|_| written.is_some()) {
            self.say_how_it_is(&ready);
        }
        Ok(())
    }

    fn say_how_it_is(&self, ready: &Condition) {
        let reason = match ready.status.as_str() {
            "True" => events::Reason::Ready,
            _ if ready.reason == Reason::Terminating.as_str() => events::Reason::Terminating,
            _ => events::Reason::NotReady,
        };
        tracing::info!(
            ready = ready.status,
            reason = ready.reason,
            why = ready.message,
            "condition Ready changed"
        );
        self.say(reason, format!("{}: {}", ready.reason, ready.message));
    }

    /// An Event; where none can be made any more, a log line.
    fn say(&self, reason: events::Reason, note: String) {
        if self.namespace_ends {
            tracing::info!(
                reason = reason.as_str(),
                note,
                "Event not created: the namespace is being deleted"
            );
        } else {
            self.ctx.events.say(self.cr, reason, note);
        }
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
