//! Watches of the namespace: worker pods and `RunnerJob`s for the dispatcher, quotas and LimitRanges for admission.

use std::collections::HashSet;
use std::sync::Arc;

use admission::Quota;
use api::{RunnerJob, labels};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{LimitRange, Pod, PodSpec, ResourceQuota};
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, reflector};
use kube::{Api, Client, Resource, ResourceExt as _};
use runtime::admin::Health;
use runtime::clock::Clock;
use tokio::sync::{mpsc, watch};

use crate::dry_run::{Limits, World};
use crate::jobs::message::Message;
use crate::versions::{self, Versions};

/// What the watches make known.
pub struct Watched {
    /// Pods and `RunnerJob`s.
    pub stores: Stores,
    /// What the API server judges pods by.
    pub world: watch::Receiver<World>,
}

/// What is known of pods and `RunnerJob`s, for those who look at all of them at once.
#[derive(Clone)]
pub struct Stores {
    /// Worker pods.
    pub pods: reflector::Store<Pod>,
    /// `RunnerJob`s that can be understood.
    pub jobs: reflector::Store<DeserializeGuard<RunnerJob>>,
}

impl Stores {
    /// The `RunnerJob`s that can be understood.
    #[must_use]
    pub fn runner_jobs(&self) -> Vec<RunnerJob> {
        self.jobs.state().iter().filter_map(|it| it.0.as_ref().ok().cloned()).collect()
    }

    /// Waits until both watches have delivered. For one caller only: kube's store wakes no more than one that waits.
    pub async fn delivered(&self) {
        // An error is the end of the watch's task, and so of the process.
        let _ = self.pods.wait_until_ready().await;
        let _ = self.jobs.wait_until_ready().await;
    }
}

/// Starts the watches, each a condition of readiness; their tasks end with the last receiver. The stores are empty until
/// they have delivered.
pub fn start(
    client: &Client,
    namespace: &str,
    health: &Health,
    clock: &Clock,
    dispatcher: &mpsc::Sender<Message>,
    versions: &Versions,
) -> Watched {
    let (pods, pods_writer) = reflector::store();
    let (jobs, jobs_writer) = reflector::store();
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let selected = watcher::Config::default().labels(&labels::component(labels::WORKER));
    let workers = operator::watch(health, clock, "pods", api, selected)
        .modify(forget_what_we_wrote)
        .reflect(pods_writer);
    tokio::spawn(forward_pods(workers, dispatcher.clone(), versions.clone()));
    let api = Api::<DeserializeGuard<RunnerJob>>::namespaced(client.clone(), namespace);
    let ours = watcher::Config::default().labels(&labels::ours());
    let runner_jobs = operator::watch(health, clock, "runnerjobs", api, ours).reflect(jobs_writer);
    tokio::spawn(forward_jobs(runner_jobs, dispatcher.clone()));
    let api = Api::<ResourceQuota>::namespaced(client.clone(), namespace);
    let quotas = operator::watch(health, clock, "resourcequotas", api, watcher::Config::default());
    let (world, known) = watch::channel(World::default());
    tokio::spawn(forward_quotas(quotas, dispatcher.clone(), world.clone()));
    let api = Api::<LimitRange>::namespaced(client.clone(), namespace);
    let limit_ranges = operator::watch(health, clock, "limitranges", api, watcher::Config::default());
    tokio::spawn(note_limit_ranges(limit_ranges, world));
    Watched { stores: Stores { pods, jobs }, world: known }
}

/// Of a pod's spec, which we wrote, only the node is news, and the reaper wants the times that end the pod: the rest would be
/// most of what a running job costs.
fn forget_what_we_wrote(pod: &mut Pod) {
    let written = pod.spec.take().unwrap_or_default();
    pod.spec = Some(PodSpec {
        node_name: written.node_name,
        active_deadline_seconds: written.active_deadline_seconds,
        termination_grace_period_seconds: written.termination_grace_period_seconds,
        ..PodSpec::default()
    });
}

