//! The life of one job: who is offered it, who claims it, how it ends (protocol §11.1).
//!
//! ```text
//! Blocked ──needs met──► Queued ──acquire──► Claimed ──complete──► Done
//!                        │  ▲ offers lapse    │ not started in time → cancelled
//!                        └──┘                 │ lock lapsed, the first one too → failure
//!                                             │ cancelled, grace over → cancelled
//! any of them ──force──► Done
//! ```

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::offers::{Offer, Policy};
use crate::settings::Timers;

/// How a job, or a run, ended. Ordered from best to worst: the conclusion of a run is its worst job's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Conclusion {
    Skipped,
    Success,
    Cancelled,
    Failure,
}

impl Conclusion {
    /// The word of the REST API, which writes `cancelled`.
    pub(crate) fn rest(self) -> &'static str {
        match self {
            Conclusion::Skipped => "skipped",
            Conclusion::Success => "success",
            Conclusion::Cancelled => "cancelled",
            Conclusion::Failure => "failure",
        }
    }

    /// Reads the word of the REST API.
    pub(crate) fn from_rest(word: &str) -> Option<Self> {
        [Self::Skipped, Self::Success, Self::Cancelled, Self::Failure]
            .into_iter()
            .find(|it| it.rest() == word)
    }
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Phase {
    /// Waits for other jobs.
    Blocked,
    /// Waits for a runner.
    Queued,
    /// Somebody's.
    Claimed(Lock),
    /// Over, for good.
    Done(Conclusion),
}

/// What keeps a claimed job alive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lock {
    pub(crate) until: Timestamp,
    /// Without a start by then the job is cancelled.
    start_by: Timestamp,
    started: bool,
    /// A cancelled job that has not ended by then is ended.
    end_by: Option<Timestamp>,
    /// Time does not act on it any more (protocol §5.4: a run that is green though its job never ended).
    stuck: bool,
}

impl Lock {
    /// How a job ends that time has run out for: by whatever was due first.
    fn end(&self, now: Timestamp) -> Option<Conclusion> {
        if self.stuck {
            return None;
        }
        let unstarted = (!self.started).then_some((self.start_by, Conclusion::Cancelled));
        let cancelled = self.end_by.map(|end_by| (end_by, Conclusion::Cancelled));
        let lapsed = Some((self.until, Conclusion::Failure));
        let due = [cancelled, unstarted, lapsed].into_iter().flatten().filter(|(due, _)| *due <= now);
        due.min_by_key(|(due, _)| *due).map(|(_, conclusion)| conclusion)
    }
}

/// A successful acquire.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    pub(crate) request: Uuid,
    pub(crate) agent: u64,
}

/// Why a claim is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcquireError {
    /// Not offered, not any more, or over: `404`.
    Unknown,
    /// Somebody else's: `409`.
    Taken,
}

/// A claim that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// The job is now the caller's.
    New,
    /// It already was.
    Again,
}

/// The job is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over;

/// The job's life.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Life {
    pub(crate) phase: Phase,
    /// By session.
    pub(crate) offers: BTreeMap<Uuid, Offer>,
    /// The first one owns the job; others are siblings of a fan-out.
    pub(crate) claims: Vec<Claim>,
}

