//! What calls take from their surroundings: the time of day and chance. Tests replace both.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// A clock and a source of jitter.
#[derive(Clone)]
pub struct Ambient {
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    chance: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ambient")
    }
}

impl Ambient {
    /// The system's clock and the thread's random numbers.
    pub fn system() -> Self {
        Self::new(Timestamp::now, rand::random)
    }

    /// Others: `chance` gives numbers in `0.0..1.0`.
    pub fn new(
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
        chance: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self { clock: Arc::new(clock), chance: Arc::new(chance) }
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A number in `0.0..1.0`.
    pub fn chance(&self) -> f64 {
        (self.chance)()
    }

    /// A duration between the two.
    pub fn between(&self, range: (Duration, Duration)) -> Duration {
        crate::pace::between(range, self.chance())
    }
}
