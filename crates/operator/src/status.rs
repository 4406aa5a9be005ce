//! Status: computed whole by the caller, written once, and only if that changes something.

use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, Patch, PatchParams},
    core::{NamespaceResourceScope, object::HasStatus},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::apply::{Applier, ApplyError, ObjectId};

impl Applier {
    /// Writes `wanted` as the fields of `current`'s status that this manager owns, over what somebody else has written
    /// meanwhile: a status says all that there is to say.
    ///
    /// Nothing is sent, and `None` returned, if `current` has exactly this status, or if this status was the
    /// last one written and the object has not changed since (another manager may own conditions beside ours).
    ///
    /// # Errors
    /// [`ApplyError::Write`].
    pub async fn status<K>(&self, current: &K, wanted: &K::Status) -> Result<Option<K>, ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus + Clone + DeserializeOwned,
        K: std::fmt::Debug,
        K::Status: Serialize,
    {
        let kind = ApiResource::erase::<K>(&());
        let id = ObjectId::of(&kind, current.meta());
        // The same object has another write to remember, that of its spec.
        let remembered = ObjectId { kind: format!("{}/status", id.kind).into(), ..id.clone() };
        let encode = |status| to_value(&kind.kind, status);
        let (now, then) = (encode(Some(wanted))?, encode(current.status())?);
        if now == then || self.written.is_current(&remembered, &now, current.meta()) {
            return Ok(None);
        }
        let namespace = current.namespace().unwrap_or_default();
        let api = Api::<K>::namespaced(self.client().clone(), &namespace);
        let body = body(&kind, current, &now);
        let params = PatchParams::apply(self.manager()).force();
        let answer = api.patch_status(&id.name, &params, &Patch::Apply(&body)).await;
        let object = answer.map_err(|source| ApplyError::Write { id, source })?;
        self.written.remember(&remembered, &now, object.meta());
        Ok(Some(object))
    }
}

fn to_value<S: Serialize>(kind: &str, status: Option<&S>) -> Result<Value, ApplyError> {
    serde_json::to_value(status).map_err(|source| ApplyError::Encode { kind: kind.to_owned(), source })
}

fn body(kind: &ApiResource, current: &impl Resource, status: &Value) -> Value {
    let meta = current.meta();
    // The uid keeps the write from a younger object of the same name.
    let metadata = json!({ "name": meta.name, "namespace": meta.namespace, "uid": meta.uid });
    json!({ "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "status": status })
}

#[cfg(test)]
mod tests;
