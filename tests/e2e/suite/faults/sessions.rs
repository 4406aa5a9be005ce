//! GitHub registers runners, and opens no session for them.

use anyhow::{Result, ensure};
use e2e::{Namespace, Tenant};
use serde_json::json;

use super::{group_says, recovers, retries_with_backoff};

pub async fn refused_ones_cause_no_registration_storm(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    let endless = 1_000_000;
    let lever = json!({"lever": "fail", "endpoint": "B1", "account": tenant.account, "status": 403, "count": endless});
    tenant.github.pull(lever).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;

    group_says(&tenant, "Ready", "False", "NoActiveSessions").await?;
    let asked = || async { Ok(tenant.asked("generate-jitconfig").await?.len()) };
    retries_with_backoff(&tenant, asked).await?;
    let message = group_says(&tenant, "Ready", "False", "NoActiveSessions").await?;
    ensure!(message.contains("opens no session"), "{message:?} does not name the cause");

    tenant.github.pull(json!({"lever": "clear-faults", "account": tenant.account})).await?;
    group_says(&tenant, "Ready", "True", "ListenerActive").await?;
    let alive = tenant.github.agents(&format!("{}-", tenant.group)).await?;
    let alive = alive.iter().filter(|it| it.fate == "alive").count();
    ensure!(alive == 1, "{alive} records of one listener");
    recovers(&tenant).await
}
