//! What was written last, so that it need not be written again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::core::ObjectMeta;
use serde_json::Value;

use super::ObjectId;

/// So many objects are remembered. Objects come and go (a job has a status of its own), and what is forgotten
/// costs no more than one write that changes nothing.
const REMEMBERED: usize = 4096;

/// The last write of each object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Writes>>);

#[derive(Debug, Default)]
struct Writes {
    by_object: HashMap<ObjectId, Write>,
    count: u64,
}

#[derive(Debug)]
struct Write {
    /// The how manieth it was.
    number: u64,
    hash: u64,
    uid: Option<String>,
    resource_version: Option<String>,
}

impl Written {
    /// True if this body is what was written last, and nobody has written the object since.
    pub(crate) fn is_current(&self, id: &ObjectId, body: &Value, observed: &ObjectMeta) -> bool {
        self.writes().by_object.get(id).is_some_and(|it| {
            it.hash == hash(body)
                && it.uid == observed.uid
                && it.resource_version.is_some()
                && it.resource_version == observed.resource_version
        })
    }

    pub(crate) fn remember(&self, id: &ObjectId, body: &Value, answer: &ObjectMeta) {
        let mut writes = self.writes();
        writes.count += 1;
        let write = Write {
            number: writes.count,
            hash: hash(body),
            uid: answer.uid.clone(),
            resource_version: answer.resource_version.clone(),
        };
        writes.by_object.insert(id.clone(), write);
        writes.forget_the_oldest();
    }

    pub(crate) fn forget(&self, id: &ObjectId) {
        self.writes().by_object.remove(id);
    }

    /// Nothing panics while it holds the lock, so what it holds is whole.
    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writes {
    /// By halves, so that it happens seldom.
    fn forget_the_oldest(&mut self) {
        if self.by_object.len() > REMEMBERED {
            let mut numbers: Vec<u64> = self.by_object.values().map(|it| it.number).collect();
            let (_, median, _) = numbers.select_nth_unstable(REMEMBERED / 2);
            self.by_object.retain(|_, it| it.number > *median);
        }
    }
}

/// Compared only with hashes of the same process.
fn hash(body: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
