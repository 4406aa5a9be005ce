//! What a gateway's spec does to its controller's Deployment.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, names};
use e2e::tenant::{GATEWAY, REACTION};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::children;

/// The environment of the controller's container.
fn environment(deployment: &Deployment) -> BTreeMap<String, String> {
    let pod = deployment.spec.as_ref().and_then(|it| it.template.spec.as_ref());
    let container = pod.and_then(|it| it.containers.first());
    let variables = container.and_then(|it| it.env.as_ref()).into_iter().flatten();
    variables.map(|it| (it.name.clone(), it.value.clone().unwrap_or_default())).collect()
}

fn telemetry(deployment: &Deployment) -> BTreeMap<String, String> {
    environment(deployment).into_iter().filter(|(name, _)| name.starts_with("OTEL_")).collect()
}

async fn apply(tenant: &Tenant, spec: Value) -> Result<()> {
    let mut gateway = tenant.gateway(json!({}));
    json_patch::merge(&mut gateway, &json!({"spec": spec}));
    tenant.apply_gateway(gateway).await
}

pub async fn tracing_becomes_environment(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    let deployments = tenant.namespace.api::<Deployment>();
    apply(&tenant, json!({})).await?;
    wait::until(&deployments, names::CONTROLLER, "made without OTEL_*", REACTION, |it| {
        telemetry(it).is_empty()
    })
    .await?;

    let tracing = json!({
        "endpoint": "http://collector.observability:4317", "insecure": true,
        "sampler": "parentbased_traceidratio", "samplerArg": "0.1",
        "resourceAttributes": {"team": "a", "deployment.environment": "prod"},
    });
    apply(&tenant, json!({"tracing": tracing})).await?;
    let wanted: BTreeMap<String, String> = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector.observability:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod,team=a"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    wait::until(&deployments, names::CONTROLLER, "told where traces go", REACTION, |it| {
        telemetry(it) == wanted
    })
    .await?;

    apply(&tenant, json!({})).await?;
    wait::until(&deployments, names::CONTROLLER, "without OTEL_* again", REACTION, |it| {
        telemetry(it).is_empty()
    })
    .await?;
    Ok(())
}

pub async fn a_log_level_rolls_out_the_controller_only(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    apply(&tenant, json!({})).await?;
    tenant.wait_for_gateway("provisioned", "Degraded", "False").await?;
    let before = others(&tenant).await?;

    apply(&tenant, json!({"logLevel": "debug"})).await?;
    let deployments = tenant.namespace.api::<Deployment>();
    wait::until(&deployments, names::CONTROLLER, "told to log more", REACTION, |it| {
        environment(it).values().any(|it| it == "debug")
    })
    .await?;
    let gateways = tenant.namespace.api::<ActionsGateway>();
    wait::until(&gateways, GATEWAY, "observed", REACTION, |it| {
        it.status.as_ref().and_then(|it| it.observed_generation) == it.metadata.generation
    })
    .await?;
    let after = others(&tenant).await?;
    ensure!(before == after, "more than the Deployment was written:\n{before:#?}\n{after:#?}");
    Ok(())
}

/// Uids and specs' versions of all children but the Deployment. Statuses are the AGC's to write.
async fn others(tenant: &Tenant) -> Result<Vec<(String, String)>> {
    let gateway = tenant.namespace.api::<ActionsGateway>().get(GATEWAY).await?;
    let all = children(&tenant.namespace, &gateway.uid().context("a uid")?).await?;
    let others =
        all.into_iter().filter(|it| !it.id.starts_with("Deployment/") && !it.id.starts_with("RunnerGroup/"));
    Ok(others.map(|it| (it.id, it.version)).collect())
}
