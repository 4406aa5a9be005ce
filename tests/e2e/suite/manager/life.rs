//! The end of a gateway.

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, RunnerGroup};
use e2e::tenant::{GATEWAY, REACTION};
use e2e::{Namespace, Tenant, wait};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;

use super::children;

pub async fn deletion_leaves_nothing_behind(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let prefix = format!("{}-", tenant.group);
    let agents = tenant.github.agents(&prefix).await?;
    ensure!(agents.iter().any(|it| it.online), "no runner is online: {agents:#?}");
    let gateways = tenant.namespace.api::<ActionsGateway>();
    let uid = gateways.get(GATEWAY).await?.uid().context("a uid")?;

    gateways.delete(GATEWAY, &DeleteParams::default()).await?;
    // The controller goes after its groups: nobody else could unregister their runners.
    let groups = tenant.namespace.api::<RunnerGroup>();
    wait::until_gone(&groups, &tenant.group, REACTION).await?;
    tenant.wait_until_gone(GATEWAY).await?;

    let agents = tenant.github.agents(&prefix).await?;
    ensure!(agents.iter().all(|it| it.fate == "deleted"), "runners are left at GitHub: {agents:#?}");
    wait::eventually("every child is gone", REACTION, || async {
        let left = children(&tenant.namespace, &uid).await?;
        ensure!(left.is_empty(), "{left:#?}");
        Ok(())
    })
    .await?;
    let warnings: Vec<_> = tenant.events(GATEWAY).await?.into_iter().filter_map(|it| it.reason).collect();
    ensure!(!warnings.iter().any(|it| it == "TeardownIncomplete"), "the end was not orderly: {warnings:?}");
    Ok(())
}
