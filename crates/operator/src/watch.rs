//! The one way in which our programs watch: under a name, with a backoff of its own, and as a condition of readiness.

use std::fmt::Debug;
use std::future::ready;

use futures::{Stream, StreamExt as _};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt as _};
use runtime::admin::Health;
use runtime::clock::Clock;
use serde::de::DeserializeOwned;

use crate::requeue::WatchBackoff;

/// Watches for ever. Until the first list has arrived, `health` is not ready, and says so under `label`.
///
/// A watch that fails is logged with its label and opened again after a backoff, so the stream holds no errors; its items
/// are results because kube's adapters for watches ask for that. Managed fields are dropped: nobody reads them, and they
/// are much of an object. For metadata only, watch `PartialObjectMeta`.
pub fn watch<K>(
    health: &Health,
    clock: &Clock,
    label: &str,
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let label = label.to_owned();
    let delivered = health.check(label.clone());
    watcher(api, config)
        .backoff(WatchBackoff::new(clock))
        .modify(|it| it.managed_fields_mut().clear())
        .inspect(move |event| match event {
            Ok(Event::InitDone) => delivered.pass(),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(what = label, error = %crate::describe(error), "watch failed: restarting it");
            }
        })
        .filter(|event| ready(event.is_ok()))
}

#[cfg(test)]
mod tests;
