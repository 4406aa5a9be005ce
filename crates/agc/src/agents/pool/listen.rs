//! Who listens: opening sessions, hearing what they say, and closing those that are too many.

use std::mem;
use std::time::Duration;

use api::runner_job::AgentRef;
use github::session::{Command, Death, Event, Refusal};
use github_proto::broker::RunnerStatus;
use github_proto::message::{JobCancellation, RunnerJobRequest};
use tokio::time::{Instant, timeout};

use super::{Message, Pool, runner_id};
use crate::agents::slot::{Duty, Session, Slot};
use crate::agents::{Agent, Trigger};
use crate::dispatcher;
use crate::intake::{Credentials, Offer};

/// An offer this soon after a session opened was waiting for it: more listeners have something to do.
const WAS_WAITING: Duration = Duration::from_secs(5);

/// About forty minutes of silence: a listener beyond the first is not needed.
const EMPTY_POLLS: u32 = 50;

/// What closing all sessions may take: they close side by side, each within ten seconds.
const DRAIN: Duration = Duration::from_secs(11);

impl Pool {
    /// Starts listeners until there are as many as wanted, counting those on their way.
    pub(super) fn fill(&mut self) {
        if self.draining || self.version_too_old.is_some() {
            return;
        }
        while self.slots.iter().filter(|it| it.is_listener()).count() < self.wanted {
            if let Some((agent, fresh)) = self.take_standby() {
                self.open(agent, fresh, RunnerStatus::Online, Duty::Listen);
                continue;
            }
            let unknown = self.slots.iter().position(|it| matches!(it, Slot::Unknown));
            // A place that waits for the next pass is taken instead of a new one, or a group that cannot register
            // would grow without end.
            if unknown.is_none() && self.slots.iter().any(|it| matches!(it, Slot::Parked { .. })) {
                return;
            }
            self.load(unknown.unwrap_or(self.slots.len()) as u32, Vec::new());
        }
    }

    fn take_standby(&mut self) -> Option<(Agent, bool)> {
        let slot = self.slots.iter_mut().find(|it| matches!(it, Slot::Standby { .. }))?;
        match mem::replace(slot, Slot::Unknown) {
            Slot::Standby { agent, fresh } => Some((agent, fresh)),
            _ => None,
        }
    }

    pub(super) fn open(&mut self, agent: Agent, fresh: bool, status: RunnerStatus, duty: Duty) {
        let index = agent.index;
        let github = self.context.registrar.github();
        let auth = match github.runner(&agent.jit) {
            Ok(auth) => auth,
            Err(error) => {
                tracing::warn!(agent = agent.name, %error, "a stored registration is of no use");
                let next = agent.generation.saturating_add(1);
                return self.register(index, next, Trigger::StaleSession, Vec::new());
            }
        };
        let (commands, mut events, ended) = github.session(auth.clone(), fresh, status).split();
        self.epoch += 1;
        let epoch = self.epoch;
        if let Some(mailbox) = self.handle.upgrade() {
            tokio::spawn(async move {
                while let Some(event) = events.recv().await {
                    if mailbox.send(Message::Session(index, epoch, event)).await.is_err() {
                        return;
                    }
                }
            });
        }
        *self.place(index) = Slot::Session(Session {
            agent,
            auth,
            commands,
            ended,
            epoch,
            open_since: None,
            empty_polls: 0,
            duty,
        });
    }

    pub(super) async fn session_event(&mut self, index: u32, epoch: u64, event: Event) {
        let Some(session) = self.place(index).session().filter(|it| it.epoch == epoch) else { return };
        match event {
            Event::Listening => {
                session.open_since = Some(Instant::now());
                self.rate_limits = 0;
            }
            Event::EmptyPoll => {
                session.empty_polls += 1;
                self.rate_limits = 0;
                self.leave_if_not_needed(index).await;
            }
            Event::JobOffered { offer, repeated: _ } => self.offered(index, offer).await,
            Event::Cancelled(cancellation) => self.cancelled(cancellation).await,
            Event::PollError(error) => {
                let labels = [self.context.namespace.as_str(), error.as_str()];
                self.context.metrics.poll_errors.with_label_values(&labels).inc();
                if error == github::session::PollError::RateLimited {
                    self.rate_limits = self.rate_limits.saturating_add(1);
                }
            }
            Event::BadMessage(error) => {
                self.context.metrics.bad_message(&self.context.namespace, &self.group.name, &error);
            }
            Event::Closed => {}
            Event::Refused(Refusal::VersionTooOld(words)) => {
                let labels = [self.context.namespace.as_str(), "version_too_old"];
                self.context.metrics.acquisition_errors.with_label_values(&labels).inc();
                self.version_too_old = Some(words);
                self.retire(index, |agent| Slot::Standby { agent, fresh: false });
            }
            Event::Refused(Refusal::Conflict) => self.dead(index, "conflict"),
            Event::Dead(death) => self.dead(index, Death::as_str(death)),
        }
    }

