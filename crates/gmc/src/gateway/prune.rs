//! Deletes the children that the gateway no longer asks for: what carries our label and its owner reference, and was not
//! among what this pass applied.

use api::RunnerGroup;
use kube::api::ApiResource;
use kube::core::ObjectMeta;
use operator::apply::{Applier, PruneError};

use crate::gateway::build::{InCluster, Resources};
use crate::gateway::children::Children;
use crate::gateway::dereference::References;

/// Only after all of `applied` stands: a rename makes the new child before the old one goes. Costs no read: RunnerGroups
/// were read by this pass, all else is known from the watches. What a watch has not shown yet goes with a later pass.
///
/// # Errors
/// The first child that stays.
pub async fn prune(
    applier: &Applier,
    references: &References,
    children: &Children,
    applied: &Resources<InCluster>,
) -> Result<(), PruneError> {
    let groups = ApiResource::erase::<RunnerGroup>(&());
    let read = references.runner_groups.iter().map(|it| it.meta.clone()).collect();
    let watched = children.in_namespace(&references.identity.namespace);
    for (kind, observed) in std::iter::once((&groups, read)).chain(watched) {
        let observed: Vec<ObjectMeta> = observed;
        let wanted = |name: &str| applied.holds(&kind.kind, name);
        for id in applier.prune(kind, &observed, &references.identity.uid, wanted).await? {
            tracing::info!(%id, "pruned an object that the gateway no longer needs");
        }
    }
    Ok(())
}
