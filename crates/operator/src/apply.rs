//! Server-side apply of what is wanted: skipped when nothing has changed, refused when the object is not ours.

mod object;
mod prune;
mod written;

use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::ObjectMeta,
};
use serde::Serialize;
use serde_json::Value;

pub use object::{ObjectId, Ownership, ownership};
pub use prune::PruneError;
use written::Written;

/// Writes objects under one field manager and remembers what it wrote. Cheap to clone; clones share the memory.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    manager: &'static str,
    pub(crate) written: Written,
}

/// The object is as wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Which object.
    pub id: ObjectId,
    /// Its metadata as last seen: after the write, or as observed if there was none.
    pub meta: ObjectMeta,
    /// Whether it took a request to make it so.
    pub written: bool,
}

/// An object is not as wanted.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The wanted object is no JSON object with a name: a mistake in the caller.
    #[error("failed to serialize {kind}")]
    Encode {
        /// Its kind.
        kind: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Whose the object is could not be found out.
    #[error("failed to get {id}")]
    Inspect {
        /// Which object.
        id: ObjectId,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// There is an object of that name which is not ours. It was not touched.
    #[error("{id} exists and belongs to {owner}")]
    NameConflict {
        /// Which object.
        id: ObjectId,
        /// Its owner, as `Kind/name`, or `nobody`.
        owner: String,
    },
    /// The API server refused, or did not answer.
    #[error("failed to apply {id}")]
    Write {
        /// Which object.
        id: ObjectId,
        /// Why.
        #[source]
        source: kube::Error,
    },
}

impl Applier {
    /// `manager` is the field manager: one for each use, the same in all versions of the program.
    pub fn new(client: Client, manager: &'static str) -> Self {
        Applier { client, manager, written: Written::default() }
    }

    /// The client that it writes with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The field manager that it writes under.
    pub fn manager(&self) -> &'static str {
        self.manager
    }

    /// Makes the object as `wanted` says: one PATCH, or none if neither `wanted` nor the object has changed
    /// since the last one.
    ///
    /// `observed` is the object's metadata as the caller's watch has it; `None` (not in the watch, or no watch)
    /// costs one read of the metadata. If `wanted` names a controlling owner, an object that is controlled by
    /// another, or by nobody, is left alone.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub async fn apply<K>(&self, wanted: &K, observed: Option<&ObjectMeta>) -> Result<Applied, ApplyError>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let kind = ApiResource::erase::<K>(&());
        let id = ObjectId::of(&kind, wanted.meta());
        let body = encode(&kind, wanted)?;
        let api = self.api(&kind, &id);
        let observed = match observed {
            Some(meta) => Some(meta.clone()),
            None => inspect(&api, &id).await?,
        };
        if let Some(observed) = &observed {
            refuse_foreign(&id, wanted.meta(), observed)?;
            if self.written.is_current(&id, &body, observed) {
                return Ok(Applied { id, meta: observed.clone(), written: false });
            }
        }
        let params = PatchParams::apply(self.manager).force();
        let answer = api.patch(&id.name, &params, &Patch::Apply(&body)).await;
        let object = answer.map_err(|source| ApplyError::Write { id: id.clone(), source })?;
        self.written.remember(&id, &body, &object.metadata);
        Ok(Applied { id, meta: object.metadata, written: true })
    }

    fn api(&self, kind: &ApiResource, id: &ObjectId) -> Api<DynamicObject> {
        match &id.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, kind),
            None => Api::all_with(self.client.clone(), kind),
        }
    }
}

fn encode(kind: &ApiResource, wanted: &impl Serialize) -> Result<Value, ApplyError> {
    serde_json::to_value(wanted).map_err(|source| ApplyError::Encode { kind: kind.kind.clone(), source })
}

async fn inspect(api: &Api<DynamicObject>, id: &ObjectId) -> Result<Option<ObjectMeta>, ApplyError> {
    let found = api.get_metadata_opt(&id.name).await;
    let found = found.map_err(|source| ApplyError::Inspect { id: id.clone(), source })?;
    Ok(found.map(|it| it.metadata))
}

fn refuse_foreign(id: &ObjectId, wanted: &ObjectMeta, observed: &ObjectMeta) -> Result<(), ApplyError> {
    let Some(owner) = object::controller(wanted) else { return Ok(()) };
    match ownership(observed, &owner.uid) {
        Ownership::Ours => Ok(()),
        Ownership::Foreign(owner) => Err(ApplyError::NameConflict { id: id.clone(), owner }),
    }
}

#[cfg(test)]
mod tests;
