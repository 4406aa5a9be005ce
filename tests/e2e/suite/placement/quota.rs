//! Quotas are reckoned from the pod that the API server would make: what has no room stays queued, and runs when there is.

use anyhow::{Result, ensure};
use e2e::tenant::{GATE, REACTION};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::api::ListParams;
use serde_json::json;

use super::{limit_range, listens, quota, withheld};
use crate::faults::group_says;

/// A second job stays queued while the first one runs, for want of this resource, and runs after it.
async fn one_after_the_other(tenant: &Tenant, resource: &str) -> Result<()> {
    listens(tenant).await?;
    let first = tenant.start_script(GATE).await?;
    let pod = tenant.running_pod(first).await?;
    let second = tenant.start_script("true").await?;
    let detail = withheld(tenant, "quota").await?;
    ensure!(detail.contains("quota team") && detail.contains(resource), "{detail}");
    let queued = tenant.github.run(second).await?;
    ensure!(queued.jobs.iter().all(|it| it.status == "queued"), "{queued:#?}");
    tenant.open_gate(&pod).await?;
    for run in [first, second] {
        let run = tenant.completed(run).await?;
        ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    }
    Ok(())
}

pub async fn defaults_of_a_limit_range_count(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let defaults = json!({
        "defaultRequest": {"cpu": "250m", "memory": "128Mi"}, "default": {"cpu": "500m", "memory": "256Mi"},
    });
    limit_range(&tenant, defaults).await?;
    quota(&tenant, json!({"requests.cpu": "300m"})).await?;
    one_after_the_other(&tenant, "requests.cpu").await
}

pub async fn a_native_sidecar_counts_beside_the_runner(namespace: Namespace) -> Result<()> {
    let image = namespace.world().runner_image()?;
    let sidecar = json!({
        "name": "cache", "image": image, "restartPolicy": "Always",
        "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"],
        "resources": {"requests": {"cpu": "200m", "memory": "32Mi"}},
    });
    let runner = json!({"name": "runner", "resources": {"requests": {"cpu": "200m", "memory": "64Mi"}}});
    let template = json!({"podTemplate": {"spec": {"initContainers": [sidecar], "containers": [runner]}}});
    let tenant = Tenant::listening(namespace, template).await?;
    quota(&tenant, json!({"requests.cpu": "650m"})).await?;
    one_after_the_other(&tenant, "requests.cpu").await
}

pub async fn no_room_for_a_secret(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let there = tenant.namespace.api::<Secret>().list(&ListParams::default()).await?.items.len();
    quota(&tenant, json!({"secrets": there.to_string()})).await?;
    let detail = withheld(&tenant, "quota").await?;
    ensure!(detail.contains("secrets"), "{detail}");
    let run = tenant.start_script("true").await?;
    super::stays_queued(&tenant, run).await?;
    quota(&tenant, json!({"secrets": "20"})).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    Ok(())
}

pub async fn a_quota_without_room_is_said_on_the_group(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    quota(&tenant, json!({"pods": "1"})).await?;
    let detail = withheld(&tenant, "quota").await?;
    ensure!(detail.contains("pods 1 of 1 used, 1 needed"), "{detail}");
    let message = group_says(&tenant, "WorkersAdmitted", "False", "QuotaExceeded").await?;
    ensure!(message.contains("exceeded quota: team"), "{message}");
    group_says(&tenant, "Ready", "True", "ListenerActive").await?;
    let of_quota = |it: &Event| it.reason.as_deref() == Some("WorkerQuotaReached");
    wait::eventually("one Event says so", REACTION, || async {
        let events: Vec<Event> = tenant.events(&tenant.group).await?.into_iter().filter(of_quota).collect();
        ensure!(events.len() == 1, "{events:#?}");
        Ok(())
    })
    .await?;
    quota(&tenant, json!({"pods": "4"})).await?;
    listens(&tenant).await?;
    group_says(&tenant, "WorkersAdmitted", "True", "DryRunAccepted").await.map(drop)
}
