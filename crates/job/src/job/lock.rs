//! The lock on a claimed job: when to renew it, and when it is lost.

use std::time::Duration;

use backoff::Backoff;
use jiff::{SignedDuration, Timestamp};

use super::Job;
use super::stop::TIME_TO_CANCEL;
use crate::effect::{Call, Effect, Fact, Timer};
use api::StopReason;

/// A minute after each success, as GitHub's own runner does; the lock lasts ten.
const RENEW_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Between two renewals that fail, as GitHub's own runner pauses, protocol §5.3.
const AGAIN: Backoff = Backoff::Tiers {
    first: (Duration::from_secs(5), Duration::from_secs(15)),
    patience: 5,
    second: (Duration::from_secs(15), Duration::from_secs(30)),
};
/// How long past its end a lock may still be granted again, protocol §5.3.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lock {
    until: Option<Timestamp>,
    failures: u32,
    /// Whether a timer stands for the next renewal; otherwise one is under way or none ever will be.
    waiting: bool,
    /// Whether the claim is GitHub's again.
    lost: bool,
}

impl Lock {
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// The claim was granted: the first renewal goes out at once.
    pub(super) fn taken(&mut self, until: Timestamp) -> Effect {
        self.until = Some(until);
        Effect::Call(Call::RenewJob)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(super) fn lose(&mut self, now: Timestamp) {
        *self = Self { until: Some(now), lost: true, ..Self::default() };
    }

    pub(super) fn renewed(&mut self, until: Timestamp, now: Timestamp) -> Vec<Effect> {
        if self.waiting {
            return Vec::new(); // nobody asked
        }
        *self = Self { until: Some(until), waiting: true, ..Self::default() };
        vec![Effect::Wake(Timer::Renew, now + RENEW_EVERY)]
    }

    pub(super) fn due(&mut self) -> Option<Effect> {
        std::mem::take(&mut self.waiting).then_some(Effect::Call(Call::RenewJob))
    }

    /// Counts a failure and says when to try again; `None` when the lock is past saving.
    fn failed(&mut self, seed: u64, now: Timestamp) -> Option<Timestamp> {
        let lost = self.until.is_some_and(|it| now >= it + GRACE);
        if lost {
            return None;
        }
        self.failures += 1;
        self.waiting = true;
        Some(now + AGAIN.after(self.failures, seed))
    }
}

impl Job {
    pub(super) fn renew_failed(&mut self, now: Timestamp) -> Vec<Effect> {
        if self.lock.waiting {
            return Vec::new(); // nobody asked
        }
        let mut effects = match self.lock.failed(self.seed, now) {
            Some(next) => vec![Effect::Wake(Timer::Renew, next)],
            None => return self.lock_lost(now),
        };
        effects.push(Effect::Report(Fact::RenewFailed));
        effects
    }

    /// The claim is GitHub's again. Whatever the worker still does, nobody will hear of it, and no worker is needed.
    pub(super) fn lock_lost(&mut self, now: Timestamp) -> Vec<Effect> {
        self.lock.lose(now);
        let mut effects = vec![Effect::Report(Fact::RenewFailed)];
        if self.is_being_placed() {
            effects.extend(self.finish_without_pod(self.unplaced(), now));
        } else if self.is_claimed() {
            effects.extend(self.cancel(StopReason::LockLost, TIME_TO_CANCEL, now));
        }
        effects
    }
}
