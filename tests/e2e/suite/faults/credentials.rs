//! App credentials that GitHub refuses.

use anyhow::{Result, ensure};
use e2e::tenant::APP_SECRET;
use e2e::{Namespace, Tenant};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{gateway_says, group_says, measured, recovers, retries_with_backoff};

/// Gives the App's Secret another private key.
async fn hand_over_key(tenant: &Tenant, key: &str) -> Result<()> {
    let patch = Patch::Merge(json!({"stringData": {"privateKey": key}}));
    tenant.namespace.api::<Secret>().patch(APP_SECRET, &PatchParams::default(), &patch).await?;
    Ok(())
}

pub async fn an_invalid_key_is_reported(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    // A key that lost a line on its way: it is no key, and must be told nobody all the same.
    let broken: Vec<&str> = tenant.app.private_key.lines().filter(|it| !it.contains("BEGIN")).collect();
    hand_over_key(&tenant, &broken.join("\n")).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;

    let message = gateway_says(&tenant, "CredentialUnavailable", "True", "SecretMalformed").await?;
    ensure!(message.contains(APP_SECRET) && message.contains("privateKey"), "{message:?} names no key");
    gateway_says(&tenant, "Ready", "False", "SecretMalformed").await?;
    group_says(&tenant, "Ready", "False", "TokenUnavailable").await?;
    let asked = tenant.asked("access_tokens").await?;
    ensure!(asked.is_empty(), "GitHub was asked with an invalid key: {asked:#?}");
    let failures = || measured(&tenant, "actions_gateway_token_refresh_errors_total");
    retries_with_backoff(&tenant, failures).await?;

    hand_over_key(&tenant, &tenant.app.private_key).await?;
    gateway_says(&tenant, "CredentialUnavailable", "False", "SecretFound").await?;
    recovers(&tenant).await
}

/// The fake GitHub hands out a handful of keys in turn, so the next App may have the same one.
async fn another_key(tenant: &Tenant) -> Result<String> {
    loop {
        let other = tenant.github.create_app(&tenant.account).await?;
        if other.private_key != tenant.app.private_key {
            return Ok(other.private_key);
        }
    }
}

pub async fn the_key_of_another_app_is_reported(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    hand_over_key(&tenant, &another_key(&tenant).await?).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;

    let message = gateway_says(&tenant, "CredentialUnavailable", "True", "TokenRefused").await?;
    ensure!(message.contains("401"), "{message:?} does not give GitHub's answer");
    gateway_says(&tenant, "Ready", "False", "TokenRefused").await?;
    group_says(&tenant, "Ready", "False", "TokenUnavailable").await?;
    let asked = || async { Ok(tenant.asked("access_tokens").await?.len()) };
    retries_with_backoff(&tenant, asked).await?;

    hand_over_key(&tenant, &tenant.app.private_key).await?;
    gateway_says(&tenant, "CredentialUnavailable", "False", "SecretFound").await?;
    recovers(&tenant).await
}
