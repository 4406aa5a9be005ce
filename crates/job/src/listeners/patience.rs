//! When to try again what failed.

use std::time::Duration;

use backoff::Backoff;
use jiff::Timestamp;

/// A registration that is refused is asked for again by the passes of the group's controller, less and less often.
pub(super) const REFUSED: Backoff =
    Backoff::Doubling { first: Duration::from_secs(5), longest: Duration::from_secs(60) };

/// A runner that is registered in vain costs a record at GitHub each time: the pauses grow further.
pub(super) const DEAD_ON_ARRIVAL: Backoff =
    Backoff::Doubling { first: Duration::from_secs(5), longest: Duration::from_secs(300) };

/// Failures in a row, and the pause after the last one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Patience {
    failures: u32,
    until: Option<Timestamp>,
}

impl Patience {
    pub(super) fn failed(&mut self, backoff: Backoff, seed: u64, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + backoff.after(self.failures, seed));
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|it| now >= it)
    }
}
