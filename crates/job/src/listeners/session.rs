//! What sessions say, and how they end.

use std::time::Duration;

use backoff::{Backoff, Range, between};
use jiff::{SignedDuration, Timestamp};

use super::agent::SessionKey;
use super::effect::{Effect, Fact, Timer, Trigger};
use super::event::{Death, Heard};
use super::patience::Patience;
use super::seat::{Duty, POLL_PERIOD, Seat, Session};
use super::{Listeners, Trouble};

/// An offer this soon after a session opened was waiting for it: more listeners have something to do.
const WAS_WAITING: SignedDuration = SignedDuration::from_secs(5);

/// About forty minutes of silence: a listener beyond the first is not needed.
pub(super) const EMPTY_POLLS: u32 = 50;

/// GitHub's rule about versions may change; whoever changes ours is heard at once.
const VERSION_AGAIN: Range = (Duration::from_secs(600), Duration::from_secs(660));

/// Between two sessions of an agent whose job runs.
const REOPEN: Backoff =
    Backoff::Doubling { first: Duration::from_secs(5), longest: Duration::from_secs(300) };

impl Listeners {
    /// The session that this is about; `None` for one that has ended.
    fn session(&mut self, key: SessionKey) -> Option<&mut Session> {
        let seat = self.seats.get_mut(usize::try_from(key.seat).ok()?)?;
        seat.session().filter(|it| it.number == key.number)
    }

    pub(super) fn listening(&mut self, key: SessionKey, now: Timestamp) {
        let Some(session) = self.session(key) else { return };
        if session.open_since.is_none() {
            self.answered(key, now);
        }
        let Some(session) = self.session(key) else { return };
        session.open_since = Some(now);
        self.rate_limits = 0;
        // Whatever kept sessions from being opened is over.
        self.refused_sessions = Patience::default();
        if matches!(self.trouble, Some(Trouble::SessionRefused(_))) {
            self.trouble = None;
        }
    }

    pub(super) fn empty_poll(&mut self, heard: Heard, now: Timestamp) {
        self.answered(heard.session, now);
        let Some(session) = self.session(heard.session) else { return };
        session.empty_polls = session.empty_polls.saturating_add(1);
        self.rate_limits = 0;
        self.version_served(heard);
        self.leave_if_not_needed(heard.session, now);
    }

    /// GitHub answers its polls. A session that is opened anew in place of a lost one has not shown that.
    pub(super) fn answered(&mut self, key: SessionKey, now: Timestamp) {
        let Some(session) = self.session(key) else { return };
        session.answered = Some(now);
        session.failed_polls = 0;
        if session.duty == Duty::Listen {
            self.poll_error = None;
        }
    }

    pub(super) fn poll_failed(&mut self, key: SessionKey, words: String, now: Timestamp) {
        let Some(session) = self.session(key) else { return };
        session.failed_polls = session.failed_polls.saturating_add(1);
        let (is_first, listens) = (session.failed_polls == 1, session.duty == Duty::Listen);
        let too_old = session.answered.map(|it| it + POLL_PERIOD).filter(|it| is_first && *it > now);
        if listens {
            self.poll_error = Some(words);
            self.effects.extend(too_old.map(|it| Effect::Wake(Timer::Census, it)));
        }
    }

    pub(super) fn offered(&mut self, heard: Heard, now: Timestamp) {
        self.answered(heard.session, now);
        let Some(session) = self.session(heard.session) else { return };
        let listens = session.duty == Duty::Listen;
        if listens {
            session.duty = Duty::Claim;
            session.empty_polls = 0;
            let was_waiting = session.open_since.is_some_and(|it| now.duration_since(it) < WAS_WAITING);
            if was_waiting {
                self.wanted = (self.wanted + 1).min(self.max_listeners);
            }
            self.effects.push(Effect::Offer(heard.session));
        }
        self.version_served(heard);
    }

    pub(super) fn rate_limited(&mut self, key: SessionKey) {
        if self.session(key).is_some() {
            self.rate_limits = self.rate_limits.saturating_add(1);
        }
    }

    fn version_served(&mut self, heard: Heard) {
        if heard.is_current {
            self.version_too_old = None;
        }
    }

    /// The last one never leaves.
    fn leave_if_not_needed(&mut self, key: SessionKey, now: Timestamp) {
        let listening = self.seats.iter().filter(|it| it.is_listening(now)).count();
        let Some(session) = self.session(key) else { return };
        if session.duty != Duty::Listen || session.empty_polls < EMPTY_POLLS || listening < 2 {
            return;
        }
        let agent = session.agent;
        self.effects.push(Effect::Close(key));
        self.wanted = self.wanted.saturating_sub(1).max(1);
        *self.seat_mut(key.seat) = Seat::Standby { agent, fresh: false };
    }

    /// The agent stays good, and the rule is GitHub's to change.
    pub(super) fn version_refused(&mut self, key: SessionKey, words: String, now: Timestamp) {
        let Some(session) = self.session(key) else { return };
        let (duty, agent) = (session.duty, session.agent);
        let is_news = self.version_too_old.is_none();
        self.report(Fact::VersionRefused { words: words.clone(), is_news });
        self.version_too_old = Some(words);
        self.version_pause = true;
        let attempt = u32::try_from(self.last_session).unwrap_or(u32::MAX);
        let again = now + between(VERSION_AGAIN, self.seed, attempt);
        self.effects.push(Effect::Wake(Timer::Version, again));
        match duty {
            Duty::Listen => *self.seat_mut(key.seat) = Seat::Standby { agent, fresh: false },
            Duty::Claim | Duty::Busy => {
                self.dead(key, &Death { why: "version_too_old", words: None }, now);
            }
        }
    }

    /// The record is of no use any more. One that had listened is replaced at once; one that never did may have died of
    /// what the next one would die of, too, and waits as a failed registration does. One whose job runs is replaced when
    /// the job is over, and until then it listens again for its cancellation.
    pub(super) fn dead(&mut self, key: SessionKey, death: &Death, now: Timestamp) {
        let Some(session) = self.session(key) else { return };
        let Session { agent, duty, deaths, open_since, .. } = session.clone();
        let why = death.why;
        match duty {
            Duty::Listen if open_since.is_some() => {
                self.report(Fact::Dead { agent, why });
                self.register(key.seat, agent.next_generation(), Some(Trigger::StaleSession), Vec::new());
            }
            Duty::Listen => self.dead_on_arrival(agent, death, now),
            Duty::Claim => *self.seat_mut(key.seat) = Seat::Consumed { agent, deaths: 0 },
            Duty::Busy => {
                self.report(Fact::BusySessionEnded { agent, why });
                let deaths = deaths.saturating_add(1);
                let pause = REOPEN.after(deaths, self.seed.wrapping_add(key.seat.into()));
                self.effects.push(Effect::Wake(Timer::Reopen(agent.id), now + pause));
                *self.seat_mut(key.seat) = Seat::Consumed { agent, deaths };
            }
        }
    }

    /// What is stored of the agent is no registration.
    pub(super) fn unusable(&mut self, key: SessionKey) {
        let Some(session) = self.session(key) else { return };
        let next = session.agent.next_generation();
        self.register(key.seat, next, Some(Trigger::StaleSession), Vec::new());
    }
}
