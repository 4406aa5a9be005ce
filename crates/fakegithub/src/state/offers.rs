//! A job on offer: to whom, since when, and what comes of an offer that nobody claims (protocol §4.4, §4.5, §11.2).
//!
//! ```text
//! Open ──claimed, withdrawn──► Closed
//!  │ ▲ declined: again, to the same session
//!  │ └┘
//!  └──window over, or declined and for others──► Lapsed ──shown again──► Open
//! ```

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::settings::{AcknowledgedEffect, DeclinedTo};

/// Whether an offer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The session is shown the job, and others are not.
    Open,
    /// Others may be shown the job; the session can still claim what it was shown.
    Lapsed,
    /// Claimed, withdrawn, or over. The request id is remembered: it is stable for a job and session.
    Closed,
}

/// A job shown to one session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offer {
    pub(crate) request: Uuid,
    pub(crate) agent: u64,
    pub(crate) standing: Standing,
    /// When it was last delivered.
    pub(crate) delivered: Timestamp,
    pub(crate) deliveries: u32,
    pub(crate) acknowledged: Option<Timestamp>,
    /// The last attempt to claim it, granted or not.
    pub(crate) tried: Option<Timestamp>,
    pub(crate) acquired: Option<Timestamp>,
    /// How many deliveries before the last one were neither claimed nor tried, and when that was seen last.
    declined: u32,
    declined_at: Option<Timestamp>,
    /// When the delivery window began.
    begun: Timestamp,
    /// How often it came again in this window.
    repeats: u32,
    /// Since when the last delivery counts as declined, unless it is tried all the same: a claim that takes longer than
    /// patience lasts is one.
    judged: Option<Timestamp>,
    /// When it may be shown to the session again, once it has lapsed.
    again: Again,
}

/// When a session may be shown a job again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    At(Timestamp),
    Never,
}

/// What comes of offers that are not claimed: the levers of one account, scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Policy {
    /// How long an offer can be claimed after its last delivery, and how long a session keeps it.
    pub(crate) window: SignedDuration,
    /// How long after its delivery an offer counts as declined.
    pub(crate) patience: SignedDuration,
    /// How often it comes again at most, in one window.
    pub(crate) times: Option<u32>,
    pub(crate) to: DeclinedTo,
    pub(crate) acknowledged: AcknowledgedEffect,
}

/// When a session is shown the same offer again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Now,
    At(Timestamp),
    /// Not while it stands.
    Not,
}

impl Offer {
    pub(super) fn new(request: Uuid, agent: u64, now: Timestamp) -> Self {
        Self {
            request,
            agent,
            standing: Standing::Closed,
            delivered: now,
            deliveries: 0,
            acknowledged: None,
            tried: None,
            acquired: None,
            declined: 0,
            declined_at: None,
            begun: now,
            repeats: 0,
            judged: None,
            again: Again::At(now),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    /// Shows it, for the first time or again.
    pub(super) fn deliver(&mut self, now: Timestamp) {
        (self.declined, self.declined_at) = (self.declined(), self.declined_at());
        if self.is_open() {
            self.repeats += 1;
        } else {
            (self.standing, self.begun, self.repeats) = (Standing::Open, now, 0);
        }
        self.deliveries += 1;
        self.delivered = now;
        self.judged = None;
    }

    /// How many deliveries were neither claimed nor tried.
    pub(crate) fn declined(&self) -> u32 {
        self.declined + u32::from(self.last_declined().is_some())
    }

    /// When that was seen last.
    pub(crate) fn declined_at(&self) -> Option<Timestamp> {
        self.last_declined().or(self.declined_at)
    }

    /// Since when the last delivery is declined. An attempt to claim it that failed declines nothing.
    fn last_declined(&self) -> Option<Timestamp> {
        self.judged.filter(|_| self.tried.is_none_or(|tried| tried < self.delivered))
    }

    pub(crate) fn can_be_claimed(&self, window: SignedDuration, now: Timestamp) -> bool {
        self.standing != Standing::Closed && self.delivered + window > now
    }

    pub(super) fn claim(&mut self, now: Timestamp) {
        self.standing = Standing::Closed;
        self.acquired = Some(now);
    }

    /// The session is shown it no longer.
    pub(super) fn lapse(&mut self) {
        if self.is_open() {
            self.standing = Standing::Lapsed;
        }
    }

    pub(crate) fn close(&mut self) {
        self.standing = Standing::Closed;
    }

    /// When a session that is not shown it may be.
    pub(crate) fn again(&self) -> Again {
        match self.standing {
            Standing::Open => Again::Never,
            Standing::Lapsed => self.again,
            Standing::Closed => Again::At(self.delivered),
        }
    }

    /// When the session is shown an open offer again.
    pub(crate) fn next_delivery(&self, policy: &Policy) -> Delivery {
        let comes_again = policy.to == DeclinedTo::Same
            && self.acknowledged_effect(policy) == AcknowledgedEffect::Again
            && policy.times.is_none_or(|times| self.repeats < times);
        match (comes_again, self.judged.is_some()) {
            (_, false) => Delivery::At(self.delivered + policy.patience),
            (true, true) => Delivery::Now,
            (false, true) => Delivery::Not,
        }
    }

    /// When time acts next on an open offer.
    fn due(&self, policy: &Policy) -> Timestamp {
        match self.judged {
            None => self.delivered + policy.patience,
            Some(_) => self.begun + policy.window,
        }
    }

    /// The same of several.
    pub(super) fn first_due<'a>(
        offers: impl Iterator<Item = &'a Self>,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Timestamp> {
        offers.filter(|offer| offer.is_open()).map(|offer| offer.due(policy)).filter(|due| *due > now).min()
    }

    /// Lets time act on an open offer. Says whether others may look at the job now.
    pub(super) fn judge(&mut self, policy: &Policy, now: Timestamp) -> bool {
        if !self.is_open() {
            return false;
        }
        if self.delivered + policy.patience <= now {
            self.judged.get_or_insert(now);
        }
        let judged = self.judged.is_some();
        let end = self.begun + policy.window;
        let acknowledged = self.acknowledged_effect(policy);
        let (again, due) = match (acknowledged, policy.to) {
            (AcknowledgedEffect::NotToSession, _) => (Again::Never, judged || end <= now),
            (AcknowledgedEffect::NotAtAll, _) => (Again::At(end + policy.patience), end <= now),
            (AcknowledgedEffect::Again, DeclinedTo::Never) => return false,
            (AcknowledgedEffect::Again, DeclinedTo::Next) => (Again::At(end), judged || end <= now),
            (AcknowledgedEffect::Again, DeclinedTo::Same) => (Again::At(end + policy.patience), end <= now),
        };
        if due {
            self.judged.get_or_insert(now);
            (self.standing, self.again) = (Standing::Lapsed, again);
        }
        due
    }

    /// What the acknowledgement of this window does, if there was one.
    fn acknowledged_effect(&self, policy: &Policy) -> AcknowledgedEffect {
        match self.acknowledged.is_some_and(|time| time >= self.begun) {
            true => policy.acknowledged,
            false => AcknowledgedEffect::Again,
        }
    }
}

#[cfg(test)]
mod tests;
