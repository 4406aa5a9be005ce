//! One finalizer on, one finalizer off, without touching anybody else's.

use json_patch::{
    AddOperation, Patch as JsonPatch, PatchOperation, RemoveOperation, TestOperation, jsonptr::PointerBuf,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::PartialObjectMeta,
};
use serde::de::DeserializeOwned;

/// How often a list of finalizers that somebody else changed under our hands is read again.
const ATTEMPTS: usize = 3;

/// A finalizer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object could not be read again after its finalizers had changed.
    #[error("failed to read {name} again")]
    Read {
        /// The object's name.
        name: String,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// The patch was refused.
    #[error("failed to patch the finalizers of {name}")]
    Patch {
        /// The object's name.
        name: String,
        /// Why.
        #[source]
        source: kube::Error,
    },
}

/// Whether the finalizer stands on the object.
pub fn is_on(object: &impl Resource, finalizer: &str) -> bool {
    object.meta().finalizers.iter().flatten().any(|it| it == finalizer)
}

/// Puts the finalizer on. True if that took a write.
///
/// # Errors
/// [`Error`]; also for an object that is gone or going, which takes no new finalizer.
pub async fn add<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<bool, Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    change(api, object, |current| addition(current, finalizer)).await
}

/// Takes the finalizer off. True if that took a write. An object that is gone has none.
///
/// # Errors
/// [`Error`].
pub async fn remove<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<bool, Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    match change(api, object, |current| removal(current, finalizer)).await {
        Err(Error::Patch { source, .. } | Error::Read { source, .. }) if is_gone(&source) => Ok(false),
        result => result,
    }
}

async fn change<K>(
    api: &Api<K>,
    object: &K,
    patch: impl Fn(&[String]) -> Option<JsonPatch>,
) -> Result<bool, Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let name = object.name_any();
    let mut current = object.finalizers().to_vec();
    let mut attempt = 1;
    loop {
        let Some(operations) = patch(&current) else { return Ok(false) };
        let written = api.patch(&name, &PatchParams::default(), &Patch::Json::<()>(operations)).await;
        match written {
            Ok(_) => return Ok(true),
            Err(error) if is_stale(&error) && attempt < ATTEMPTS => {
                let read = look_again(api, &name).await;
                let read = read.map_err(|source| Error::Read { name: name.clone(), source })?;
                if read.meta().uid != object.meta().uid {
                    return Err(Error::Patch { name, source: error }); // another object of that name
                }
                current = read.finalizers().to_vec();
                attempt += 1;
            }
            Err(source) => return Err(Error::Patch { name, source }),
        }
    }
}

/// Reads the object by a patch that changes nothing, so that who may patch needs no further grant.
async fn look_again<K>(api: &Api<K>, name: &str) -> Result<PartialObjectMeta<K>, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let nothing = Patch::Merge(serde_json::json!({}));
    api.patch_metadata(name, &PatchParams::default(), &nothing).await
}

/// The `test` makes the write fail if the list is not what we have seen.
fn addition(current: &[String], finalizer: &str) -> Option<JsonPatch> {
    if current.iter().any(|it| it == finalizer) {
        return None;
    }
    let (seen, end, value) = match current {
        [] => (serde_json::Value::Null, path(&[]), serde_json::json!([finalizer])),
        _ => (serde_json::json!(current), path(&["-"]), serde_json::json!(finalizer)),
    };
    Some(JsonPatch(vec![
        PatchOperation::Test(TestOperation { path: path(&[]), value: seen }),
        PatchOperation::Add(AddOperation { path: end, value }),
    ]))
}

fn removal(current: &[String], finalizer: &str) -> Option<JsonPatch> {
    let index = current.iter().position(|it| it == finalizer)?.to_string();
    Some(JsonPatch(vec![
        PatchOperation::Test(TestOperation { path: path(&[&index]), value: serde_json::json!(finalizer) }),
        PatchOperation::Remove(RemoveOperation { path: path(&[&index]) }),
    ]))
}

fn path(below: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(["metadata", "finalizers"].iter().chain(below).copied())
}

/// A failed `test` of a JSON patch is answered with 422, a concurrent write with 409.
fn is_stale(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409 || status.code == 422)
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

#[cfg(test)]
mod tests;
