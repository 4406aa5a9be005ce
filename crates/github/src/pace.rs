//! How long to wait after which failure. Pure: failures are counted here, chance is an argument.

use std::time::Duration;

/// The shortest and the longest of a wait that is chosen by chance.
pub type Range = (Duration, Duration);

/// The point of a range that `chance`, in `0.0..1.0`, picks.
pub fn between((shortest, longest): Range, chance: f64) -> Duration {
    let chance = chance.clamp(0.0, 1.0);
    shortest + longest.saturating_sub(shortest).mul_f64(chance)
}

/// A failing poll waits within the first tier for a while, then within the second (protocol §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiers {
    /// After the first failures.
    pub first: Range,
    /// How many failures belong to the first tier.
    pub patience: u32,
    /// After all others.
    pub second: Range,
}

/// Counts failures in a row.
#[derive(Debug, Clone)]
pub struct Backoff {
    tiers: Tiers,
    failures: u32,
}

impl Backoff {
    /// Starts without failures.
    pub fn new(tiers: Tiers) -> Self {
        Self { tiers, failures: 0 }
    }

    /// One more failure: how long to wait.
    pub fn fail(&mut self, chance: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let range = if self.failures <= self.tiers.patience { self.tiers.first } else { self.tiers.second };
        between(range, chance)
    }

    /// A success: the next failure is the first.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Doubling from `first` to `limit`; the official runner's throttle of refused claims lets the first
/// refusal pass free (protocol §5.2).
#[derive(Debug, Clone)]
pub struct Throttle {
    free: u32,
    first: Duration,
    limit: Duration,
    refusals: u32,
}

impl Throttle {
    /// For claims that were refused with 404, 409 or 422: free, 1 s, 2 s, … 60 s.
    pub fn of_claims() -> Self {
        Self::new(1, Duration::from_secs(1), Duration::from_secs(60))
    }

    /// Lets `free` refusals pass, then waits `first`, doubling up to `limit`.
    pub fn new(free: u32, first: Duration, limit: Duration) -> Self {
        Self { free, first, limit, refusals: 0 }
    }

    /// One more refusal: how long to wait.
    pub fn refuse(&mut self) -> Duration {
        let doublings = self.refusals.checked_sub(self.free);
        self.refusals = self.refusals.saturating_add(1);
        match doublings {
            None => Duration::ZERO,
            Some(doublings) => self.first.saturating_mul(1u32 << doublings.min(20)).min(self.limit),
        }
    }

    /// A success: the next refusal is the first.
    pub fn reset(&mut self) {
        self.refusals = 0;
    }
}

#[cfg(test)]
mod tests;
