//! Does what the machine says.

use github::session::Command;
use jiff::Timestamp;
use job::listeners::{Effect, Event, Status, Ticket, Timer};

use super::{Heard, Pool};

impl Pool {
    /// Does it all, in order. What fails on the spot is another event.
    pub(super) async fn perform(&mut self, effects: Vec<Effect>) -> Vec<Event> {
        let mut events = Vec::new();
        for effect in effects {
            match effect {
                Effect::Load { seat } => self.load(seat),
                Effect::Register { seat, generation } => self.register(seat, generation),
                Effect::Clear { seat, generation } => self.clear(seat, generation),
                Effect::Discard(agent) => self.discard(agent),
                Effect::Open { session, fresh, status } => events.extend(self.open(session, fresh, status)),
                Effect::SetStatus(session, Status::Online) => self.command(session, Command::Idle).await,
                Effect::SetStatus(session, Status::Busy) => self.command(session, Command::Busy).await,
                Effect::Close(session) => drop(self.end(session, Command::Close).await),
                Effect::Abandon(session) => drop(self.end(session, Command::Abandon).await),
                Effect::Offer(session) => self.offer(session).await,
                Effect::Replaced(ticket) => self.answer(ticket),
                Effect::Wake(timer, at) => self.wake(timer, at),
                Effect::Report(fact) => self.context.reporter.agents(&self.group.id, &fact),
            }
        }
        events
    }

    fn answer(&mut self, ticket: Ticket) {
        if let Some(waiting) = self.waiting.remove(&ticket) {
            let _ = waiting.send(()); // who does not wait any more needs no answer
        }
    }

    fn wake(&self, timer: Timer, at: Timestamp) {
        let (mailbox, pause) = (self.sender.clone(), at.duration_since(self.now()));
        tokio::spawn(async move {
            tokio::time::sleep(pause.try_into().unwrap_or_default()).await;
            let _ = mailbox.send(Heard::Due(timer)).await; // a pool that has ended needs no reminder
        });
    }
}
