//! Who listens: how many, opening sessions for them, and what becomes of one whose job is claimed or not.

use jiff::Timestamp;

use super::Listeners;
use super::agent::{Agent, AgentId, SessionKey};
use super::effect::{Effect, Status, Trigger};
use super::event::Intake;
use super::seat::{Duty, Seat, Session};

impl Listeners {
    /// Starts listeners until there are as many as wanted, counting those on their way.
    pub(super) fn fill(&mut self, now: Timestamp) {
        if self.draining || self.version_pause || self.intake == Intake::Closed {
            return;
        }
        while self.seats.iter().filter(|it| it.is_listener()).count() < self.wanted {
            if !self.seat_one(now) {
                return;
            }
        }
    }

    /// Sets one more listener on its way, with what is nearest at hand; false where that must wait.
    fn seat_one(&mut self, now: Timestamp) -> bool {
        if let Some((agent, fresh)) = self.standby() {
            self.open(agent, fresh, Duty::Listen, 0);
            return true;
        }
        let unknown = self.seats.iter().position(|it| matches!(it, Seat::Unknown));
        // A seat that waits for the next pass is taken instead of another one, or a group that cannot register would
        // grow without end.
        let parked = self.seats.iter().any(|it| matches!(it, Seat::Parked { .. }));
        if parked && (unknown.is_none() || !self.refused_sessions.is_over(now)) {
            return false;
        }
        match (unknown, self.vacant()) {
            (Some(seat), _) => self.load(seat as u32, Vec::new()),
            (None, Some((seat, generation))) => {
                self.register(seat, generation, Some(Trigger::PostJob), Vec::new());
            }
            (None, None) => self.load(self.seats.len() as u32, Vec::new()),
        }
        true
    }

    fn standby(&self) -> Option<(Agent, bool)> {
        self.seats.iter().find_map(|it| match it {
            Seat::Standby { agent, fresh } => Some((*agent, *fresh)),
            _ => None,
        })
    }

    fn vacant(&self) -> Option<(u32, u32)> {
        (0u32..).zip(&self.seats).find_map(|(seat, it)| match it {
            Seat::Vacant { generation } => Some((seat, *generation)),
            _ => None,
        })
    }

    /// Whether so many listen, or could at once, that nobody else need be registered: as many as wanted, and one that
    /// stands by to follow the first of them that claims a job.
    pub(super) fn has_refilled(&self) -> bool {
        let ready = |it: &&Seat| it.is_listener() || matches!(it, Seat::Standby { .. });
        self.seats.iter().filter(ready).count() > self.wanted
    }

    /// Opens a session of the agent, in its seat.
    pub(super) fn open(&mut self, agent: Agent, fresh: bool, duty: Duty, deaths: u32) {
        let status = if duty == Duty::Busy { Status::Busy } else { self.status() };
        self.last_session += 1;
        let session = Session {
            agent,
            number: self.last_session,
            open_since: None,
            answered: None,
            failed_polls: 0,
            empty_polls: 0,
            deaths,
            duty,
        };
        self.effects.push(Effect::Open { session: session.key(), fresh, status });
        *self.seat_mut(agent.id.seat) = Seat::Session(session);
    }

    /// What the sessions that listen say.
    fn status(&self) -> Status {
        if self.intake == Intake::Open { Status::Online } else { Status::Busy }
    }

    /// Tells every session that listens whether to ask for jobs, or to end. One whose offer is being decided about asks
    /// for none until it hears what became of it.
    pub(super) fn set_intake(&mut self, intake: Intake) {
        self.intake = intake;
        let sessions = self.seats.iter_mut().filter_map(Seat::session);
        let listeners: Vec<(SessionKey, Agent)> =
            sessions.filter(|it| it.duty == Duty::Listen).map(|it| (it.key(), it.agent)).collect();
        for (key, agent) in listeners {
            self.listen_or_leave(key, agent);
        }
    }

    /// What a session without an offer does while the group's intake is what it is.
    fn listen_or_leave(&mut self, key: SessionKey, agent: Agent) {
        match self.intake {
            Intake::Open | Intake::Held => self.effects.push(Effect::SetStatus(key, self.status())),
            Intake::Closed => {
                self.effects.push(Effect::Close(key));
                *self.seat_mut(key.seat) = Seat::Standby { agent, fresh: false };
            }
        }
    }

    /// The agent that claimed listens for its job's end only; somebody else must listen for jobs.
    pub(super) fn claimed(&mut self, agent: AgentId) {
        if self.inherited.reserved.remove(&agent.runner) {
            self.inherited.busy.insert(agent.runner); // it is still being read
        }
        let effect = match self.seat_of(agent) {
            Some(Seat::Session(session)) => {
                session.duty = Duty::Busy;
                Effect::SetStatus(session.key(), Status::Busy)
            }
            Some(Seat::Reserved(agent) | Seat::Consumed { agent, .. }) => {
                let agent = *agent;
                return self.open(agent, false, Duty::Busy, 0);
            }
            _ => return,
        };
        self.effects.push(effect);
    }

    /// The agent goes on listening, if anybody does.
    pub(super) fn released(&mut self, agent: AgentId) {
        self.inherited.reserved.remove(&agent.runner);
        match self.seat_of(agent) {
            Some(Seat::Session(session)) if session.duty == Duty::Claim => {
                session.duty = Duty::Listen;
                let (key, agent) = (session.key(), session.agent);
                self.listen_or_leave(key, agent);
            }
            Some(seat @ Seat::Reserved(_)) => {
                if let Some(agent) = seat.agent().copied() {
                    *seat = Seat::Standby { agent, fresh: false };
                }
            }
            // Its session died while it claimed.
            Some(Seat::Consumed { agent: dead, .. }) => {
                let next = dead.next_generation();
                self.register(agent.seat, next, Some(Trigger::StaleSession), Vec::new());
            }
            _ => {}
        }
    }

    /// A busy agent without a session is deaf to the cancellation of its job.
    pub(super) fn reopen(&mut self, agent: AgentId) {
        if let Some(&mut Seat::Consumed { agent, deaths }) = self.seat_of(agent) {
            self.open(agent, false, Duty::Busy, deaths);
        }
    }
}
