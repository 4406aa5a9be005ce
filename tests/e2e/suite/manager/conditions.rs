//! What a gateway says of itself when something is wrong, and that it stops saying so.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, RunnerGroup};
use e2e::tenant::{GATEWAY, REACTION, condition, has};
use e2e::write_blocker::{Write, WriteBlocker};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{LimitRange, Namespace as Object, ResourceQuota};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

/// For a Lease to grow older than twice its duration, and the manager to see it: a minute, and as long between two looks.
const AWAY: Duration = Duration::from_secs(150);

fn is(gateway: &ActionsGateway, type_: &str, status: &str, reason: &str) -> bool {
    let conditions = gateway.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default();
    conditions.iter().any(|it| it.type_ == type_ && it.status == status && it.reason == reason)
}

/// Waits for a condition with its reason, checks that it speaks of the current spec, and returns its message.
async fn says(
    namespace: &Namespace,
    gateway: &str,
    type_: &str,
    status: &str,
    reason: &str,
) -> Result<String> {
    let gateways = namespace.api::<ActionsGateway>();
    let wanted = format!("{type_}={status}/{reason}");
    let seen = wait::until(&gateways, gateway, &wanted, REACTION, |it| is(it, type_, status, reason)).await?;
    let conditions = seen.status.context("a status")?.conditions;
    let found = condition(&conditions, type_)?;
    ensure!(found.observed_generation == seen.metadata.generation, "{found:#?} is of an older generation");
    Ok(found.message.clone())
}

pub async fn an_invalid_spec_is_named_by_its_path(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    let mut invalid =
        tenant.gateway(json!({"podTemplate": {"spec": {"hostNetwork": true, "containers": []}}}));
    tenant.apply_gateway(invalid.clone()).await?;
    let message = says(&tenant.namespace, GATEWAY, "Degraded", "True", "InvalidSpec").await?;
    let path = "spec.runnerGroups[0].podTemplate.spec.hostNetwork";
    ensure!(message.contains(path), "{message:?} does not name {path}");
    says(&tenant.namespace, GATEWAY, "Ready", "False", "InvalidSpec").await?;

    invalid["spec"]["runnerGroups"][0].as_object_mut().context("a group")?.remove("podTemplate");
    tenant.apply_gateway(invalid).await?;
    says(&tenant.namespace, GATEWAY, "Degraded", "False", "ReconcileSucceeded").await?;
    Ok(())
}

pub async fn the_newer_of_two_gateways_waits(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    says(&tenant.namespace, GATEWAY, "Degraded", "False", "ReconcileSucceeded").await?;
    // Creation times have seconds: only a second later is the other one younger for everybody.
    let elder = tenant.namespace.api::<ActionsGateway>().get(GATEWAY).await?;
    let made = elder.metadata.creation_timestamp.context("a creation time")?.0;
    wait::eventually("a second has passed", REACTION, || async {
        ensure!(jiff::Timestamp::now().as_second() > made.as_second());
        Ok(())
    })
    .await?;

    let mut younger = tenant.gateway(json!({"name": "other"}));
    younger["metadata"]["name"] = json!("younger");
    tenant.apply_gateway(younger).await?;
    let message = says(&tenant.namespace, "younger", "Ready", "False", "AnotherGateway").await?;
    ensure!(message.contains(GATEWAY), "{message:?} does not name the elder");
    let elder = tenant.namespace.api::<ActionsGateway>().get(GATEWAY).await?;
    ensure!(is(&elder, "Degraded", "False", "ReconcileSucceeded"), "the elder suffers: {:#?}", elder.status);

    tenant.namespace.api::<ActionsGateway>().delete(GATEWAY, &DeleteParams::default()).await?;
    tenant.wait_until_gone(GATEWAY).await?;
    says(&tenant.namespace, "younger", "Degraded", "False", "ReconcileSucceeded").await?;
    Ok(())
}

pub async fn a_namespace_without_the_tenant_label_gets_nothing(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    let namespaces: Api<Object> = Api::all(tenant.namespace.client());
    let label = |value| json!({"metadata": {"labels": {"actions-gateway.github.com/tenant": value}}});
    let params = PatchParams::default();
    namespaces.patch(tenant.namespace.name(), &params, &Patch::Merge(label(json!(null)))).await?;

    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    let message = says(&tenant.namespace, GATEWAY, "Degraded", "True", "NamespaceNotAllowed").await?;
    ensure!(message.contains("kubectl label namespace"), "{message:?} does not say what to do");
    let made = tenant.namespace.api::<Deployment>().list(&ListParams::default()).await?.items;
    ensure!(made.is_empty(), "something was made all the same: {made:#?}");

    namespaces.patch(tenant.namespace.name(), &params, &Patch::Merge(label(json!("true")))).await?;
    says(&tenant.namespace, GATEWAY, "Degraded", "False", "ReconcileSucceeded").await?;
    Ok(())
}

