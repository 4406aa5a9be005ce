//! Two controllers at once: the one that does not hold the Lease stands by, and takes over when the Lease is free.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::names;
use e2e::node_agent::Signal;
use e2e::tenant::{GATE, REACTION, is_complete};
use e2e::write_blocker::{Write, WriteBlocker};
use e2e::{Namespace, wait};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use kube::core::ObjectMeta;
use kube::runtime::{WatchStreamExt as _, watcher};

use super::row::ran_once;
use super::scene::Scene;

/// The second controller's pod.
const SECOND: &str = "second";
/// So often it has asked for the Lease before it counts as one that waits.
const LOOKS: usize = 3;
/// For a Lease to run out, and somebody to see it: thirty seconds, and a start.
const RUN_OUT: Duration = Duration::from_secs(60);
/// When a holder that cannot renew must have stopped, and a moment for what it had sent by then.
const STOPPED_AFTER: SignedDuration = SignedDuration::from_secs(21);
const RENEWAL: Write = Write { operation: "UPDATE", group: "coordination.k8s.io", resource: "leases" };

pub async fn a_second_controller_stands_by(namespace: Namespace) -> Result<()> {
    let scene = Scene::listening(namespace).await?;
    let (tenant, first) = (&scene.tenant, scene.tenant.controller().await?);
    waiting_second(&scene).await?;
    let run = tenant.start_script("true").await?;
    ran_once(&scene, run).await?;

    let written = scene.asked(|it| it.pod.as_deref() == Some(SECOND) && it.is_write())?;
    ensure!(written.is_empty(), "the second one wrote: {written:#?}");
    let read = scene.asked(|it| it.pod.as_deref() == Some(SECOND) && it.resource != "leases")?;
    ensure!(read.is_empty(), "the second one asked for more than the Lease: {read:#?}");
    let sessions = tenant.github.sessions(&tenant.group).await?;
    ensure!(!sessions.is_empty() && sessions.iter().all(|it| it.owner == first.name_any()), "{sessions:#?}");
    Ok(())
}

pub async fn a_released_lease_is_acquired_at_once(namespace: Namespace) -> Result<()> {
    let scene = Scene::listening(namespace).await?;
    let first = scene.tenant.controller().await?;
    waiting_second(&scene).await?;
    let holders = Holders::watch(&scene);
    let run = scene.tenant.start_script(GATE).await?;
    let worker = scene.tenant.running_pod(run).await?;
    // The kubelet tells it to end, and the Deployment makes another one that waits as well.
    let pods = scene.tenant.namespace.api::<Pod>();
    pods.delete(&first.name_any(), &DeleteParams::default()).await?;
    let next = holders.until(|holder| !holder.is_empty() && holder != identity(&first)).await?;
    // It was free in between: nobody had to wait for its end.
    ensure!(holders.seen() == [identity(&first), String::new(), next], "{:?}", holders.seen());
    scene.tenant.open_gate(&worker).await?;
    ran_once(&scene, run).await
}

pub async fn an_expired_lease_is_acquired(namespace: Namespace) -> Result<()> {
    let scene = Scene::listening(namespace).await?;
    let first = scene.tenant.controller().await?;
    let second = waiting_second(&scene).await?;
    let holders = Holders::watch(&scene);
    let run = scene.tenant.start_script(GATE).await?;
    let worker = scene.tenant.running_pod(run).await?;
    // Frozen first: it cannot give anything back, whatever the kubelet tells it.
    scene.signal(&first, Signal::Stop).await?;
    let pods = scene.tenant.namespace.api::<Pod>();
    pods.delete(&first.name_any(), &DeleteParams::default().grace_period(0)).await?;
    holders.until(|holder| holder == identity(&second)).await?;
    ensure!(holders.seen() == [identity(&first), identity(&second)], "{:?}", holders.seen());
    scene.tenant.open_gate(&worker).await?;
    ran_once(&scene, run).await
}

