//! When what failed is tried again: each object and each watch waits for itself.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use runtime::{
    backoff::{Backoff, Failures},
    clock::Clock,
};
use tokio::time::Instant;

/// Most failures are conflicts and restarts of the API server, gone in a moment. An object that failed for an hour may
/// wait five minutes more.
const OBJECT: Backoff =
    Backoff::Doubling { first: Duration::from_millis(500), longest: Duration::from_secs(300) };

/// client-go's pauses between two lists of a reflector.
const WATCH: Backoff =
    Backoff::Doubling { first: Duration::from_millis(800), longest: Duration::from_secs(30) };

/// A watch that has worked for so long begins anew, also client-go's: one that is opened and breaks off at once has not
/// recovered.
const RECOVERED_AFTER: Duration = Duration::from_secs(120);

/// Counts the failures in a row of each object.
#[derive(Debug)]
pub struct Requeue<K> {
    clock: Clock,
    failures: Mutex<HashMap<K, Failures>>,
}

impl<K: Eq + Hash> Requeue<K> {
    /// No object has failed.
    pub fn new(clock: Clock) -> Self {
        Requeue { clock, failures: Mutex::default() }
    }

    /// The object failed once more: how long to wait.
    pub fn failed(&self, object: K) -> Duration {
        self.failures().entry(object).or_insert_with(|| self.clock.failures(OBJECT)).fail()
    }

    /// The object succeeded, or is gone: it starts anew.
    pub fn forget(&self, object: &K) {
        self.failures().remove(object);
    }

    /// Nothing panics while it holds the lock, so what it holds is whole.
    fn failures(&self) -> MutexGuard<'_, HashMap<K, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pauses of one watch, for [`kube::runtime::WatchStreamExt::backoff`]. Those of kube draw from a chance of their own.
#[derive(Debug)]
pub(crate) struct WatchBackoff {
    failures: Failures,
    failed: Option<Instant>,
}

impl WatchBackoff {
    /// The watch has not failed.
    pub(crate) fn new(clock: &Clock) -> Self {
        WatchBackoff { failures: clock.failures(WATCH), failed: None }
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.failed.is_some_and(|it| it.elapsed() >= RECOVERED_AFTER) {
            self.failures.reset();
        }
        self.failed = Some(Instant::now());
        Some(self.failures.fail())
    }
}

impl kube::runtime::utils::Backoff for WatchBackoff {
    /// Each item that arrives ends a pause, but only time tells whether the watch has recovered.
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests;