impl Life {
    pub(crate) fn new(blocked: bool) -> Self {
        let phase = if blocked { Phase::Blocked } else { Phase::Queued };
        Self { phase, offers: BTreeMap::new(), claims: Vec::new() }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done(_))
    }

    pub(crate) fn conclusion(&self) -> Option<Conclusion> {
        match self.phase {
            Phase::Done(conclusion) => Some(conclusion),
            _ => None,
        }
    }

    /// How many sessions are shown the job.
    pub(crate) fn open_offers(&self) -> usize {
        self.offers.values().filter(|offer| offer.is_open()).count()
    }

    /// The jobs it waited for are done.
    pub(crate) fn unblock(&mut self) {
        if self.phase == Phase::Blocked {
            self.phase = Phase::Queued;
        }
    }

    /// Shows the job to a session, for the first time or again. `fresh` is the request id of a new offer.
    pub(crate) fn deliver(&mut self, session: Uuid, agent: u64, fresh: Uuid, now: Timestamp) -> Uuid {
        let over = self.is_done();
        let offer = self.offers.entry(session).or_insert_with(|| Offer::new(fresh, agent, now));
        if !over {
            offer.deliver(now);
        }
        offer.request
    }

    /// Takes back what was shown to a session.
    pub(crate) fn withdraw(&mut self, session: Uuid) {
        if let Some(offer) = self.offers.get_mut(&session) {
            offer.close();
        }
    }

    /// Lets time act on the offers. Says whether others may look at the job now.
    pub(crate) fn judge(&mut self, policy: &Policy, now: Timestamp) -> bool {
        let freed = self.offers.values_mut().filter_map(|offer| offer.judge(policy, now).then_some(()));
        freed.count() > 0
    }

    /// The offer of a request to an agent.
    pub(crate) fn offer_mut(&mut self, request: Uuid, agent: u64) -> Option<&mut Offer> {
        self.offers.values_mut().find(|offer| offer.request == request && offer.agent == agent)
    }

    /// `agent` claims what it was offered as `request`.
    pub(crate) fn acquire(
        &mut self,
        request: Uuid,
        agent: u64,
        siblings_claim: bool,
        timers: &Timers,
        now: Timestamp,
    ) -> Result<Acquired, AcquireError> {
        if self.is_done() {
            return Err(AcquireError::Unknown);
        }
        if let Some(claim) = self.claims.iter().find(|claim| claim.request == request) {
            return if claim.agent == agent { Ok(Acquired::Again) } else { Err(AcquireError::Taken) };
        }
        let offers = self.offers.values_mut();
        let mut own = offers.filter(|offer| offer.request == request && offer.agent == agent);
        let Some(offer) = own.next().filter(|offer| offer.can_be_claimed(timers.window(), now)) else {
            return Err(AcquireError::Unknown);
        };
        let sibling = offer.is_open() && siblings_claim;
        match &self.phase {
            Phase::Queued => {
                self.phase = Phase::Claimed(Lock {
                    until: now + timers.lock(),
                    start_by: now + timers.start(),
                    started: false,
                    end_by: None,
                    stuck: false,
                });
            }
            Phase::Claimed(_) if sibling => {}
            _ => return Err(AcquireError::Taken),
        }
        let lapsed = !offer.is_open();
        offer.claim(now);
        if lapsed {
            // The job went to others meanwhile: they are no siblings of a fan-out.
            self.offers.values_mut().for_each(Offer::lapse);
        }
        self.claims.push(Claim { request, agent });
        Ok(Acquired::New)
    }

    /// Extends the lock and says until when.
    pub(crate) fn renew(&mut self, lock: SignedDuration, now: Timestamp) -> Result<Timestamp, Over> {
        match &mut self.phase {
            Phase::Claimed(held) if held.until > now => {
                held.until = now + lock;
                Ok(held.until)
            }
            _ => Err(Over),
        }
    }

    /// A worker shows life.
    pub(crate) fn start(&mut self) {
        if let Phase::Claimed(lock) = &mut self.phase {
            lock.started = true;
        }
    }

    /// Whether a claimed job's worker has shown life; none when it is nobody's.
    pub(crate) fn has_started(&self) -> Option<bool> {
        match &self.phase {
            Phase::Claimed(lock) => Some(lock.started),
            _ => None,
        }
    }

    /// Whether a claimed job was told to end.
    pub(crate) fn is_cancelling(&self) -> bool {
        matches!(&self.phase, Phase::Claimed(lock) if lock.end_by.is_some())
    }

    /// Leaves a claimed job as it is, for good.
    pub(crate) fn stick(&mut self) {
        if let Phase::Claimed(lock) = &mut self.phase {
            lock.stuck = true;
        }
    }

    /// The worker says how it went.
    pub(crate) fn complete(&mut self, conclusion: Conclusion) -> Result<(), Over> {
        match self.phase {
            Phase::Claimed(_) => {
                self.end(conclusion);
                Ok(())
            }
            _ => Err(Over),
        }
    }

    /// A job that is nobody's ends at once, another is given time. Says whether to tell its owner, which is done once.
    pub(crate) fn cancel(&mut self, grace: SignedDuration, now: Timestamp) -> bool {
        match &mut self.phase {
            Phase::Claimed(lock) if lock.end_by.is_none() => {
                lock.end_by = Some(now + grace);
                true
            }
            Phase::Claimed(_) => false,
            Phase::Blocked | Phase::Queued => {
                self.end(Conclusion::Cancelled);
                false
            }
            Phase::Done(_) => false,
        }
    }

    /// Ends an unfinished job at once.
    pub(crate) fn force(&mut self, conclusion: Conclusion) {
        if !self.is_done() {
            self.end(conclusion);
        }
    }

    /// Lets time act. Says whether anything changed that somebody may wait for.
    pub(crate) fn tick(&mut self, timers: &Timers, queued: Timestamp, now: Timestamp) -> bool {
        let end = match &self.phase {
            Phase::Claimed(lock) => lock.end(now),
            Phase::Queued if queued + timers.day() <= now => Some(Conclusion::Failure),
            _ => None,
        };
        if let Some(conclusion) = end {
            self.end(conclusion);
        }
        end.is_some()
    }

    fn end(&mut self, conclusion: Conclusion) {
        self.phase = Phase::Done(conclusion);
        for offer in self.offers.values_mut() {
            offer.close();
        }
    }
}

#[cfg(test)]
mod tests;