pub async fn a_holder_that_cannot_renew_stops_writing(namespace: Namespace) -> Result<()> {
    let scene = Scene::listening(namespace).await?;
    let (tenant, controller) = (&scene.tenant, scene.tenant.controller().await?);
    let run = tenant.start_script(GATE).await?;
    let worker = tenant.running_pod(run).await?;
    let blocker = WriteBlocker::refuse(&tenant.namespace, RENEWAL).await?;
    scene.begun_again(&controller, 1).await?;

    // There is something to write: the job's end.
    tenant.open_gate(&worker).await?;
    tenant.completed(run).await?;
    let ended = Timestamp::now();
    wait::eventually("the Lease was asked for in vain meanwhile", REACTION, || async {
        let in_vain = scene.asked(|it| it.resource == "leases" && it.code == 500 && it.time > ended)?;
        ensure!(in_vain.len() >= LOOKS, "{in_vain:#?}");
        Ok(())
    })
    .await?;
    let job = tenant.runner_job(run, "there", |_| true).await?;
    ensure!(!is_complete(&job), "somebody wrote the job's end: {job:#?}");
    blocker.remove().await?;

    ran_once(&scene, run).await?;
    let renewals = scene.asked(|it| it.resource == "leases" && it.is_write() && it.succeeded())?;
    let stopped = renewals.iter().rfind(|it| it.time < ended).context("it had led")?.time + STOPPED_AFTER;
    let again = renewals.iter().find(|it| it.time > ended).context("it leads again")?.time;
    let wrote = |it: &e2e::audit::Entry| it.is_write() && it.resource != "leases";
    let between = scene.asked(|it| wrote(it) && it.time > stopped && it.time < again)?;
    ensure!(between.is_empty(), "it wrote from {stopped} to {again}: {between:#?}");
    ensure!(
        !scene.asked(|it| wrote(it) && it.time > again)?.is_empty(),
        "the writes are not in the audit log"
    );
    scene.is_well(&controller).await
}

/// Another controller of the namespace, which waits for the Lease.
async fn waiting_second(scene: &Scene) -> Result<Pod> {
    let namespace = &scene.tenant.namespace;
    let deployment = namespace.api::<Deployment>().get(names::CONTROLLER).await?;
    let template = deployment.spec.context("a spec")?.template;
    let mut labels: BTreeMap<_, _> = template.metadata.and_then(|it| it.labels).unwrap_or_default();
    labels.remove("app"); // no ReplicaSet's, and nobody's idea of the first one
    let metadata =
        ObjectMeta { name: Some(SECOND.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
    let pod = Pod { metadata, spec: template.spec, status: None };
    let created = namespace.api::<Pod>().create(&PostParams::default(), &pod).await?;
    wait::eventually("the second controller waits", REACTION, || async {
        let looks = scene.asked(|it| it.pod.as_deref() == Some(SECOND) && it.resource == "leases")?;
        ensure!(looks.len() >= LOOKS, "{looks:#?}");
        Ok(())
    })
    .await?;
    Ok(created)
}

/// What a controller calls itself in a Lease.
fn identity(pod: &Pod) -> String {
    format!("{}_{}", pod.name_any(), pod.uid().unwrap_or_default())
}

/// Who has held the Lease since it was looked at first; nobody is the empty word.
struct Holders {
    seen: Arc<Mutex<Vec<String>>>,
}

impl Holders {
    fn watch(scene: &Scene) -> Self {
        let api = scene.tenant.namespace.api::<Lease>();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let config = watcher::Config::default().fields(&format!("metadata.name={}", names::CONTROLLER));
        let (leases, noted) = (watcher(api, config).default_backoff().applied_objects(), seen.clone());
        tokio::spawn(async move {
            let mut leases = std::pin::pin!(leases);
            while let Some(Ok(lease)) = leases.next().await {
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                if noted.last() != Some(&holder(&lease)) {
                    noted.push(holder(&lease));
                }
            }
        });
        Self { seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until such a controller holds the Lease and that has been noted; returns which.
    async fn until(&self, accept: impl Fn(&str) -> bool) -> Result<String> {
        wait::eventually("the Lease has another holder", RUN_OUT, || async {
            let seen = self.seen();
            seen.last().filter(|it| accept(it)).cloned().with_context(|| format!("held by {seen:?}"))
        })
        .await
    }
}

fn holder(lease: &Lease) -> String {
    lease.spec.as_ref().and_then(|it| it.holder_identity.clone()).unwrap_or_default()
}
