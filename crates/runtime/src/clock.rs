//! What a process takes from its surroundings: the time of day, and chance. Tests and simulations replace both.
//!
//! Time that passes is [`tokio::time::Instant`]'s: a paused runtime owns it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backoff::{Backoff, Failures, Range, between};
use jiff::{SignedDuration, Timestamp};
use rand::{RngCore as _, SeedableRng as _, rngs::StdRng};
use tokio::time::Instant;

/// The time of day, and a source of seeds. Cheap to clone; clones share the source.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    seed: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Clock {
    /// The system's time, and seeds that nobody can foretell.
    pub fn system() -> Self {
        Self::new(Timestamp::now, rand::random)
    }

    /// Begins at `begin` and passes as tokio's time does, which jumps where a test has paused it. The same `seed` gives
    /// the same seeds in the same order.
    pub fn simulated(begin: Timestamp, seed: u64) -> Self {
        let (start, chance) = (Instant::now(), Mutex::new(StdRng::seed_from_u64(seed)));
        let passed = move || SignedDuration::try_from(start.elapsed()).unwrap_or(SignedDuration::MAX);
        Self::new(
            move || begin.saturating_add(passed()).unwrap_or(Timestamp::MAX),
            move || chance.lock().unwrap_or_else(PoisonError::into_inner).next_u64(),
        )
    }

    /// Others.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        seed: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), seed: Arc::new(seed) }
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// A fresh seed.
    pub fn seed(&self) -> u64 {
        (self.seed)()
    }

    /// A pause drawn from the range.
    pub fn between(&self, range: Range) -> Duration {
        between(range, self.seed(), 0)
    }

    /// A period that many keep to, with a tenth of it more or less, so that they do not keep it together.
    pub fn about(&self, period: Duration) -> Duration {
        let tenth = period / 10;
        self.between((period.saturating_sub(tenth), period.saturating_add(tenth)))
    }

    /// Counts failures by this rule, with a seed of their own.
    pub fn failures(&self, backoff: Backoff) -> Failures {
        Failures::new(backoff, self.seed())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests;
