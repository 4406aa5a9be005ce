//! The API server refuses the group's pods: nothing is acquired, and the group says why in the API server's words.

use anyhow::{Result, bail, ensure};
use e2e::tenant::REACTION;
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::Namespace as Object;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{is_worked_off, limit_range, no_limit_range, queue, quota, stays_queued};
use crate::faults::{gateway_says, group_says};

/// A tenant whose group is refused for a reason that has these words. Condition, gateway and an Event have them, and a queue
/// of jobs is left alone.
async fn refused(tenant: &Tenant, words: &str) -> Result<u64> {
    let message = group_says(tenant, "WorkersAdmitted", "False", "PodRefused").await?;
    ensure!(message.contains(words), "{message}");
    let ready = group_says(tenant, "Ready", "False", "PodRefused").await?;
    ensure!(ready == message, "{ready}");
    let of_gateway = gateway_says(tenant, "Ready", "False", "RunnerGroupsImpaired").await?;
    ensure!(of_gateway.contains(words), "{of_gateway}");
    let run = queue(tenant).await?;
    // The controller asks again in between.
    wait::renewals(&tenant.namespace.api(), api::names::CONTROLLER, 1, REACTION).await?;
    stays_queued(tenant, run).await?;
    wait::eventually("one Event says why", REACTION, || async {
        let events = tenant.events(&tenant.group).await?;
        let said: Vec<_> =
            events.iter().filter(|it| it.reason.as_deref() == Some("WorkerPodsRefused")).collect();
        let [event] = said.as_slice() else { bail!("{} Events: {events:#?}", said.len()) };
        ensure!(event.message.as_ref().is_some_and(|it| it.contains(words)), "{event:#?}");
        Ok(())
    })
    .await?;
    Ok(run)
}

/// A tenant with a gateway whose group is not expected to be ready.
async fn tenant(namespace: Namespace, group: Value) -> Result<Tenant> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    tenant.apply_gateway(tenant.gateway(group)).await?;
    Ok(tenant)
}

fn runner(fields: Value) -> Value {
    let mut container = json!({"name": "runner"});
    json_patch::merge(&mut container, &fields);
    json!({"podTemplate": {"spec": {"containers": [container]}}})
}

pub async fn a_missing_volume(namespace: Namespace) -> Result<()> {
    let mounts = json!({"volumeMounts": [{"name": "cache", "mountPath": "/cache"}]});
    let tenant = tenant(namespace, runner(mounts)).await?;
    let run = refused(&tenant, "Not found: \"cache\"").await?;
    tenant.apply_gateway(tenant.gateway(runner(json!({})))).await?;
    is_worked_off(&tenant, run).await
}

pub async fn a_missing_priority_class(namespace: Namespace) -> Result<()> {
    let class = format!("{}-standard", namespace.name());
    let tiers = json!({"priorityTiers": [{"priorityClassName": class, "threshold": 10}]});
    let tenant = tenant(namespace, tiers).await?;
    let run = refused(&tenant, &format!("no PriorityClass with name {class} was found")).await?;
    let object: PriorityClass = serde_json::from_value(json!({"metadata": {"name": class}, "value": 10}))?;
    let classes: Api<PriorityClass> = Api::all(tenant.namespace.client());
    classes.create(&PostParams::default(), &object).await?;
    let worked_off = is_worked_off(&tenant, run).await;
    classes.delete(&class, &DeleteParams::default()).await?;
    worked_off
}

pub async fn an_enforced_pod_security_level(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces: Api<Object> = Api::all(tenant.namespace.client());
    namespaces.patch(tenant.namespace.name(), &PatchParams::default(), &Patch::Merge(&label)).await?;
    let run = refused(&tenant, "the namespace enforces restricted").await?;
    let mut gateway = tenant.gateway(json!({}));
    gateway["spec"]["securityProfile"] = json!("restricted");
    tenant.apply_gateway(gateway).await?;
    is_worked_off(&tenant, run).await
}

pub async fn a_limit_range_above_the_install_container(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    limit_range(&tenant, json!({"min": {"memory": "48Mi"}})).await?;
    let run = refused(&tenant, "minimum memory usage per Container is 48Mi, but request is 32Mi").await?;
    no_limit_range(&tenant).await?;
    is_worked_off(&tenant, run).await
}

pub async fn a_quota_that_wants_requests(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    quota(&tenant, json!({"requests.cpu": "4"})).await?;
    let run = refused(&tenant, "must specify requests.cpu for: runner").await?;
    tenant.apply_gateway(tenant.gateway(runner(json!({"resources": {"requests": {"cpu": "50m"}}})))).await?;
    is_worked_off(&tenant, run).await
}