async fn forward_pods(
    stream: impl Stream<Item = watcher::Result<Event<Pod>>>,
    dispatcher: mpsc::Sender<Message>,
    versions: Versions,
) {
    let mut stream = std::pin::pin!(stream);
    let mut listed = HashSet::new();
    while let Some(event) = stream.next().await {
        let Ok(event) = event else { continue };
        if let Event::InitApply(pod) | Event::Apply(pod) | Event::Delete(pod) = &event
            && let Some(worker) = versions::worker(pod)
        {
            versions.hear(worker);
        }
        let message = match event {
            Event::Init => {
                listed.clear();
                continue;
            }
            Event::InitApply(pod) => {
                listed.extend(pod.uid());
                Message::PodSeen(Arc::new(pod))
            }
            Event::InitDone => Message::PodsListed(std::mem::take(&mut listed)),
            Event::Apply(pod) => Message::PodSeen(Arc::new(pod)),
            Event::Delete(pod) => Message::PodGone(Arc::new(pod)),
        };
        if dispatcher.send(message).await.is_err() {
            return;
        }
    }
}

async fn forward_jobs(
    stream: impl Stream<Item = watcher::Result<Event<DeserializeGuard<RunnerJob>>>>,
    dispatcher: mpsc::Sender<Message>,
) {
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        let Ok(event) = event else { continue };
        let message = match event {
            Event::InitApply(object) | Event::Apply(object) => match object.0 {
                Ok(job) => Message::JobSeen(Arc::new(job)),
                Err(invalid) => {
                    tracing::warn!(error = %invalid, "failed to deserialize RunnerJob");
                    continue;
                }
            },
            Event::Delete(object) => Message::JobGone(object.name_any()),
            Event::Init | Event::InitDone => continue,
        };
        if dispatcher.send(message).await.is_err() {
            return;
        }
    }
}

async fn forward_quotas(
    stream: impl Stream<Item = watcher::Result<Event<ResourceQuota>>>,
    dispatcher: mpsc::Sender<Message>,
    world: watch::Sender<World>,
) {
    let mut wholes = std::pin::pin!(wholes(stream));
    while let Some(objects) = wholes.next().await {
        let limits = objects.iter().map(|it| (it.name_any(), limits(it))).collect();
        world.send_if_modified(|it| replaced(&mut it.quotas, limits));
        let quotas = objects.iter().map(|it| Quota::of(it)).collect();
        if dispatcher.send(Message::Quotas(quotas)).await.is_err() {
            return;
        }
    }
}

async fn note_limit_ranges(
    stream: impl Stream<Item = watcher::Result<Event<LimitRange>>>,
    world: watch::Sender<World>,
) {
    let mut wholes = std::pin::pin!(wholes(stream));
    while let Some(objects) = wholes.next().await {
        let mut ranges: Vec<LimitRange> = objects.iter().map(|it| judged_by(it)).collect();
        ranges.sort_by_key(|it| it.metadata.name.clone());
        world.send_if_modified(|it| replaced(&mut it.limit_ranges, ranges));
    }
}

/// All objects that there are, after each change of one; not while a list is being delivered.
fn wholes<K>(stream: impl Stream<Item = watcher::Result<Event<K>>>) -> impl Stream<Item = Vec<Arc<K>>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let (store, writer) = reflector::store();
    stream.reflect(writer).filter_map(move |event| {
        let passing = matches!(event, Err(_) | Ok(Event::Init | Event::InitApply(_)));
        std::future::ready((!passing).then(|| store.state()))
    })
}

/// Of a ResourceQuota what it limits.
fn limits(object: &ResourceQuota) -> Limits {
    (object.spec.clone().unwrap_or_default(), object.status.as_ref().and_then(|it| it.hard.clone()))
}

/// Of a LimitRange what pods are judged by.
fn judged_by(object: &LimitRange) -> LimitRange {
    let metadata = ObjectMeta { name: object.metadata.name.clone(), ..ObjectMeta::default() };
    LimitRange { metadata, spec: object.spec.clone() }
}

/// Whether the new value is another one: what is used of a quota changes with each pod, what it limits hardly ever.
fn replaced<T: PartialEq>(value: &mut T, new: T) -> bool {
    let old = std::mem::replace(value, new);
    old != *value
}
