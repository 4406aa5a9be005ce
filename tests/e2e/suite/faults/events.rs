//! What is said again is counted, not said twice.

use anyhow::{Context as _, Result, ensure};
use api::RunnerJob;
use e2e::tenant::{GATEWAY, REACTION};
use e2e::world::{MANAGER, SYSTEM};
use e2e::write_blocker::{Write, WriteBlocker};
use e2e::{Namespace, Tenant, tools, wait};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, ResourceQuota};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::json;

use super::gateway_says;

/// The manager renews every two seconds, and writes a count at most every ten.
const UNTIL_COUNTED: usize = 6;

/// Waits until one Event about an object, with this reason, was observed twice.
async fn counted(tenant: &Tenant, about: &str, reason: &str) -> Result<Event> {
    wait::eventually("the Event is counted", REACTION, || async {
        let events = tenant.events(about).await?;
        let own: Vec<Event> = events.into_iter().filter(|it| it.reason.as_deref() == Some(reason)).collect();
        let twice = own.iter().find(|it| it.series.as_ref().and_then(|it| it.count) >= Some(2));
        twice.cloned().with_context(|| format!("{own:#?}"))
    })
    .await
}

pub async fn repeated_failures_of_a_gateway_are_counted(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    let invalid = tenant.gateway(json!({"podTemplate": {"spec": {"hostNetwork": true, "containers": []}}}));
    tenant.apply_gateway(invalid.clone()).await?;
    gateway_says(&tenant, "Ready", "False", "InvalidSpec").await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    gateway_says(&tenant, "Degraded", "False", "ReconcileSucceeded").await?;
    let leases: Api<Lease> = Api::namespaced(tenant.namespace.client(), SYSTEM);
    wait::renewals(&leases, MANAGER, UNTIL_COUNTED, REACTION).await?;

    tenant.apply_gateway(invalid).await?;
    gateway_says(&tenant, "Ready", "False", "InvalidSpec").await?;
    let event = counted(&tenant, GATEWAY, "NotReady").await?;
    ensure!(event.message.as_ref().is_some_and(|it| it.contains("hostNetwork")), "{event:#?}");
    Ok(())
}

pub async fn repeated_refusals_by_quota_are_counted(namespace: Namespace) -> Result<()> {
    let patience = json!({"maxQuotaRetries": 20, "quotaRetryDelay": "1s"});
    let tenant = Tenant::listening(namespace, patience).await?;
    // The quota runs out between verdict and POST: admission webhooks come before it.
    let agent = tenant.namespace.world().node_agent().await?;
    let pods = Write { operation: "CREATE", group: "", resource: "pods" };
    let mut blocker = WriteBlocker::hold(&tenant.namespace, pods, agent).await?;
    let run = tenant.start_script("true").await?;
    blocker.held(REACTION).await?;
    let quota: ResourceQuota =
        serde_json::from_value(json!({"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}))?;
    tenant.namespace.api().create(&PostParams::default(), &quota).await?;
    let quotas = tenant.namespace.api::<ResourceQuota>();
    wait::until(&quotas, "none", "counted", REACTION, |it| {
        it.status.as_ref().is_some_and(|it| it.used.is_some())
    })
    .await?;
    blocker.remove().await?;
    let event = counted(&tenant, &tenant.group, "WorkerPodCreateFailed").await?;
    ensure!(event.message.as_ref().is_some_and(|it| it.contains("quota")), "{event:#?}");
    ensure!(tenant.workers().await?.is_empty(), "there is a worker in spite of the quota");

    // Whoever has no patience ends it.
    let jobs = tenant.namespace.api::<RunnerJob>();
    jobs.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("failure"), "{run:#?}");
    Ok(())
}

pub async fn kubectl_sorts_them_with_all_others(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let ready = wait::eventually("the gateway's Event is there", REACTION, || async {
        let events = tenant.events(GATEWAY).await?;
        events.into_iter().find(|it| it.reason.as_deref() == Some("Ready")).context("none")
    })
    .await?;
    ensure!(ready.last_timestamp.is_some() && ready.event_time.is_some(), "{ready:#?}");
    let sorted = ["get", "events", "-n", tenant.namespace.name(), "--sort-by=.lastTimestamp"];
    let reasons = ["-o", "jsonpath={range .items[*]}{.involvedObject.kind}/{.reason}{\"\\n\"}{end}"];
    let told = tools::run("kubectl", &[&sorted[..], &reasons].concat(), "").await?;
    // The controller's pod is made some seconds before the gateway is ready.
    let place =
        |what: &str| told.lines().position(|it| it == what).with_context(|| format!("no {what} in\n{told}"));
    let (made, ready) = (place("ReplicaSet/SuccessfulCreate")?, place("ActionsGateway/Ready")?);
    ensure!(made < ready, "ActionsGateway/Ready stands before what went before it:\n{told}");
    Ok(())
}
