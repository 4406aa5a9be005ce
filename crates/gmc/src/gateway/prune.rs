//! Deletes the RunnerGroups whose entries are gone from the spec. All other children have fixed names.

use std::collections::BTreeSet;

use api::RunnerGroup;
use kube::api::ApiResource;
use kube::core::ObjectMeta;
use operator::apply::{Applier, PruneError};

use crate::gateway::build::{InCluster, Resources};
use crate::gateway::dereference::References;

/// Only after all of `applied` stands: a rename makes the new group before the old one goes.
///
/// # Errors
/// The first RunnerGroup that stays.
pub async fn prune(
    applier: &Applier,
    references: &References,
    applied: &Resources<InCluster>,
) -> Result<(), PruneError> {
    let wanted: BTreeSet<&str> = applied.runner_groups.iter().map(|it| &*it.id.name).collect();
    let kind = ApiResource::erase::<RunnerGroup>(&());
    let observed: Vec<&ObjectMeta> = references.runner_groups.iter().map(|it| &it.meta).collect();
    let deleted =
        applier.prune(&kind, observed, &references.identity.uid, |name| wanted.contains(name)).await?;
    for id in deleted {
        tracing::info!(%id, "deleted a RunnerGroup that the spec no longer names");
    }
    Ok(())
}
