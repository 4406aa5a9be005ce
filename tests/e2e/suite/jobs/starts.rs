//! Workers that never start, for causes that only a scheduler, a kubelet or a registry knows: people are told which.

use anyhow::{Context as _, Result, ensure};
use api::{FailureClass, RunnerGroup, RunnerJob};
use e2e::tenant::{REACTION, condition};
use e2e::{Namespace, Tenant, wait};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::failures::failed_for;

/// Long enough to see that a job waits, and short enough to wait for its end.
const DEADLINE: &str = "35s";

/// A tenant whose workers have this in the spec of their pods, and the node of its controller.
async fn listening_with(namespace: Namespace, spec: impl Fn(&str) -> Value) -> Result<Tenant> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let node = tenant.controller().await?.spec.and_then(|it| it.node_name).context("it has a node")?;
    let group = json!({"pendingPodDeadline": DEADLINE, "podTemplate": {"spec": spec(&node)}});
    change(&tenant, group).await?;
    Ok(tenant)
}

/// Changes the group, and waits until its controller has taken that in.
async fn change(tenant: &Tenant, group: Value) -> Result<()> {
    let groups = tenant.namespace.api::<RunnerGroup>();
    let before = groups.get(&tenant.group).await?.metadata.generation;
    tenant.apply_gateway(tenant.gateway(group)).await?;
    wait::until(&groups, &tenant.group, "taken in", REACTION, |it| {
        let taken_in = it.status.as_ref().and_then(|it| it.observed_generation);
        it.metadata.generation > before && taken_in == it.metadata.generation
    })
    .await
    .map(drop)
}

/// That these words stand in the job's `Complete` condition and in an Event about it.
async fn is_told(tenant: &Tenant, job: &RunnerJob, words: &str) -> Result<()> {
    let status = job.status.as_ref().context("a status")?;
    let complete = condition(&status.conditions, "Complete")?;
    ensure!(complete.message.contains(words), "{words:?} is missing: {complete:#?}");
    wait::eventually("an Event has the cluster's words", REACTION, || async {
        let events = tenant.events(&job.name_any()).await?;
        let mut notes = events.iter().filter(|it| it.reason.as_deref() == Some("JobFailed"));
        ensure!(
            notes.any(|it| it.message.as_ref().is_some_and(|it| it.contains(words))),
            "{words:?} is missing: {events:#?}"
        );
        Ok(())
    })
    .await
}

/// That a job ends in the kubelet's words, and had one other pod before.
async fn is_rejected_twice(tenant: &Tenant, words: &str) -> Result<()> {
    let run = tenant.start_script("true").await?;
    let job = tenant.settled(run).await?;
    failed_for(tenant, &job, &[("node_rejected", "NodeRejected")], FailureClass::Infra).await?;
    is_told(tenant, &job, words).await?;
    let status = job.status.as_ref().context("a status")?;
    let [first, second] = [&status.rejected_pod, &status.pod].map(|it| it.as_ref().map(|it| &it.uid));
    ensure!(first.is_some() && second.is_some() && first != second, "no second pod was tried: {status:#?}");
    let ledger = tenant.github.ledger(&tenant.completed(run).await?).await?;
    ensure!(ledger.is_empty(), "nothing of the job may have run: {ledger:?}");
    Ok(())
}

pub async fn a_pod_without_room_on_its_node_is_tried_once_more(namespace: Namespace) -> Result<()> {
    let runner = json!({"name": "runner", "resources": {"requests": {"cpu": "64", "memory": "64Mi"}}});
    let spec = |node: &str| json!({"nodeName": node, "containers": [runner]});
    let tenant = listening_with(namespace, spec).await?;
    is_rejected_twice(&tenant, "OutOfcpu: ").await
}

pub async fn a_pod_on_a_node_that_it_excludes_is_tried_once_more(namespace: Namespace) -> Result<()> {
    let spec = |node: &str| json!({"nodeName": node, "nodeSelector": {"e2e.test/no": "such-node"}});
    let tenant = listening_with(namespace, spec).await?;
    is_rejected_twice(&tenant, "NodeAffinity: ").await
}

pub async fn a_pod_that_fits_on_no_node_is_unschedulable(namespace: Namespace) -> Result<()> {
    let spec = |_: &str| json!({"nodeSelector": {"e2e.test/no": "such-node"}});
    let tenant = listening_with(namespace, spec).await?;
    let run = tenant.start_script("true").await?;
    waits_to_start(&tenant, run, "nodes are available").await?;
    let job = tenant.settled(run).await?;
    failed_for(&tenant, &job, &[("unschedulable", "Unschedulable")], FailureClass::Infra).await?;
    is_told(&tenant, &job, "nodes are available").await
}

pub async fn an_init_container_that_fails_is_named(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let image = tenant.controller().await?.spec.and_then(|it| it.containers.into_iter().next()?.image);
    let setup = json!({"name": "setup", "image": image, "args": ["--no-such-flag"]});
    let group = json!({"podTemplate": {"spec": {"initContainers": [setup]}}});
    change(&tenant, group).await?;
    let run = tenant.start_script("true").await?;
    let job = tenant.settled(run).await?;
    let reasons = [("init_container_failed", "InitContainerFailed")];
    failed_for(&tenant, &job, &reasons, FailureClass::User).await?;
    is_told(&tenant, &job, "init container setup: exited with ").await
}

/// Waits until the status of a run's only job says what hinders its pod's start.
async fn waits_to_start(tenant: &Tenant, run: u64, words: &str) -> Result<()> {
    let says = |job: &RunnerJob| {
        let pod = job.status.as_ref().and_then(|it| condition(&it.conditions, "PodCreated").ok());
        pod.is_some_and(|it| {
            it.status == "True" && it.reason == "WaitingToStart" && it.message.contains(words)
        })
    };
    let job = tenant.runner_job(run, "the RunnerJob says what its pod waits for", says).await?;
    wait::eventually("an Event says what the pod waits for", REACTION, || async {
        let events = tenant.events(&job.name_any()).await?;
        let said = events.iter().any(|it| {
            it.reason.as_deref() == Some("WorkerPodNotStarting")
                && it.message.as_ref().is_some_and(|it| it.contains(words))
        });
        ensure!(said, "{events:#?}");
        Ok(())
    })
    .await
}

/// That a job whose image is there waits for its deadline and says for what.
async fn is_waited_for(namespace: Namespace, image: &str) -> Result<()> {
    let group = json!({"workerImage": image, "pendingPodDeadline": DEADLINE});
    let tenant = Tenant::listening(namespace, group).await?;
    let run = tenant.start_script("true").await?;
    waits_to_start(&tenant, run, "container runner: ").await?;
    let job = tenant.settled(run).await?;
    failed_for(&tenant, &job, &[("pending_deadline", "PendingDeadline")], FailureClass::Infra).await?;
    is_told(&tenant, &job, "container runner: ").await?;
    is_told(&tenant, &job, "ErrImagePull: ").await
}

pub async fn a_registry_without_a_name_is_waited_for(namespace: Namespace) -> Result<()> {
    is_waited_for(namespace, "registry.corp.test/team/runner:1").await
}

pub async fn a_registry_without_a_route_is_waited_for(namespace: Namespace) -> Result<()> {
    is_waited_for(namespace, "10.255.255.1:5000/team/runner:1").await
}
