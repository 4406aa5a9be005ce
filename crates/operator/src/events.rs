//! Kubernetes Events. Saying something never fails and never waits: a bounded queue leads to one publisher.
//!
//! What is said again within minutes raises the count of the Event that stands; an object about which very much
//! is said is heard at a bounded rate.
//!
//! They go through the core API: `events.k8s.io/v1` refuses `count` and `lastTimestamp` on create, and without these
//! `kubectl get events --sort-by=.lastTimestamp` puts ours before all others. They have the younger fields as well.

mod correlator;

use std::time::Duration;

use api::events::Reason;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSeries, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{MicroTime, Time},
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
    core::ObjectMeta,
};
use runtime::clock::Clock;
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use correlator::{Correlator, Verdict};

/// A storm of a hundred jobs says a few things each; what is beyond that is dropped and logged.
const QUEUE: usize = 512;

/// What one publication may take.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);

/// What is left at the end may take so long altogether.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// The API's bound on `message` of an Event that has an `eventTime`, in bytes.
const NOTE_BYTES: usize = 1024;

/// Says things about objects. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    queue: mpsc::Sender<Said>,
}

/// Sends what was said. Exactly one task runs it.
pub struct Publisher {
    client: Client,
    controller: &'static str,
    instance: String,
    clock: Clock,
    queue: mpsc::Receiver<Said>,
    correlator: Correlator,
}

#[derive(Debug, Clone)]
struct Said {
    regarding: ObjectReference,
    reason: Reason,
    note: String,
}

impl Events {
    /// `controller` is the reporting controller (`actions-gateway.github.com/agc`), `instance` its pod.
    pub fn new(
        client: Client,
        controller: &'static str,
        instance: String,
        clock: Clock,
    ) -> (Self, Publisher) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (
            Events { queue: sender },
            Publisher { client, controller, instance, clock, queue, correlator: Correlator::default() },
        )
    }

    /// Says it about `object`, which is of the reason's kind; `note` is for people, never a secret.
    pub fn say<K>(&self, object: &K, reason: Reason, note: String)
    where
        K: Resource<DynamicType = ()>,
    {
        self.say_about(object.object_ref(&()), reason, note);
    }

    /// As [`Events::say`], about an object of which only the reference is at hand.
    pub fn say_about(&self, regarding: ObjectReference, reason: Reason, note: String) {
        let said = Said { regarding, reason, note: cut(note, NOTE_BYTES) };
        if self.queue.try_send(said).is_err() {
            let reason = reason.as_str();
            tracing::warn!(reason, "an Event was dropped: too many are waiting, or the publisher has ended");
        }
    }
}

impl Publisher {
    /// Publishes until `stop`, then what is left, briefly.
    pub async fn run(mut self, stop: CancellationToken) {
        let patience = async {
            stop.cancelled().await;
            tokio::time::sleep(FLUSH_DEADLINE).await;
        };
        tokio::select! {
            () = self.publish_all(&stop) => {}
            () = patience => tracing::warn!("Events were dropped at shutdown"),
        }
    }

    /// Until nothing more can come: everyone who could say something is gone, or `stop` has closed the queue and
    /// it is empty.
    async fn publish_all(&mut self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                said = self.queue.recv() => match said {
                    Some(said) => self.publish(said).await,
                    None => return,
                },
                () = stop.cancelled(), if !self.queue.is_closed() => self.queue.close(),
            }
        }
    }

    async fn publish(&mut self, said: Said) {
        let verdict = self.correlator.hear(&said, Instant::now());
        let sent = match &verdict {
            Verdict::Ignore => return,
            Verdict::Create => self.create(&said).await,
            Verdict::Count { event, count } => self.count(&said, event, *count).await,
        };
        if let Err(error) = sent {
            let error = crate::describe(&error);
            tracing::warn!(reason = said.reason.as_str(), %error, "failed to publish an Event");
        }
    }

    async fn create(&mut self, said: &Said) -> Result<(), kube::Error> {
        let event = self.event(said, self.clock.now());
        let name = event.metadata.name.clone().unwrap_or_default();
        bounded(self.api(said).create(&PostParams::default(), &event)).await?;
        self.correlator.published(said, name);
        Ok(())
    }

    async fn count(&mut self, said: &Said, event: &str, count: i32) -> Result<(), kube::Error> {
        let now = self.clock.now();
        let series = EventSeries { count: Some(count), last_observed_time: Some(MicroTime(now)) };
        let patch = json!({ "series": series, "count": count, "lastTimestamp": Time(now) });
        let patch = Patch::Merge(patch);
        match bounded(self.api(said).patch(event, &PatchParams::default(), &patch)).await {
            // The API server keeps Events for an hour; ours may have gone.
            Err(kube::Error::Api(status)) if status.code == 404 => self.create(said).await,
            result => result.map(drop),
        }
    }

    fn api(&self, said: &Said) -> Api<Event> {
        // Events about cluster-wide objects stand in `default`.
        let namespace = said.regarding.namespace.as_deref().unwrap_or("default");
        Api::namespaced(self.client.clone(), namespace)
    }

    fn event(&self, said: &Said, now: Timestamp) -> Event {
        let regarding = said.regarding.name.clone().unwrap_or_default();
        let source = EventSource { component: Some(self.controller.to_owned()), ..EventSource::default() };
        Event {
            metadata: ObjectMeta {
                namespace: Some(said.regarding.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                name: Some(format!("{}.{:x}", cut(regarding, 200), now.as_nanosecond())),
                ..ObjectMeta::default()
            },
            action: Some(said.reason.action().as_str().to_owned()),
            event_time: Some(MicroTime(now)),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            message: Some(said.note.clone()),
            reason: Some(said.reason.as_str().to_owned()),
            involved_object: said.regarding.clone(),
            source: Some(source),
            reporting_component: Some(self.controller.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(said.reason.severity().as_str().to_owned()),
            ..Event::default()
        }
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    crate::client::bounded(PUBLISH_DEADLINE, call).await
}

/// At most so many bytes, at a character's edge.
fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|it| text.is_char_boundary(*it)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
