//! Agents are read or registered when somebody is needed, and replaced when they are used up.

use std::collections::BTreeSet;
use std::mem::{self, discriminant};

use jiff::Timestamp;

use super::agent::{Agent, AgentId, FIRST_GENERATION, Ticket};
use super::effect::{Effect, Fact, Trigger};
use super::event::{Death, Prepared};
use super::patience::{DEAD_ON_ARRIVAL, Patience, REFUSED};
use super::seat::{Duty, Seat, Work};
use super::{Listeners, Trouble};

impl Listeners {
    /// Reads what is stored of this seat; if nothing is, its first agent is registered.
    pub(super) fn load(&mut self, seat: u32, waiting: Vec<Ticket>) {
        *self.seat_mut(seat) = Seat::Preparing { work: Work::Load, waiting };
        self.effects.push(Effect::Load { seat });
    }

    /// Registers another agent for this seat.
    pub(super) fn register(
        &mut self,
        seat: u32,
        generation: u32,
        trigger: Option<Trigger>,
        waiting: Vec<Ticket>,
    ) {
        *self.seat_mut(seat) = Seat::Preparing { work: Work::Register(generation, trigger), waiting };
        self.effects.push(Effect::Register { seat, generation });
    }

    /// The agent of this seat is consumed: another is registered, unless nobody is needed. Then that is written down,
    /// lest the next start take it for one that can listen.
    fn succeed(&mut self, consumed: Agent, trigger: Trigger, waiting: Vec<Ticket>) {
        let (seat, generation) = (consumed.id.seat, consumed.next_generation());
        *self.seat_mut(seat) = Seat::Vacant { generation };
        if !self.has_refilled() {
            return self.register(seat, generation, Some(trigger), waiting);
        }
        *self.seat_mut(seat) = Seat::Clearing { generation, waiting };
        self.effects.push(Effect::Clear { seat, generation });
    }

    pub(super) fn cleared(&mut self, seat: u32) {
        let Some(it) = self.seats.get_mut(seat as usize) else { return };
        if let Seat::Clearing { generation, waiting } = it {
            let waiting = mem::take(waiting);
            *it = Seat::Vacant { generation: *generation };
            self.answer(waiting);
        }
    }

    pub(super) fn prepared(&mut self, seat: u32, prepared: Prepared, now: Timestamp) {
        let Some(Seat::Preparing { work, waiting }) = self.seats.get_mut(seat as usize) else { return };
        let (work, waiting) = (*work, mem::take(waiting));
        match (prepared, work) {
            (Prepared::Loaded { agent, fits }, _) => {
                self.well();
                self.loaded(agent, fits, waiting); // answered there, or when the agent is replaced
            }
            (Prepared::Nothing { generation }, _) => {
                // One that is not the first follows one that was consumed.
                let trigger = (generation > FIRST_GENERATION).then_some(Trigger::Startup);
                self.register(seat, generation, trigger, waiting);
            }
            (Prepared::Registered { agent, fits }, work) => {
                self.well();
                let trigger = if let Work::Register(_, trigger) = work { trigger } else { None };
                self.report(Fact::Registered { agent, trigger });
                self.stand_by(agent, fits, true, waiting);
            }
            (Prepared::Failed(trouble), work) => {
                let generation =
                    if let Work::Register(generation, _) = work { generation } else { FIRST_GENERATION };
                self.not_prepared(seat, trouble, generation, now);
                self.answer(waiting);
            }
            (Prepared::Foreign(words), _) => {
                self.report(Fact::SeatTaken { seat, words });
                *self.seat_mut(seat) = Seat::Foreign;
                self.answer(waiting);
            }
        }
    }

    /// What our predecessor left decides what the agent is good for.
    fn loaded(&mut self, agent: Agent, fits: bool, waiting: Vec<Ticket>) {
        let runner = agent.id.runner;
        if self.inherited.consumed.remove(&runner) {
            return self.succeed(agent, Trigger::Startup, waiting);
        }
        if self.inherited.busy.remove(&runner) {
            self.answer(waiting);
            return self.open(agent, false, Duty::Busy, 0);
        }
        if self.inherited.reserved.remove(&runner) {
            self.answer(waiting);
            *self.seat_mut(agent.id.seat) = Seat::Reserved(agent);
            return;
        }
        self.stand_by(agent, fits, false, waiting);
    }

    fn stand_by(&mut self, agent: Agent, fits: bool, fresh: bool, waiting: Vec<Ticket>) {
        if !fits {
            return self.discard(agent, waiting);
        }
        self.answer(waiting);
        *self.seat_mut(agent.id.seat) = Seat::Standby { agent, fresh };
    }

