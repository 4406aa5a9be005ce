//! Deleting what is ours and no longer wanted.

use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Preconditions, PropagationPolicy},
    core::ObjectMeta,
};

use super::{Applier, ObjectId, Ownership, ownership};

/// Something unwanted may still be there.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// What is there could not be listed.
    #[error("failed to list {kind} in {namespace}")]
    List {
        /// The kind.
        kind: String,
        /// The namespace.
        namespace: String,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// One object could not be deleted.
    #[error("failed to delete {id}")]
    Delete {
        /// Which.
        id: ObjectId,
        /// Why.
        #[source]
        source: kube::Error,
    },
}

impl Applier {
    /// Deletes those of `observed` (all of one kind) that `owner_uid` controls and `wanted` does not hold.
    /// What is going already is left to go. Returns what was deleted.
    ///
    /// # Errors
    /// [`PruneError::Delete`] with the first that stays.
    pub async fn prune<'a>(
        &self,
        kind: &ApiResource,
        observed: impl IntoIterator<Item = &'a ObjectMeta>,
        owner_uid: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<ObjectId>, PruneError> {
        let mut deleted = Vec::new();
        for meta in observed {
            let id = ObjectId::of(kind, meta);
            let ours = ownership(meta, owner_uid) == Ownership::Ours;
            if ours && meta.deletion_timestamp.is_none() && !wanted(&id.name) {
                self.delete(kind, meta).await?;
                deleted.push(id);
            }
        }
        Ok(deleted)
    }

    /// Deletes exactly this object: not one of the same name that came after it. Gone is fine.
    ///
    /// # Errors
    /// [`PruneError::Delete`].
    pub async fn delete(&self, kind: &ApiResource, meta: &ObjectMeta) -> Result<(), PruneError> {
        let id = ObjectId::of(kind, meta);
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: meta.uid.clone(), resource_version: None }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        self.written.forget(&id);
        match self.api(kind, &id).delete(&id.name, &params).await {
            Ok(_) => Ok(()),
            // 409 is the precondition: the object with our uid is gone.
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            Err(source) => Err(PruneError::Delete { id, source }),
        }
    }

    /// The metadata of all objects of a kind in a namespace that match a label selector, for kinds without a
    /// watch.
    ///
    /// # Errors
    /// [`PruneError::List`].
    pub async fn list(
        &self,
        kind: &ApiResource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<ObjectMeta>, PruneError> {
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, kind);
        let found = api.list_metadata(&ListParams::default().labels(selector)).await;
        let found = found.map_err(|source| PruneError::List {
            kind: kind.kind.clone(),
            namespace: namespace.to_owned(),
            source,
        })?;
        Ok(found.items.into_iter().map(|it| it.metadata).collect())
    }
}