pub async fn a_missing_secret_is_reported_until_it_is_created(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    let message = says_of_credentials(&tenant).await?;
    ensure!(message.contains(e2e::tenant::APP_SECRET), "{message:?} does not name the Secret");
    // First the controller was not there yet; now it is, and what it lacks comes to the fore.
    says(&tenant.namespace, GATEWAY, "Ready", "False", "SecretNotFound").await?;

    tenant.hand_over_credentials().await?;
    tenant.wait_until_listening().await?;
    let gateway = tenant.wait_for_gateway("ready", "Ready", "True").await?;
    let conditions = gateway.status.context("a status")?.conditions;
    ensure!(has(&conditions, "CredentialUnavailable", "False"), "{conditions:#?}");
    crate::faults::recovers(&tenant).await
}

/// The controller has to start before it can say anything.
async fn says_of_credentials(tenant: &Tenant) -> Result<String> {
    let gateway = tenant.wait_for_gateway("without credentials", "CredentialUnavailable", "True").await?;
    let conditions = gateway.status.context("a status")?.conditions;
    let found = condition(&conditions, "CredentialUnavailable")?;
    ensure!(found.reason == "SecretNotFound", "{found:#?}");
    Ok(found.message.clone())
}

pub async fn a_controller_that_is_away_leaves_nothing_ready(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let renewal = Write { operation: "UPDATE", group: "coordination.k8s.io", resource: "leases" };
    let blocker = WriteBlocker::refuse(&tenant.namespace, renewal).await?;
    let groups = tenant.namespace.api::<RunnerGroup>();
    let away = wait::until(&groups, &tenant.group, "of a controller that is away", AWAY, |it| {
        it.status.as_ref().is_some_and(|it| has(&it.conditions, "Ready", "Unknown"))
    })
    .await?;
    let status = away.status.context("a status")?;
    let ready = condition(&status.conditions, "Ready")?;
    ensure!(ready.reason == "ControllerAway", "{ready:#?}");
    ensure!(status.active_sessions == Some(0), "nobody listens: {status:#?}");
    let message = says(&tenant.namespace, GATEWAY, "Ready", "Unknown", "ControllerAway").await?;
    ensure!(message.contains("Lease"), "{message:?} does not say how that is known");

    blocker.remove().await?;
    // One that has lost its Lease ends, and is started again.
    tenant.wait_until_listening().await?;
    let run = tenant.start_script("true").await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    Ok(())
}

pub async fn a_controller_refused_by_quota_says_what_admits_it(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    let quota: ResourceQuota =
        serde_json::from_value(json!({"metadata": {"name": "team"}, "spec": {"hard": {"limits.cpu": "4"}}}))?;
    tenant.namespace.api().create(&PostParams::default(), &quota).await?;
    wait::until(&tenant.namespace.api::<ResourceQuota>(), "team", "counted", REACTION, |it| {
        it.status.as_ref().is_some_and(|it| it.used.is_some())
    })
    .await?;
    let told = ["must specify limits.cpu for: agc", "LimitRange", "kubectl describe replicaset"];
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    controller_is_refused(&tenant, &told).await?;

    // What the message advises.
    let defaults: LimitRange = serde_json::from_value(json!({
        "metadata": {"name": "defaults"}, "spec": {"limits": [{"type": "Container", "default": {"cpu": "500m"}}]},
    }))?;
    tenant.namespace.api().create(&PostParams::default(), &defaults).await?;
    tenant.wait_until_listening().await
}

pub async fn a_controller_refused_by_a_limit_range_says_what_admits_it(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    let floor: LimitRange = serde_json::from_value(json!({
        "metadata": {"name": "floor"}, "spec": {"limits": [{"type": "Container", "min": {"cpu": "50m"}}]},
    }))?;
    let ranges = tenant.namespace.api::<LimitRange>();
    ranges.create(&PostParams::default(), &floor).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    let told = ["minimum cpu usage per Container is 50m, but request is 10m", "LimitRange"];
    controller_is_refused(&tenant, &told).await?;

    ranges.delete("floor", &DeleteParams::default()).await?;
    tenant.wait_until_listening().await
}

/// Waits until the gateway says so, in these words.
async fn controller_is_refused(tenant: &Tenant, told: &[&str]) -> Result<()> {
    let gateways = tenant.namespace.api::<ActionsGateway>();
    wait::until(&gateways, GATEWAY, "without a controller", REACTION, |it| {
        let conditions = it.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default();
        let available = conditions.iter().find(|it| it.type_ == "AGCAvailable");
        available.is_some_and(|it| told.iter().all(|words| it.message.contains(words)))
    })
    .await
    .map(drop)
}
