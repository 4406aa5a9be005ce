//! Writes the children, in the order in which they need each other.

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use operator::apply::{Applied, Applier, ApplyError};
use serde::Serialize;

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
        deployment: applier.apply(&deployment, references.controller.as_ref().map(|it| &it.metadata)).await?,
    })
}

/// A child whose metadata is looked at first: whose it is, and whether it has changed.
async fn child<K>(applier: &Applier, wanted: &K) -> Result<Applied, ApplyError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
{
    applier.apply(wanted, None).await
}