    /// The agent was registered with labels that the group no longer has: nobody would choose it.
    fn discard(&mut self, agent: Agent, waiting: Vec<Ticket>) {
        self.report(Fact::LabelsDiffer(agent));
        self.register(agent.id.seat, agent.next_generation(), Some(Trigger::ReconcileRepair), waiting);
        self.effects.push(Effect::Discard(agent));
    }

    /// An agent that was registered and for which no session was opened. Its cause may lie behind the registration, so
    /// another is not registered before a pause that grows, and this one leaves no record.
    pub(super) fn dead_on_arrival(&mut self, agent: Agent, death: &Death, now: Timestamp) {
        let words = death.words.as_ref().map_or_else(String::new, |it| format!(": {it}"));
        self.in_trouble(
            agent.id.seat,
            Trouble::SessionRefused(format!(
                "GitHub registers runners, but opens no session for them: {}{words}",
                death.why
            )),
        );
        self.refused_sessions.failed(DEAD_ON_ARRIVAL, self.seed, now);
        *self.seat_mut(agent.id.seat) = Seat::Parked { generation: agent.next_generation() };
        self.effects.push(Effect::Discard(agent));
    }

    /// After an edit: agents that wait for work get the labels that the group has now.
    pub(super) fn relabel(&mut self, outdated: &BTreeSet<u32>) {
        for seat in outdated {
            let Some(it) = self.seats.get(*seat as usize) else { continue };
            match it {
                Seat::Session(session) if session.duty == Duty::Listen => {
                    let (key, agent) = (session.key(), session.agent);
                    self.effects.push(Effect::Close(key));
                    self.discard(agent, Vec::new());
                }
                Seat::Standby { agent, .. } => self.discard(*agent, Vec::new()),
                _ => {}
            }
        }
    }

    /// An agent is registered. That sessions are refused is another matter.
    fn well(&mut self) {
        if !matches!(self.trouble, Some(Trouble::SessionRefused(_))) {
            self.trouble = None;
        }
        self.registrations = Patience::default();
    }

    fn not_prepared(&mut self, seat: u32, trouble: Trouble, generation: u32, now: Timestamp) {
        self.in_trouble(seat, trouble);
        self.registrations.failed(REFUSED, self.seed, now);
        *self.seat_mut(seat) = Seat::Parked { generation };
    }

    /// Each sort of trouble is news once, not at each try.
    fn in_trouble(&mut self, seat: u32, trouble: Trouble) {
        let is_news = self.trouble.as_ref().map(discriminant) != Some(discriminant(&trouble));
        self.report(Fact::NoAgent { seat, trouble: trouble.clone(), is_news });
        self.trouble = Some(trouble);
    }

    /// Tries again what could not be registered.
    pub(super) fn repair(&mut self, now: Timestamp) {
        if !self.registrations.is_over(now) || !self.refused_sessions.is_over(now) {
            return;
        }
        for seat in 0..self.seats.len() as u32 {
            match *self.seat_mut(seat) {
                // Its Secret may not have been read at all.
                Seat::Parked { generation: FIRST_GENERATION } => self.load(seat, Vec::new()),
                Seat::Parked { generation } => {
                    self.register(seat, generation, Some(Trigger::ReconcileRepair), Vec::new());
                }
                _ => {}
            }
        }
    }

    /// The agent's job is over.
    pub(super) fn replace(&mut self, consumed: AgentId, ticket: Ticket) {
        match self.seat_mut(consumed.seat) {
            Seat::Unknown => {
                self.inherited.consumed.insert(consumed.runner);
                self.load(consumed.seat, vec![ticket]);
            }
            Seat::Preparing { work, waiting } => {
                let may_be_read = *work == Work::Load;
                waiting.push(ticket);
                if may_be_read {
                    self.inherited.consumed.insert(consumed.runner);
                }
            }
            Seat::Clearing { waiting, .. } => waiting.push(ticket),
            // It may be the consumed one that could not be read.
            Seat::Parked { generation: FIRST_GENERATION } => {
                self.inherited.consumed.insert(consumed.runner);
                self.answer(vec![ticket]);
            }
            seat => match seat.agent().copied().filter(|it| it.id == consumed) {
                Some(agent) => {
                    let session = seat.session().map(|it| it.key());
                    // GitHub drops the session of a consumed record itself.
                    self.effects.extend(session.map(Effect::Abandon));
                    self.succeed(agent, Trigger::PostJob, vec![ticket]);
                }
                None => self.answer(vec![ticket]),
            },
        }
    }
}
