//! One kube controller, with what every controller of ours has around its reconcile: a span of its own, a
//! timer, one log line for a failure, a backoff for each object, and readiness once its watch has delivered.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use futures::StreamExt as _;
use kube::{
    Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        Controller,
        controller::{self, Action},
        reflector::ObjectRef,
    },
};
use runtime::{admin::Check, clock::Clock, telemetry};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    metrics::{ControllerMetrics, ReconcileResult},
    requeue::Requeue,
};

/// What one kind's controller does.
pub trait Reconciler: Send + Sync + 'static {
    /// The kind.
    type Object: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static;
    /// Why a pass failed.
    type Error: std::error::Error + Send + Sync + 'static;
    /// The `controller` label of the metrics and field of the log lines, as in `runnergroup`.
    const NAME: &'static str;

    /// One pass: from the top, whatever was the occasion.
    fn reconcile(
        &self,
        object: Arc<Self::Object>,
    ) -> impl Future<Output = Result<Action, Self::Error>> + Send;

    /// The root span of a pass, with `parent: None`.
    fn span(&self, object: &Self::Object) -> tracing::Span;

    /// The finite word for the error, as in conditions and Events.
    fn reason(&self, error: &Self::Error) -> &'static str;

    /// What is to be done about it.
    fn retry(&self, _error: &Self::Error) -> Retry {
        Retry::Backoff
    }
}

/// When a failed object is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Soon, then less and less often.
    Backoff,
    /// Only a change can help.
    OnChange,
}

/// Runs until `stop`, then finishes the passes under way.
///
/// `controller` comes with its watches, each with a backoff of its own, and its concurrency set (kube sets no bound of its
/// own); its own kind is
/// watched through [`DeserializeGuard`], so that one malformed object stops none but itself. `ready` passes when
/// the first list of it has arrived.
pub async fn run<R: Reconciler>(
    controller: Controller<Guarded<R>>,
    reconciler: Arc<R>,
    metrics: ControllerMetrics,
    ready: Check,
    clock: Clock,
    stop: CancellationToken,
) {
    let store = controller.store();
    let stopped = stop.clone();
    // Told to stop, kube ends the watch and then waits for its first list for ever. No pass has begun by then.
    let stopped_before_the_first_list = async move {
        tokio::select! {
            listed = store.wait_until_ready() => if listed.is_ok() { ready.pass() },
            () = stopped.cancelled() => return,
        }
        std::future::pending::<()>().await;
    };
    let house = Arc::new(House { reconciler, metrics, requeue: Requeue::new(clock) });
    let passes = controller
        .trigger_backoff(EachForItself)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            |object, house| async move { house.pass(object).await },
            |_, never, _| match *never {},
            house.clone(),
        )
        .for_each(|result| {
            house.note(result);
            std::future::ready(())
        });
    tokio::select! {
        () = passes => {}
        () = stopped_before_the_first_list => {}
    }
}

/// What a controller's watches wait together after an error of one: nothing. kube's own wait is one for all of them, and
/// grows: after a restart of the API server, when each fails once, it would leave the controller deaf for minutes.
#[derive(Debug)]
struct EachForItself;

impl Iterator for EachForItself {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl kube::runtime::utils::Backoff for EachForItself {
    fn reset(&mut self) {}
}

/// What stands around the passes of one controller.
struct House<R: Reconciler> {
    reconciler: Arc<R>,
    metrics: ControllerMetrics,
    requeue: Requeue<String>,
}

/// Failures end in [`House::pass`], which knows the object.
type Never = std::convert::Infallible;

type Guarded<R> = DeserializeGuard<<R as Reconciler>::Object>;
type MachineryError = controller::Error<Never, kube::runtime::watcher::Error>;

impl<R: Reconciler> House<R> {
    async fn pass(&self, object: Arc<Guarded<R>>) -> Result<Action, Never> {
        let resource = resource(object.meta().namespace.as_deref(), &object.name_any());
        let object = match &object.0 {
            Ok(object) => Arc::new(object.clone()),
            Err(invalid) => {
                self.metrics.failed(R::NAME, &resource);
                tracing::warn!(controller = R::NAME, resource, error = %invalid, "failed to deserialize an object");
                return Ok(Action::await_change());
            }
        };
        let span = self.reconciler.span(&object);
        let timer = self.metrics.start(R::NAME);
        let outcome = self.reconciler.reconcile(object).instrument(span.clone()).await;
        match outcome {
            Ok(action) => {
                self.requeue.forget(&resource);
                let result = if action == Action::await_change() {
                    ReconcileResult::Success
                } else {
                    ReconcileResult::RequeueAfter
                };
                timer.finish(result);
                Ok(action)
            }
            Err(error) => {
                timer.finish(ReconcileResult::Error);
                self.metrics.failed(R::NAME, &resource);
                telemetry::fail_span(&span, crate::describe(&error));
                Ok(span.in_scope(|| self.next_try(&resource, &error)))
            }
        }
    }

    fn next_try(&self, resource: &str, error: &R::Error) -> Action {
        let after = match self.reconciler.retry(error) {
            Retry::Backoff => Some(self.requeue.failed(resource.to_owned())),
            Retry::OnChange => None,
        };
        tracing::warn!(
            controller = R::NAME,
            resource,
            reason = self.reconciler.reason(error),
            error = %crate::describe(error),
            retry_seconds = after.map(|it| it.as_secs_f64()),
            "reconcile failed"
        );
        after.map_or_else(Action::await_change, Action::requeue)
    }

    /// What the controller's own machinery says.
    fn note(&self, result: Result<(ObjectRef<Guarded<R>>, Action), MachineryError>) {
        match result {
            Ok(_) => {}
            // Queued once more when it was already deleted.
            Err(controller::Error::ObjectNotFound(object)) => {
                let resource = resource(object.namespace.as_deref(), &object.name);
                self.requeue.forget(&resource);
                self.metrics.forget(R::NAME, &resource);
            }
            Err(error) => {
                tracing::warn!(controller = R::NAME, error = %crate::describe(&error), "watch failed")
            }
        }
    }
}

fn resource(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

#[cfg(test)]
mod tests;
