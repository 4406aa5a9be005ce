//! Writes the children, in the order in which they need each other.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Resource;
use kube::api::{Api, Patch, PatchParams};
use operator::apply::{Applied, Applier, ApplyError, ObjectId};
use serde::Serialize;
use serde_json::json;

use crate::gateway::build::{Built, InCluster, Resources};
use crate::gateway::dereference::References;

/// Makes the cluster hold what was built. Children that are as wished cost no write.
///
/// # Errors
/// The first child that is not as wished; those after it are left as they were.
pub async fn apply(
    applier: &Applier,
    references: &References,
    built: Resources<Built>,
) -> Result<Resources<InCluster>, ApplyError> {
    let Resources { controller_account, worker_account, role_binding, service, runner_groups, deployment } =
        built;
    let mut groups = Vec::with_capacity(runner_groups.len());
    for group in &runner_groups {
        let listed = references.runner_groups.iter().find(|it| it.meta.name == group.metadata.name);
        groups.push(applier.apply(group, listed.map(|it| &it.meta)).await?);
    }
    Ok(Resources {
        runner_groups: groups,
        controller_account: child(applier, &controller_account).await?,
        worker_account: child(applier, &worker_account).await?,
        role_binding: child(applier, &role_binding).await?,
        service: child(applier, &service).await?,
        // Last: its pod needs the accounts, and finds its work at once.
        deployment: controller(applier, references, &deployment).await?,
    })
}

async fn controller(
    applier: &Applier,
    references: &References,
    wanted: &Deployment,
) -> Result<Applied, ApplyError> {
    if let Some(observed) = references.own_controller().filter(|it| rolls(it)) {
        forget_rolling_update(applier, observed).await?;
    }
    applier.apply(wanted, references.controller.as_ref().map(|it| &it.metadata)).await
}

/// Whether somebody has set another strategy: the API server then adds numbers that `Recreate` must not have.
fn rolls(deployment: &Deployment) -> bool {
    deployment.spec.as_ref().and_then(|it| it.strategy.as_ref()).is_some_and(|it| it.rolling_update.is_some())
}

/// Server-side apply takes away only what it once gave, so those numbers go by a patch that names them.
async fn forget_rolling_update(applier: &Applier, observed: &Deployment) -> Result<(), ApplyError> {
    let (namespace, name) = (observed.metadata.namespace.as_deref(), observed.metadata.name.as_deref());
    let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
    let deployments: Api<Deployment> = Api::namespaced(applier.client().clone(), namespace);
    let strategy = json!({ "spec": { "strategy": { "type": "Recreate", "rollingUpdate": null } } });
    let params = PatchParams { field_manager: Some(applier.manager().to_owned()), ..PatchParams::default() };
    let written = deployments.patch_metadata(name, &params, &Patch::Merge(strategy)).await;
    written.map(drop).map_err(|source| ApplyError::Write {
        id: ObjectId { kind: "Deployment".into(), namespace: Some(namespace.into()), name: name.into() },
        source,
    })
}

/// A child whose metadata is looked at first: whose it is, and whether it has changed.
async fn child<K>(applier: &Applier, wanted: &K) -> Result<Applied, ApplyError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
{
    applier.apply(wanted, None).await
}
