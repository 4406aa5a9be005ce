//! Ends that are not orderly: the controller is gone already, or the whole namespace goes.

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, RunnerGroup, RunnerJob, labels, names};
use e2e::tenant::{APP_SECRET, GATE, GATEWAY, JOB, REACTION};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Namespace as Object, Pod, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

pub async fn a_gateway_without_its_controller_is_deleted(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script(GATE).await?;
    let worker = tenant.running_pod(run).await?;
    let controller = tenant.controller().await?.name_any();
    let pods = tenant.namespace.api::<Pod>();
    // The controller's pod stays on the books, so that the manager sees the worker before the garbage collector does.
    let held = |finalizers| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    pods.patch(&controller, &PatchParams::default(), &held(json!(["e2e.test/hold"]))).await?;

    let params = DeleteParams::default();
    tenant.namespace.api::<ActionsGateway>().delete(GATEWAY, &params).await?;
    tenant.namespace.api::<Deployment>().delete(names::CONTROLLER, &params).await?;
    let marked = wait::until(&pods, &worker, "deleted by the manager", REACTION, |it| {
        it.metadata.deletion_timestamp.is_some()
    })
    .await?;
    let why = marked.annotations().get(labels::DELETION_REASON);
    ensure!(why.is_some_and(|it| it == "gateway_deleted"), "the worker was deleted for {why:?}");
    pods.patch(&controller, &PatchParams::default(), &held(json!(null))).await?;

    tenant.wait_until_gone(GATEWAY).await?;
    wait::until_gone(&pods, &worker, REACTION).await?;
    wait::until_gone(&tenant.namespace.api::<RunnerGroup>(), &tenant.group, REACTION).await?;
    let jobs = tenant.namespace.api::<RunnerJob>();
    wait::eventually("no RunnerJob is left", REACTION, || async {
        let left = jobs.list(&ListParams::default()).await?.items;
        ensure!(left.is_empty(), "{left:#?}");
        Ok(())
    })
    .await?;
    says_what_is_left_at_github(&tenant).await
}

pub async fn a_gateway_whose_app_secret_is_gone_is_deleted(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    tenant.namespace.api::<Secret>().delete(APP_SECRET, &DeleteParams::default()).await?;
    tenant.namespace.api::<ActionsGateway>().delete(GATEWAY, &DeleteParams::default()).await?;
    tenant.wait_until_gone(GATEWAY).await?;
    let agents = tenant.github.agents(&format!("{}-", tenant.group)).await?;
    ensure!(agents.iter().all(|it| it.fate != "alive"), "a runner is left, unsaid: {agents:#?}");
    Ok(())
}

pub async fn runners_that_no_credentials_can_delete_are_named(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let params = DeleteParams::default();
    tenant.namespace.api::<Secret>().delete(APP_SECRET, &params).await?;
    // Another pod of it never had the credentials.
    let pods = tenant.namespace.api::<Pod>();
    let controller = tenant.controller().await?.name_any();
    pods.delete(&controller, &params).await?;
    wait::until_gone(&pods, &controller, REACTION).await?;
    super::gateway_says(&tenant, "Ready", "False", "SecretNotFound").await?;
    tenant.namespace.api::<ActionsGateway>().delete(GATEWAY, &params).await?;
    tenant.wait_until_gone(GATEWAY).await?;
    let agents = tenant.github.agents(&format!("{}-", tenant.group)).await?;
    let left = agents.iter().find(|it| it.fate == "alive").context("a runner without credentials")?;
    let events = tenant.events(&tenant.group).await?;
    let named = |it: &Event| {
        it.reason.as_deref() == Some("AgentDeregistrationFailed")
            && it.message.as_ref().is_some_and(|it| it.contains(&left.name))
    };
    ensure!(events.iter().any(named), "{left:?} is not named: {events:#?}");
    Ok(())
}

pub async fn a_namespace_with_a_running_job_is_deleted(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script(GATE).await?;
    tenant.running_pod(run).await?;
    let namespaces: Api<Object> = Api::all(tenant.namespace.client());
    namespaces.delete(tenant.namespace.name(), &DeleteParams::default()).await?;
    wait::until_gone(&namespaces, tenant.namespace.name(), JOB).await
}

/// Nobody is left who could unregister the runners: a person is told.
async fn says_what_is_left_at_github(tenant: &Tenant) -> Result<()> {
    let prefix = format!("{}-", tenant.group);
    let agents = tenant.github.agents(&prefix).await?;
    ensure!(agents.iter().any(|it| it.fate == "alive"), "no runner is left: {agents:#?}");
    let events = tenant.events(GATEWAY).await?;
    let note = events.into_iter().find(|it| it.reason.as_deref() == Some("TeardownIncomplete"));
    note.and_then(|it| it.message).context("no Event says what is left at GitHub").map(drop)
}
