//! One ActionsGateway, from the top each time: dereference, validate, build, apply, prune, and whatever came of it
//! written into its status.

pub mod apply;
pub mod build;
pub mod dereference;
pub mod error;
pub mod identity;
pub mod prune;
pub mod status;
pub mod teardown;
pub mod validate;

use std::time::Duration;

use api::conditions::Reason;
use api::{ActionsGateway, ActionsGatewayStatus, labels};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::Api;
use kube::runtime::controller::Action;
use kube::{Client, Resource};
use operator::apply::Applier;
use operator::finalizer;
use operator::report::{Events, Severity};
use operator::status::Precondition;

use crate::config::Provision;
use build::{InCluster, Resources};
use dereference::{References, dereference};
use error::Error;
use identity::Identity;
use status::{Outcome, ready_changed, status};
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
    /// Says what happened.
    pub events: Events,
    /// What the platform decides.
    pub provision: Provision,
    /// The clock.
    pub now: fn() -> Timestamp,
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
    let outcome = match &cr.metadata.deletion_timestamp {
        None => Outcome::Attempted(Box::new(Box::pin(attempt(cr, identity, ctx)).await)),
        Some(deleted) => Outcome::Ending(Box::pin(take_down(cr, identity, deleted.0, ctx)).await),
    };
    let written = match &outcome {
        Outcome::Ending(Ok(Step::Remove)) => Ok(()), // there is no object any more
        _ => write(cr, &status(cr, &outcome, (ctx.now)()), ctx).await,
    };
    let next = next_look(outcome)?;
    written?;
    Ok(next)
}

fn next_look(outcome: Outcome) -> Result<Action, Error> {
    match outcome {
        Outcome::Attempted(attempt) => match attempt.result {
            Ok(_) => Ok(Action::requeue(RESYNC)),
            Err(Error::Validate(refusal)) => Ok(Action::requeue(refusal.recheck().unwrap_or(RESYNC))),
            Err(error) => Err(error),
        },
        Outcome::Ending(Ok(Step::Remove)) => Ok(Action::await_change()),
        Outcome::Ending(step) => step.map(|_| Action::requeue(teardown::LOOK_EVERY)),
    }
}

async fn attempt(cr: &ActionsGateway, identity: Identity, ctx: &Context) -> Attempt {
    let references = match dereference(ctx.client(), identity).await {
        Ok(references) => references,
        Err(error) => return Attempt { references: None, result: Err(Error::Dereference(error)) },
    };
    let result = provision(cr, &references, ctx).await;
    Attempt { references: Some(references), result }
}

async fn provision(
    cr: &ActionsGateway,
    references: &References,
    ctx: &Context,
) -> Result<Resources<InCluster>, Error> {
    let gateway = validate::validate(cr, references, &ctx.provision).map_err(Error::Validate)?;
    // Before the first child: from here on the end has to be an orderly one.
    finalizer::add(&gateways(ctx, &gateway.identity), cr, labels::FINALIZER_GATEWAY)
        .await
        .map_err(Error::Finalizer)?;
    let built = build::build(&gateway);
    let applied = apply::apply(&ctx.applier, references, built).await.map_err(Error::Apply)?;
    prune::prune(&ctx.applier, references, &applied).await.map_err(Error::Prune)?;
    Ok(applied)
}

/// One step of the end; after the last our finalizer comes off, and the object is gone.
async fn take_down(
    cr: &ActionsGateway,
    identity: Identity,
    deleted: Timestamp,
    ctx: &Context,
) -> Result<Step, Error> {
    if !finalizer::is_on(cr, labels::FINALIZER_GATEWAY) {
        return Ok(Step::Remove);
    }
    let references = dereference(ctx.client(), identity).await.map_err(Error::Dereference)?;
    // A younger gateway never made anything: what stands in the namespace is its elder's.
    if references.elder().is_none() {
        let facts =
            teardown::look(&ctx.applier, &references, deleted, (ctx.now)()).await.map_err(Error::Teardown)?;
        let step = teardown::next(&facts);
        teardown::take(&ctx.applier, &references, &step).await.map_err(Error::Teardown)?;
        say_what_was_cut_short(cr, &step, ctx);
        if step != Step::Remove {
            return Ok(step);
        }
    }
    let gateways = gateways(ctx, &references.identity);
    finalizer::remove(&gateways, cr, labels::FINALIZER_GATEWAY).await.map_err(Error::Finalizer)?;
    tracing::info!("the gateway is gone");
    Ok(Step::Remove)
}

fn gateways(ctx: &Context, identity: &Identity) -> Api<ActionsGateway> {
    Api::namespaced(ctx.client().clone(), &identity.namespace)
}

fn say_what_was_cut_short(cr: &ActionsGateway, step: &Step, ctx: &Context) {
    let warn = |reason, note| ctx.events.say(cr, Severity::Warning, reason, "TakeDown", note);
    match step {
        Step::Stop { workers, .. } if !workers.is_empty() => {
            let note = format!("{} workers did not end in time and were deleted", workers.len());
            warn("WorkerDrainTimeout", note);
        }
        Step::Release { groups, .. } if !groups.is_empty() => {
            let names: Vec<String> = groups.iter().filter_map(|it| it.name.clone()).collect();
            let note = format!(
                "no controller was left to unregister the runners of {}: look for them in GitHub's settings of \
                 runners, and remove those that are offline",
                teardown::few(&names)
            );
            warn("TeardownIncomplete", note);
        }
        _ => {}
    }
}

async fn write(cr: &ActionsGateway, status: &ActionsGatewayStatus, ctx: &Context) -> Result<(), Error> {
    let written = ctx.applier.status(cr, status, Precondition::None).await.map_err(Error::Status)?;
    if let Some(ready) = ready_changed(cr, status).filter(|_| written.is_some()) {
        say_how_it_is(cr, &ready, ctx);
    }
    Ok(())
}

fn say_how_it_is(cr: &ActionsGateway, ready: &Condition, ctx: &Context) {
    let (severity, word) = match ready.status.as_str() {
        "True" => (Severity::Normal, "Ready"),
        _ if ready.reason == Reason::Terminating.as_str() => (Severity::Normal, "Terminating"),
        _ => (Severity::Warning, "NotReady"),
    };
    tracing::info!(
        ready = ready.status,
        reason = ready.reason,
        why = ready.message,
        "the gateway's readiness changed"
    );
    ctx.events.say(cr, severity, word, "Reconcile", format!("{}: {}", ready.reason, ready.message));
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
