//! GitHub takes the App, and not what it wants to register.

use anyhow::{Result, ensure};
use e2e::{Namespace, Tenant};
use serde_json::json;

use super::{gateway_says, goes_on, group_says, tries_again_with_patience};

pub async fn labels_that_github_refuses_are_said(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    let words = "Validation Failed: the label is reserved";
    tenant
        .github
        .pull(json!({
            "lever": "fail", "endpoint": "R3", "account": tenant.account, "count": 1000, "status": 422,
            "body": {"message": words, "status": "422"},
        }))
        .await?;
    tenant.apply_gateway(tenant.gateway(json!({"runnerLabels": ["reserved"]}))).await?;

    let message = group_says(&tenant, "Ready", "False", "LabelsRefused").await?;
    ensure!(message.contains(words), "{message:?} does not give GitHub's words");
    gateway_says(&tenant, "RunnerGroupsDegraded", "True", "RunnerGroupsImpaired").await?;
    let asked = || async { Ok(tenant.asked("generate-jitconfig").await?.len()) };
    tries_again_with_patience(&tenant, asked).await?;

    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    group_says(&tenant, "Ready", "True", "ListenerActive").await?;
    goes_on(&tenant).await
}
