//! How long to wait before the next attempt. Pure: failures are counted here, chance is a seed, so that what failed
//! together does not come back together, and a test that gives the same seed sees the same pauses.
//!
//! [`Backoff`] is a rule, [`Failures`] counts by one, and [`between`] draws a pause that no failure asks for.
//!
//! ```
//! use std::time::Duration;
//! use backoff::{Backoff, Failures};
//! let rule = Backoff::Doubling { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
//! let mut failures = Failures::new(rule, 7);
//! assert!(failures.fail() <= Duration::from_secs(1));
//! assert!(failures.fail() <= Duration::from_secs(2));
//! failures.reset();
//! assert!(failures.fail() <= Duration::from_secs(1));
//! ```

use std::time::Duration;

/// The shortest and the longest of a pause that is drawn.
pub type Range = (Duration, Duration);

/// How long to wait after so many failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// Between half and all of a pause that doubles.
    Doubling {
        /// All of the pause after the first failure.
        first: Duration,
        /// No pause is longer.
        longest: Duration,
    },
    /// Within one range for a while, then within another: GitHub's polls and renewals (protocol §4.3, §5.3).
    Tiers {
        /// After the first failures.
        first: Range,
        /// How many failures belong to the first tier.
        patience: u32,
        /// After all others.
        second: Range,
    },
    /// Nothing after the first failure, then a pause that doubles: the official runner's throttle of refused claims
    /// (protocol §5.2). The pauses are the least that is asked for: what is drawn is at most a quarter more.
    Throttle {
        /// The least pause after the second failure.
        first: Duration,
        /// The least pause grows no further.
        longest: Duration,
    },
}

impl Backoff {
    /// The pause after `failures` failures in a row (1 = the first); none after none.
    #[must_use]
    pub fn after(self, failures: u32, seed: u64) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let range = match self {
            Self::Doubling { first, longest } => {
                let full = doubled(first, doublings, longest);
                (full / 2, full)
            }
            Self::Tiers { first, patience, .. } if failures <= patience => first,
            Self::Tiers { second, .. } => second,
            Self::Throttle { first, longest } => {
                let Some(doublings) = doublings.checked_sub(1) else { return Duration::ZERO };
                let least = doubled(first, doublings, longest);
                (least, least.saturating_add(least / 4))
            }
        };
        between(range, seed, failures)
    }

    /// All pauses divided by `factor`, for tests against a fake that is as many times faster.
    #[must_use]
    pub fn faster(self, factor: u32) -> Self {
        let time = |it: Duration| it / factor.max(1);
        let range = |(shortest, longest): Range| (time(shortest), time(longest));
        match self {
            Self::Doubling { first, longest } => {
                Self::Doubling { first: time(first), longest: time(longest) }
            }
            Self::Tiers { first, patience, second } => {
                Self::Tiers { first: range(first), patience, second: range(second) }
            }
            Self::Throttle { first, longest } => {
                Self::Throttle { first: time(first), longest: time(longest) }
            }
        }
    }
}

/// Counts failures in a row by one rule and with one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failures {
    backoff: Backoff,
    seed: u64,
    count: u32,
}

impl Failures {
    /// None yet.
    #[must_use]
    pub fn new(backoff: Backoff, seed: u64) -> Self {
        Self { backoff, seed, count: 0 }
    }

    /// One more: how long to wait.
    #[must_use]
    pub fn fail(&mut self) -> Duration {
        self.count = self.count.saturating_add(1);
        self.backoff.after(self.count, self.seed)
    }

    /// A success: the next failure is the first.
    pub fn reset(&mut self) {
        self.count = 0;
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }
}

/// A pause drawn evenly from a range; the same for the same `seed` and `attempt`.
#[must_use]
pub fn between((shortest, longest): Range, seed: u64, attempt: u32) -> Duration {
    let span = u64::try_from(longest.saturating_sub(shortest).as_nanos()).unwrap_or(u64::MAX);
    let draw = mix(seed ^ (u64::from(attempt) << 32));
    shortest + Duration::from_nanos(span.checked_add(1).map_or(draw, |choices| draw % choices))
}

/// `first` so often doubled, and not more than `longest`.
fn doubled(first: Duration, doublings: u32, longest: Duration) -> Duration {
    first.saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(longest)
}

/// SplitMix64's finaliser: neighbouring seeds give unrelated draws.
fn mix(seed: u64) -> u64 {
    let mut it = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

#[cfg(test)]
mod tests;
