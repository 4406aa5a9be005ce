//! What was written last, so that it need not be written again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::core::ObjectMeta;
use serde_json::Value;

use super::ObjectId;

/// The last write of each object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<Mutex<HashMap<ObjectId, Write>>>);

#[derive(Debug)]
struct Write {
    hash: u64,
    uid: Option<String>,
    resource_version: Option<String>,
}

impl Written {
    /// True if this body is what was written last, and nobody has written the object since.
    pub(crate) fn is_current(&self, id: &ObjectId, body: &Value, observed: &ObjectMeta) -> bool {
        self.writes().get(id).is_some_and(|it| {
            it.hash == hash(body)
                && it.uid == observed.uid
                && it.resource_version.is_some()
                && it.resource_version == observed.resource_version
        })
    }

    pub(crate) fn remember(&self, id: &ObjectId, body: &Value, answer: &ObjectMeta) {
        let write = Write {
            hash: hash(body),
            uid: answer.uid.clone(),
            resource_version: answer.resource_version.clone(),
        };
        self.writes().insert(id.clone(), write);
    }

    pub(crate) fn forget(&self, id: &ObjectId) {
        self.writes().remove(id);
    }

    /// Nothing panics while it holds the lock, so what it holds is whole.
    fn writes(&self) -> MutexGuard<'_, HashMap<ObjectId, Write>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compared only with hashes of the same process.
fn hash(body: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}
