//! The machine of one group's listeners: who listens, who is busy, who is registered next.
//!
//! While the group takes jobs, one idle listener is always there, or on its way. More listen, up to `maxListeners`, while offers come as soon as a
//! listener is ready; one that heard nothing for long leaves again. Each agent has a seat, and runs one job:
//!
//! ```text
//! Unknown ─▶ Preparing ─▶ Standby ─▶ Session: Listen ⇄ Claim ─▶ Busy ─▶ job over ─┬─▶ Preparing (the next generation)
//!               │  ▲                                    └── died ─▶ Consumed       └─▶ Clearing ─▶ Vacant
//!               ▼  └── the pauses are over
//!             Parked
//! ```
//!
//! ```
//! use job::listeners::{Effect, Inherited, Listeners};
//! let now = jiff::Timestamp::UNIX_EPOCH;
//! let (_listeners, effects) = Listeners::start(10, Inherited::default(), 7, now);
//! assert_eq!(effects[0], Effect::Load { seat: 0 }); // somebody must listen
//! ```

use std::collections::BTreeSet;
use std::mem;

use jiff::{SignedDuration, Timestamp};

mod agent;
mod effect;
mod event;
mod listen;
mod patience;
mod prepare;
mod seat;
mod session;

pub use agent::{Agent, AgentId, FIRST_GENERATION, Inherited, RunnerId, SessionKey, Ticket};
pub use effect::{Effect, Fact, Status, Timer, Trigger, Trouble};
pub use event::{Death, Event, Heard, Intake, Prepared};
use patience::Patience;
use seat::Seat;

/// So many 429 in a row, of all sessions together, are no accident.
const SUSTAINED_RATE_LIMIT: u32 = 3;

/// So long nobody may listen before that is news: between a claim and the next session lies a moment that is no trouble.
const SHORT: SignedDuration = SignedDuration::from_secs(10);

/// The listeners of one group.
#[derive(Debug, Clone)]
pub struct Listeners {
    /// Spreads the pauses of groups that fail together.
    seed: u64,
    max_listeners: usize,
    seats: Vec<Seat>,
    inherited: Inherited,
    /// How many should listen.
    wanted: usize,
    /// The number of the last session that was opened.
    last_session: u64,
    intake: Intake,
    draining: bool,
    rate_limits: u32,
    /// With registrations that were refused.
    registrations: Patience,
    /// With agents that were registered and got no session.
    refused_sessions: Patience,
    trouble: Option<Trouble>,
    /// Why the last poll of a session that is to listen failed, until one is answered.
    poll_error: Option<String>,
    /// Since when nobody listens; the start counts.
    nobody_since: Option<Timestamp>,
    /// GitHub's words, until a poll is answered again.
    version_too_old: Option<String>,
    /// Nobody listens until the version is tried again.
    version_pause: bool,
    /// What the event in hand asks for.
    effects: Vec<Effect>,
}

/// How many sessions there are, of which sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// They listen for jobs, and GitHub answers their polls.
    pub listening: usize,
    /// They will listen soon, or again.
    pub opening: usize,
    /// They stay open for the cancellation of a running job.
    pub busy: usize,
    /// Seats whose agent could not be registered.
    pub parked: usize,
    /// Nobody listens, and that only for a moment so far: another session is on its way.
    pub is_between: bool,
}

impl Listeners {
    /// The listeners of a group of which a predecessor left this, and what must be done first.
    #[must_use]
    pub fn start(
        max_listeners: usize,
        inherited: Inherited,
        seed: u64,
        now: Timestamp,
    ) -> (Self, Vec<Effect>) {
        let mut listeners = Self {
            seed,
            max_listeners: max_listeners.max(1),
            seats: Vec::new(),
            inherited,
            wanted: 1,
            last_session: 0,
            intake: Intake::Open,
            draining: false,
            rate_limits: 0,
            registrations: Patience::default(),
            refused_sessions: Patience::default(),
            trouble: None,
            poll_error: None,
            nobody_since: None,
            version_too_old: None,
            version_pause: false,
            effects: Vec::new(),
        };
        for seat in mem::take(&mut listeners.inherited.seats) {
            listeners.load(seat, Vec::new());
        }
        listeners.fill(now);
        listeners.watch_the_time(now);
        let effects = mem::take(&mut listeners.effects);
        (listeners, effects)
    }

