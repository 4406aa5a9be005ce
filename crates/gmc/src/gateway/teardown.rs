//! The end of a gateway, in order: RunnerGroups drain, the controller stops, what only it could have let go is let
//! go, the rest is removed. Each pass looks at what is there and takes the next step; nothing is remembered, and the
//! clock is the deletion's own. A failed request keeps our finalizer: nothing is let go on a guess.

mod steps;

use std::time::Duration;

use api::{RunnerGroup, RunnerJob, StopReason, labels};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::api::{Api, ApiResource, Patch, PatchParams};
use kube::core::{ObjectMeta, PartialObjectMeta, PartialObjectMetaExt as _};
use operator::apply::{Applier, PruneError};
use operator::finalizer;
use serde_json::json;

use crate::gateway::dereference::References;
use crate::gateway::kinds;
pub use steps::{Facts, Step, few, next};

/// Between two looks. What ends it is mostly not watched: pods, and the controller's own clean-up at GitHub.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is there could not be listed, or an object not be deleted.
    #[error("failed to list or delete objects of the gateway")]
    Children(#[source] PruneError),
    /// A worker could not be marked as deleted by us.
    #[error("failed to annotate worker pod {name}")]
    Mark {
        /// The pod.
        name: String,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// A finalizer of ours could not be taken off.
    #[error("failed to remove a finalizer from an object of the gateway")]
    LetGo(#[source] finalizer::Error),
}

/// Reads what is left.
///
/// # Errors
/// [`Error::Children`].
pub async fn look(
    applier: &Applier,
    references: &References,
    deleted: Timestamp,
    now: Timestamp,
) -> Result<Facts, Error> {
    let namespace = &references.identity.namespace;
    let workers = list::<Pod>(applier, namespace, &labels::component(labels::WORKER)).await?;
    let controller_pods = list::<Pod>(applier, namespace, &labels::component(labels::AGC)).await?;
    let jobs = list::<RunnerJob>(applier, namespace, "").await?;
    Ok(Facts {
        now,
        deleted,
        namespace_ending: references.namespace_deleted.is_some(),
        uid: references.identity.uid.clone(),
        groups: references.runner_groups.iter().map(|it| it.meta.clone()).collect(),
        jobs: held_by(jobs, labels::FINALIZER_JOB),
        workers: held_by(workers, labels::FINALIZER_JOB),
        controller: references.own_controller().map(|it| it.metadata.clone()),
        controller_pods,
    })
}

/// Does what the step says. Bears repeating.
///
/// # Errors
/// The first request that failed; the rest of the step is done by a later pass.
pub async fn take(applier: &Applier, references: &References, step: &Step) -> Result<(), Error> {
    let namespace = &references.identity.namespace;
    match step {
        Step::Drain { delete, .. } => delete_all::<RunnerGroup>(applier, delete).await,
        Step::Stop { workers, controllers, pods } => {
            for worker in workers {
                mark(applier, namespace, worker).await?;
            }
            delete_all::<Pod>(applier, workers).await?;
            delete_all::<Deployment>(applier, controllers).await?;
            delete_all::<Pod>(applier, pods).await
        }
        Step::Release { delete, groups, jobs, workers } => {
            delete_all::<RunnerGroup>(applier, delete).await?;
            let_go::<Pod>(applier, namespace, workers, labels::FINALIZER_JOB).await?;
            let_go::<RunnerJob>(applier, namespace, jobs, labels::FINALIZER_JOB).await?;
            let_go::<RunnerGroup>(applier, namespace, groups, labels::FINALIZER_GROUP).await
        }
        Step::Remove => remove_rest(applier, references).await,
    }
}

/// What needs others goes before what it needs. A child that has lost our label is the garbage collector's.
async fn remove_rest(applier: &Applier, references: &References) -> Result<(), Error> {
    for kind in kinds::found_by_label().rev() {
        let found = applier.list(&kind, &references.identity.namespace, &labels::ours()).await;
        let mut own = found.map_err(Error::Children)?;
        own.retain(|it| references.identity.owns(it) && it.deletion_timestamp.is_none());
        delete_each(applier, &kind, &own).await?;
    }
    Ok(())
}

async fn list<K>(applier: &Applier, namespace: &str, selector: &str) -> Result<Vec<ObjectMeta>, Error>
where
    K: Resource<DynamicType = ()>,
{
    applier.list(&ApiResource::erase::<K>(&()), namespace, selector).await.map_err(Error::Children)
}

fn held_by(objects: Vec<ObjectMeta>, finalizer: &str) -> Vec<ObjectMeta> {
    objects.into_iter().filter(|it| steps::is_held(it, finalizer)).collect()
}

async fn delete_all<K>(applier: &Applier, objects: &[ObjectMeta]) -> Result<(), Error>
where
    K: Resource<DynamicType = ()>,
{
    delete_each(applier, &ApiResource::erase::<K>(&()), objects).await
}

async fn delete_each(applier: &Applier, kind: &ApiResource, objects: &[ObjectMeta]) -> Result<(), Error> {
    for object in objects {
        applier.delete(kind, object).await.map_err(Error::Children)?;
    }
    Ok(())
}

/// Says on the pod, before it goes, that it was us.
async fn mark(applier: &Applier, namespace: &str, worker: &ObjectMeta) -> Result<(), Error> {
    let name = worker.name.clone().unwrap_or_default();
    let patch = json!({ "metadata": { "annotations": { labels::DELETION_REASON: StopReason::GatewayDeleted.as_str() } } });
    let pods: Api<Pod> = Api::namespaced(applier.client().clone(), namespace);
    match pods.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(source) => Err(Error::Mark { name, source }),
    }
}

async fn let_go<K>(
    applier: &Applier,
    namespace: &str,
    objects: &[ObjectMeta],
    finalizer: &str,
) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug,
{
    let api: Api<PartialObjectMeta<K>> = Api::namespaced(applier.client().clone(), namespace);
    for object in objects {
        let object = object.clone().into_response_partial::<K>();
        finalizer::remove(&api, &object, finalizer).await.map_err(Error::LetGo)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
