//! Children by their exact names, put back when somebody changes them, left alone when nobody does.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, names};
use e2e::tenant::{GATEWAY, REACTION};
use e2e::world::{MANAGER, SYSTEM};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{Child, children};

/// The manager renews every two seconds: long enough for a controller that writes in circles to show it.
const RENEWALS_AT_REST: usize = 6;

/// A gateway whose children are all there; its controller need not run.
async fn provisioned(namespace: Namespace) -> Result<(Tenant, ActionsGateway)> {
    let tenant = Tenant::new(namespace).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    let gateway = tenant.wait_for_gateway("provisioned", "Degraded", "False").await?;
    Ok((tenant, gateway))
}

pub async fn makes_its_children_by_name(namespace: Namespace) -> Result<()> {
    let (tenant, gateway) = provisioned(namespace).await?;
    let children = children(&tenant.namespace, &gateway.uid().context("a uid")?).await?;
    let seen: Vec<&str> = children.iter().map(|it| it.id.as_str()).collect();
    let group = format!("RunnerGroup/{}", tenant.group);
    let wanted = [
        "Deployment/actions-gateway-controller",
        "RoleBinding/actions-gateway-controller",
        &group,
        "Service/actions-gateway-controller",
        "ServiceAccount/actions-gateway-controller",
        "ServiceAccount/actions-gateway-worker",
    ];
    ensure!(seen == wanted, "children: {seen:#?}");

    let deployment = tenant.namespace.api::<Deployment>().get(names::CONTROLLER).await?;
    let labels = deployment.spec.and_then(|it| it.selector.match_labels).unwrap_or_default();
    ensure!(
        labels == [("app".to_owned(), names::CONTROLLER.to_owned())].into(),
        "the selector is {labels:?}"
    );
    let service = tenant.namespace.api::<Service>().get(names::CONTROLLER).await?;
    let ports = service.spec.and_then(|it| it.ports).unwrap_or_default();
    let named: Vec<_> = ports.iter().map(|it| (it.name.as_deref(), it.port)).collect();
    ensure!(named == [(Some("metrics"), 8080)], "the metrics Service has {named:?}");
    Ok(())
}

pub async fn reverts_drift_of_its_children(namespace: Namespace) -> Result<()> {
    let (tenant, _) = provisioned(namespace).await?;
    let (params, by_hand) = (DeleteParams::default(), PatchParams::default());

    let services = tenant.namespace.api::<Service>();
    let before = services.get(names::CONTROLLER).await?.uid();
    services.delete(names::CONTROLLER, &params).await?;
    wait::until(&services, names::CONTROLLER, "made again", REACTION, |it| it.uid() != before).await?;

    let deployments = tenant.namespace.api::<Deployment>();
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "agc", "image": "localhost/other:v1"}]}}}});
    deployments.patch(names::CONTROLLER, &by_hand, &Patch::Strategic(patch)).await?;
    let image = |it: &Deployment| {
        let pod = it.spec.as_ref()?.template.spec.as_ref()?;
        pod.containers.first()?.image.clone()
    };
    let ours = tenant.namespace.world().environment.repository("agc");
    wait::until(&deployments, names::CONTROLLER, "of our image again", REACTION, |it| {
        image(it).is_some_and(|it| it.starts_with(&ours))
    })
    .await?;

    let accounts = tenant.namespace.api::<ServiceAccount>();
    let patch = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
    accounts.patch(names::WORKER, &by_hand, &Patch::Merge(patch)).await?;
    wait::until(&accounts, names::WORKER, "labelled again", REACTION, |it| {
        it.labels().contains_key("app.kubernetes.io/managed-by")
    })
    .await?;
    Ok(())
}

pub async fn writes_nothing_when_unchanged(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let leases: Api<Lease> = Api::namespaced(tenant.namespace.client(), SYSTEM);
    let renewals = async |count| wait::renewals(&leases, MANAGER, count, Duration::from_secs(30)).await;
    renewals(RENEWALS_AT_REST).await?; // whatever the start has stirred up has settled
    let before = versions(&tenant).await?;
    renewals(RENEWALS_AT_REST).await?;
    let after = versions(&tenant).await?;
    ensure!(before == after, "something was written:\n{before:#?}\n{after:#?}");
    Ok(())
}

async fn versions(tenant: &Tenant) -> Result<(Option<String>, Vec<Child>)> {
    let gateway = tenant.namespace.api::<ActionsGateway>().get(GATEWAY).await?;
    let children = children(&tenant.namespace, &gateway.uid().context("a uid")?).await?;
    Ok((gateway.resource_version(), children))
}
