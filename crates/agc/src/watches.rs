//! Watches of the namespace: worker pods and `RunnerJob`s for the dispatcher, quotas for admission.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use api::{RunnerJob, labels};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{Pod, PodSpec, ResourceQuota};
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, reflector, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::dispatcher::Message;
use crate::quota::QuotaFacts;
use crate::versions::{self, Versions};

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

/// Only what is ours is watched.
fn ours() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_VALUE))
}

/// Starts the watches; their tasks end with the last receiver. The stores are empty until they have delivered.
pub fn start(
    client: &Client,
    namespace: &str,
    dispatcher: &mpsc::Sender<Message>,
    versions: &Versions,
) -> Stores {
    let (pods, pods_writer) = reflector::store();
    let (jobs, jobs_writer) = reflector::store();
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let workers = ours().labels(&format!("{}=worker", labels::COMPONENT));
    let workers = stream(api, workers).modify(forget_what_we_wrote).reflect(pods_writer);
    tokio::spawn(forward_pods(workers, dispatcher.clone(), versions.clone()));
    let api = Api::<DeserializeGuard<RunnerJob>>::namespaced(client.clone(), namespace);
    tokio::spawn(forward_jobs(stream(api, ours()).reflect(jobs_writer), dispatcher.clone()));
    let api = Api::<ResourceQuota>::namespaced(client.clone(), namespace);
    tokio::spawn(forward_quotas(api, dispatcher.clone()));
    Stores { pods, jobs }
}

fn stream<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = watcher::Result<Event<K>>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    watch(api, config).default_backoff().modify(|it| it.managed_fields_mut().clear())
}

/// Of a pod's spec, which we wrote, only the node is news: the rest would be most of what a running job costs.
fn forget_what_we_wrote(pod: &mut Pod) {
    let node_name = pod.spec.take().and_then(|it| it.node_name);
    pod.spec = Some(PodSpec { node_name, ..PodSpec::default() });
}

async fn forward_pods(
    stream: impl Stream<Item = watcher::Result<Event<Pod>>>,
    dispatcher: mpsc::Sender<Message>,
    versions: Versions,
) {
    let mut stream = std::pin::pin!(stream);
    let mut listed = HashSet::new();
    while let Some(event) = stream.next().await {
        if let Ok(Event::InitApply(pod) | Event::Apply(pod) | Event::Delete(pod)) = &event
            && let Some(worker) = versions::worker(pod)
        {
            versions.hear(worker);
        }
        let message = match event {
            Ok(Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(Event::InitApply(pod)) => {
                listed.extend(pod.uid());
                Message::PodSeen(Arc::new(pod))
            }
            Ok(Event::InitDone) => Message::PodsListed(std::mem::take(&mut listed)),
            Ok(Event::Apply(pod)) => Message::PodSeen(Arc::new(pod)),
            Ok(Event::Delete(pod)) => Message::PodGone(Arc::new(pod)),
            Err(error) => {
                complain("pods", &error);
                continue;
            }
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
        let message = match event {
            Ok(Event::InitApply(object) | Event::Apply(object)) => match object.0 {
                Ok(job) => Message::JobSeen(Arc::new(job)),
                Err(invalid) => {
                    tracing::warn!(error = %invalid, "a RunnerJob cannot be understood");
                    continue;
                }
            },
            Ok(Event::Delete(object)) => Message::JobGone(object.name_any()),
            Ok(Event::Init | Event::InitDone) => continue,
            Err(error) => {
                complain("runnerjobs", &error);
                continue;
            }
        };
        if dispatcher.send(message).await.is_err() {
            return;
        }
    }
}

async fn forward_quotas(api: Api<ResourceQuota>, dispatcher: mpsc::Sender<Message>) {
    let (store, writer) = reflector::store();
    let stream = stream(api, watcher::Config::default()).reflect(writer);
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_)) => {}
            Ok(Event::Init | Event::InitApply(_)) => continue,
            Err(error) => {
                complain("resourcequotas", &error);
                continue;
            }
        }
        let quotas = store.state().iter().map(|it| QuotaFacts::of(it)).collect();
        if dispatcher.send(Message::Quotas(quotas)).await.is_err() {
            return;
        }
    }
}

fn complain(what: &str, error: &watcher::Error) {
    tracing::warn!(what, error = %operator::describe(error), "a watch failed and is opened again");
}