    /// Says what must be done about an event. Does none of it.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        if self.draining {
            self.drained(&event);
        } else {
            self.decide(event, now);
            self.fill(now);
            self.watch_the_time(now);
        }
        mem::take(&mut self.effects)
    }

    fn decide(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Configured { max_listeners, edited, outdated } => {
                self.configured(max_listeners, edited, &outdated, now);
            }
            Event::CredentialsBack => self.credentials_back(now),
            Event::Intake(intake) => self.set_intake(intake),
            Event::VersionChanged | Event::Due(Timer::Version) => self.version_pause = false,
            Event::Due(Timer::Census) => {}
            Event::Drain => self.drain(),

            Event::Prepared(seat, prepared) => self.prepared(seat, prepared, now),
            Event::Cleared(seat) => self.cleared(seat),

            Event::Claimed(agent) => self.claimed(agent),
            Event::Released(agent) => self.released(agent),
            Event::Replace(agent, ticket) => self.replace(agent, ticket),
            Event::Due(Timer::Reopen(agent)) => self.reopen(agent),

            Event::Listening(session) => self.listening(session, now),
            Event::EmptyPoll(heard) => self.empty_poll(heard, now),
            Event::Answered(session) => self.answered(session, now),
            Event::PollFailed(session, words) => self.poll_failed(session, words, now),
            Event::Offered(heard) => self.offered(heard, now),
            Event::RateLimited(session) => self.rate_limited(session),
            Event::VersionRefused(session, words) => self.version_refused(session, words, now),
            Event::Dead(session, death) => self.dead(session, &death, now),
            Event::Unusable(session) => self.unusable(session),
        }
    }

    /// How many sessions there are at this time.
    #[must_use]
    pub fn census(&self, now: Timestamp) -> Census {
        let count = |is: fn(&Seat) -> bool| self.seats.iter().filter(|it| is(it)).count();
        let listening = self.seats.iter().filter(|it| it.is_listening(now)).count();
        let opening = count(Seat::is_listener) - listening;
        let recently = |it: Timestamp| now.duration_since(it) < SHORT;
        Census {
            listening,
            opening,
            busy: count(Seat::is_busy),
            parked: count(|it| matches!(it, Seat::Parked { .. })),
            is_between: listening == 0 && opening > 0 && self.nobody_since.is_none_or(recently),
        }
    }

    /// Why there are no agents, or no sessions for them.
    #[must_use]
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Why the last poll of a session that is to listen failed, until one is answered.
    #[must_use]
    pub fn poll_error(&self) -> Option<&str> {
        self.poll_error.as_deref()
    }

    /// Whether polls keep being answered with 429.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.rate_limits >= SUSTAINED_RATE_LIMIT
    }

    /// GitHub's words when it refused the runner version, until a poll is answered again.
    #[must_use]
    pub fn version_too_old(&self) -> Option<&str> {
        self.version_too_old.as_deref()
    }

    fn configured(&mut self, max_listeners: usize, edited: bool, outdated: &BTreeSet<u32>, now: Timestamp) {
        self.max_listeners = max_listeners.max(1);
        self.wanted = self.wanted.min(self.max_listeners);
        if edited {
            self.version_pause = false;
            self.registrations = Patience::default();
            self.refused_sessions = Patience::default();
            self.relabel(outdated);
        }
        self.repair(now);
    }

    /// What failed for want of credentials is tried at once.
    fn credentials_back(&mut self, now: Timestamp) {
        if matches!(self.trouble, Some(Trouble::TokenUnavailable(_))) {
            self.registrations = Patience::default();
            self.refused_sessions = Patience::default();
            self.repair(now);
        }
    }

    /// That nobody listens becomes news with time.
    fn watch_the_time(&mut self, now: Timestamp) {
        if self.draining {
            return;
        }
        if self.seats.iter().any(|it| it.is_listening(now)) {
            self.nobody_since = None;
        } else if self.nobody_since.is_none() {
            self.nobody_since = Some(now);
            self.effects.push(Effect::Wake(Timer::Census, now + SHORT));
        }
    }

    /// Ends every session: those that listen are deleted, those of consumed agents are GitHub's to drop.
    fn drain(&mut self) {
        self.draining = true;
        for seat in mem::take(&mut self.seats) {
            match seat {
                Seat::Session(session) => self.effects.push(session.last_command()),
                Seat::Preparing { waiting, .. } | Seat::Clearing { waiting, .. } => self.answer(waiting),
                _ => {}
            }
        }
    }

    /// What happens after the drain changes nothing; who asks is answered.
    fn drained(&mut self, event: &Event) {
        if let Event::Replace(_, ticket) = event {
            self.answer(vec![*ticket]);
        }
    }

    fn answer(&mut self, waiting: Vec<Ticket>) {
        self.effects.extend(waiting.into_iter().map(Effect::Replaced));
    }

    fn report(&mut self, fact: Fact) {
        self.effects.push(Effect::Report(fact));
    }

    /// The seat with this number; the ones before it come into being as unknown.
    fn seat_mut(&mut self, number: u32) -> &mut Seat {
        let place = number as usize;
        if self.seats.len() <= place {
            self.seats.resize_with(place + 1, || Seat::Unknown);
        }
        &mut self.seats[place]
    }

    /// The seat in which this agent is; `None` for one that is no longer there.
    fn seat_of(&mut self, agent: AgentId) -> Option<&mut Seat> {
        let seat = self.seats.get_mut(usize::try_from(agent.seat).ok()?)?;
        seat.agent().is_some_and(|it| it.id == agent).then_some(seat)
    }
}

#[cfg(test)]
mod tests;