    async fn offered(&mut self, index: u32, offer: RunnerJobRequest) {
        let group = self.group.clone();
        let Some(session) = self.place(index).session().filter(|it| it.duty == Duty::Listen) else { return };
        session.duty = Duty::Claim;
        session.empty_polls = 0;
        let was_waiting = session.open_since.is_some_and(|it| it.elapsed() < WAS_WAITING);
        let credentials = Credentials { auth: session.auth.clone(), jit: session.agent.jit.clone() };
        let offer = Offer::new(group, session.agent.reference(), credentials, offer);
        if was_waiting {
            self.wanted = (self.wanted + 1).min(self.group.max_listeners.max(1));
        }
        // The dispatcher ends last; if it has ended, so will we.
        let _ = self.context.dispatcher.send(dispatcher::Message::Offer(Box::new(offer))).await;
    }

    async fn cancelled(&mut self, cancellation: JobCancellation) {
        let message = dispatcher::Message::Cancelled(cancellation.job_id);
        let _ = self.context.dispatcher.send(message).await;
    }

    /// The agent that claimed listens for its job's end only; somebody else must listen for jobs.
    pub(super) async fn claimed(&mut self, agent: &AgentRef) {
        if self.inherited.reserved.remove(&runner_id(agent)) {
            self.inherited.busy.insert(runner_id(agent)); // it is still being read
        }
        let Some((index, slot)) = self.slot(agent) else { return };
        if slot.agent().is_none_or(|it| it.runner_id != runner_id(agent)) {
            return;
        }
        match mem::replace(slot, Slot::Unknown) {
            Slot::Session(mut session) => {
                session.duty = Duty::Busy;
                let _ = session.commands.send(Command::Busy).await;
                *self.place(index) = Slot::Session(session);
            }
            Slot::Reserved(agent) => self.open(agent, false, RunnerStatus::Busy, Duty::Busy),
            other => *slot = other,
        }
    }

    pub(super) fn released(&mut self, agent: &AgentRef) {
        self.inherited.reserved.remove(&runner_id(agent));
        let Some((_, slot)) = self.slot(agent) else { return };
        if slot.agent().is_none_or(|it| it.runner_id != runner_id(agent)) {
            return;
        }
        match mem::replace(slot, Slot::Unknown) {
            Slot::Session(mut session) if session.duty == Duty::Claim => {
                session.duty = Duty::Listen;
                *slot = Slot::Session(session);
            }
            Slot::Reserved(agent) => *slot = Slot::Standby { agent, fresh: false },
            // Its session died while it claimed.
            Slot::Consumed(agent) => {
                let next = agent.generation.saturating_add(1);
                self.register(agent.index, next, Trigger::StaleSession, Vec::new());
            }
            other => *slot = other,
        }
    }

    /// The last one never leaves.
    async fn leave_if_not_needed(&mut self, index: u32) {
        let listening = self.slots.iter().filter(|it| it.is_listening()).count();
        let Some(session) = self.place(index).session() else { return };
        if session.duty != Duty::Listen || session.empty_polls < EMPTY_POLLS || listening < 2 {
            return;
        }
        let _ = session.commands.send(Command::Close).await;
        self.wanted = self.wanted.saturating_sub(1).max(1);
        self.retire(index, |agent| Slot::Standby { agent, fresh: false });
    }

    /// The record is of no use any more. One whose job runs, or has just ended, is replaced when the job is over.
    fn dead(&mut self, index: u32, why: &str) {
        let Some(session) = self.place(index).session() else { return };
        let (duty, generation, agent) = (session.duty, session.agent.generation, session.agent.name.clone());
        if duty == Duty::Listen {
            tracing::info!(agent, why, "an agent is dead: registering another");
            return self.register(index, generation.saturating_add(1), Trigger::StaleSession, Vec::new());
        }
        tracing::debug!(agent, why, "the session of a busy agent ended");
        self.retire(index, Slot::Consumed);
    }

    /// Takes the session off a place.
    fn retire(&mut self, index: u32, then: impl FnOnce(Agent) -> Slot) {
        let slot = self.place(index);
        if let Slot::Session(session) = mem::replace(slot, Slot::Unknown) {
            *slot = then(session.agent);
        }
    }

    /// Deletes every session but those of consumed agents, side by side.
    pub(super) async fn drain(&mut self) {
        self.draining = true;
        let mut ends = Vec::new();
        for slot in &mut self.slots {
            if let Slot::Session(session) = mem::replace(slot, Slot::Unknown) {
                let command = if session.duty == Duty::Listen { Command::Close } else { Command::Abandon };
                let _ = session.commands.send(command).await;
                ends.push(session.ended);
            }
        }
        // A session that hangs on sending an event to us would never end: hear what is said.
        self.mailbox.close();
        let closed = futures::future::join_all(ends);
        let deaf = async { while self.mailbox.recv().await.is_some() {} };
        let _ = timeout(DRAIN, futures::future::join(closed, deaf)).await;
        self.publish();
    }
}
