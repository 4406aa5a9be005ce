//! GitHub takes the App, and not what it wants to register.

use anyhow::{Result, ensure};
use e2e::{Namespace, Tenant};
use serde_json::json;

use super::{gateway_says, group_says, recovers, retries_with_backoff};

pub async fn refused_labels_are_reported(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    // Nobody else uses it, so nobody else is refused.
    let label = format!("reserved-{}", tenant.group);
    tenant.github.pull(json!({"lever": "refuse-label", "label": label})).await?;
    tenant.apply_gateway(tenant.gateway(json!({"runnerLabels": [label]}))).await?;

    let message = group_says(&tenant, "Ready", "False", "LabelsRefused").await?;
    ensure!(message.contains(&label), "{message:?} does not name the label");
    gateway_says(&tenant, "RunnerGroupsDegraded", "True", "RunnerGroupsImpaired").await?;
    let asked = || async { Ok(tenant.asked("generate-jitconfig").await?.len()) };
    retries_with_backoff(&tenant, asked).await?;

    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    group_says(&tenant, "Ready", "True", "ListenerActive").await?;
    recovers(&tenant).await
}
