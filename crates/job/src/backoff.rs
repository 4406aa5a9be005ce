//! How long to wait before the next attempt. Jitter comes from a seed, so that jobs spread and tests repeat.

use jiff::SignedDuration;

/// A pause that doubles from `first` to `longest`.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Pause after the first failure.
    pub first: SignedDuration,
    /// The pause never grows past this.
    pub longest: SignedDuration,
}

impl Backoff {
    /// The pause after `failures` failures in a row (1 = the first): between half and all of the doubled pause.
    #[must_use]
    pub fn after(self, failures: u32, seed: u64) -> SignedDuration {
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        between(full / 2, full, seed, failures)
    }
}

/// A pause drawn evenly from `[shortest, longest]`; the same for the same `seed` and `attempt`.
#[must_use]
pub fn between(shortest: SignedDuration, longest: SignedDuration, seed: u64, attempt: u32) -> SignedDuration {
    let span = u64::try_from((longest - shortest).as_millis()).unwrap_or(0);
    let draw = mix(seed ^ (u64::from(attempt) << 32)) % (span + 1);
    shortest + SignedDuration::from_millis(i64::try_from(draw).unwrap_or(0))
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
