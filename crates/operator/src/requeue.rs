//! When a failed object is tried again: each object waits for itself.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The first retry. Most failures are conflicts and restarts of the API server, gone in a moment.
const FIRST: Duration = Duration::from_millis(500);

/// The last. An object that failed for an hour may wait five minutes more.
const LONGEST: Duration = Duration::from_secs(300);

/// How much of a delay is random, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// Counts the failures in a row of each object.
#[derive(Debug)]
pub struct Backoff<K> {
    failures: Mutex<HashMap<K, u32>>,
}

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Backoff { failures: Mutex::default() }
    }
}

impl<K: Eq + Hash> Backoff<K> {
    /// No object has failed.
    pub fn new() -> Self {
        Backoff::default()
    }

    /// The object failed once more: how long to wait.
    pub fn failed(&self, object: K) -> Duration {
        let mut failures = self.failures();
        let count = failures.entry(object).or_default();
        let delay = delay(*count, rand::random());
        *count = count.saturating_add(1);
        delay
    }

    /// The object succeeded, or is gone: it starts anew.
    pub fn forget(&self, object: &K) {
        self.failures().remove(object);
    }

    /// Nothing panics while it holds the lock, so what it holds is whole.
    fn failures(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait after so many earlier failures; `random` in 0..1.
pub fn delay(failures: u32, random: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1u32.checked_shl(failures).unwrap_or(u32::MAX));
    doubled.min(LONGEST).mul_f64(1.0 - JITTER * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
