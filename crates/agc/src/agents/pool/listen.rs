//! Who listens: opening sessions, hearing what they say, and closing those that are too many.

use std::mem;
use std::time::Duration;

use api::runner_job::AgentRef;
use github::session::{Command, Death, Event, Refusal};
use github_proto::SessionId;
use github_proto::broker::RunnerStatus;
use github_proto::message::{JobCancellation, RunnerJobRequest};
use jiff::SignedDuration;
use runtime::backoff::Backoff;
use tokio::time::{Instant, timeout};

use super::{Message, Pool, runner_id};
use crate::agents::slot::{Duty, Session, Slot};
use crate::agents::{Agent, Trigger};
use crate::dispatcher;
use crate::offer::{Credentials, Offer, OfferedTo};

/// An offer this soon after a session opened was waiting for it: more listeners have something to do.
const WAS_WAITING: Duration = Duration::from_secs(5);

/// About forty minutes of silence: a listener beyond the first is not needed.
const EMPTY_POLLS: u32 = 50;

/// GitHub's rule about versions may change; whoever changes ours is heard at once.
const VERSION_AGAIN: Duration = Duration::from_secs(600);

/// Between two sessions of an agent whose job runs.
const REOPEN: Backoff =
    Backoff::Doubling { first: Duration::from_secs(5), longest: Duration::from_secs(300) };

/// What closing all sessions may take: they close side by side, each within ten seconds.
const DRAIN: Duration = Duration::from_secs(11);

impl Pool {
    /// Starts listeners until there are as many as wanted, counting those on their way.
    pub(super) fn fill(&mut self) {
        if self.draining || self.version_pause {
            return;
        }
        while self.slots.iter().filter(|it| it.is_listener()).count() < self.wanted {
            if let Some((agent, fresh)) = self.take_standby() {
                self.open(agent, fresh, Duty::Listen, 0);
                continue;
            }
            let unknown = self.slots.iter().position(|it| matches!(it, Slot::Unknown));
            // A place that waits for the next pass is taken instead of a new one, or a group that cannot register
            // would grow without end.
            let parked = self.slots.iter().any(|it| matches!(it, Slot::Parked { .. }));
            if parked && (unknown.is_none() || !self.refused_sessions.is_over()) {
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

    pub(super) fn open(&mut self, agent: Agent, fresh: bool, duty: Duty, deaths: u32) {
        let status = if duty == Duty::Busy || self.held { RunnerStatus::Busy } else { RunnerStatus::Online };
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
        let version = github.versions.of(&self.group);
        let (commands, mut events, ended) =
            github.session(auth.clone(), version.clone(), fresh, status).split();
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
            version,
            commands,
            ended,
            epoch,
            open_since: None,
            empty_polls: 0,
            deaths,
            duty,
        });
    }

    pub(super) async fn session_event(&mut self, index: u32, epoch: u64, event: Event) {
        let Some(session) = self.place(index).session().filter(|it| it.epoch == epoch) else { return };
        match event {
            Event::Listening => {
                session.open_since = Some(Instant::now());
                self.rate_limits = 0;
                self.session_opened();
            }
            Event::EmptyPoll => {
                session.empty_polls += 1;
                self.rate_limits = 0;
                self.version_served(index);
                self.leave_if_not_needed(index).await;
            }
            Event::JobOffered { offer, session } => {
                self.version_served(index);
                self.offered(index, offer, session).await;
            }
            Event::Cancelled(cancellation) => self.cancelled(cancellation).await,
            Event::PollError(error) => {
                self.context.reporter.poll_failed(error);
                if error == github::session::PollError::RateLimited {
                    self.rate_limits = self.rate_limits.saturating_add(1);
                }
            }
            Event::BadMessage(error) => {
                self.context.reporter.message_dropped(&self.group.name, &error);
            }
            Event::Closed => {}
            Event::Refused(Refusal::VersionTooOld(words)) => {
                self.context.reporter.version_refused();
                self.version_refused(index, words);
            }
            Event::Refused(Refusal::Conflict) => self.dead(index, "conflict", None),
            Event::Refused(Refusal::Forbidden(words)) => self.dead(index, "forbidden", Some(words)),
            Event::Dead(death) => self.dead(index, Death::as_str(death), None),
        }
    }

    async fn offered(&mut self, index: u32, offer: RunnerJobRequest, at: SessionId) {
        let group = self.group.clone();
        let Some(session) = self.place(index).session().filter(|it| it.duty == Duty::Listen) else { return };
        session.duty = Duty::Claim;
        session.empty_polls = 0;
        let was_waiting = session.open_since.is_some_and(|it| it.elapsed() < WAS_WAITING);
        let credentials = Credentials { auth: session.auth.clone(), jit: session.agent.jit.clone() };
        let at = OfferedTo { id: at, version: session.version.clone() };
        let offer = Offer::of_broker(group, session.agent.reference(), credentials, offer, at);
        if was_waiting {
            self.wanted = (self.wanted + 1).min(self.group.max_listeners.max(1));
        }
        // The dispatcher ends last; if it has ended, so will we.
        let _ = self.context.dispatcher.send(dispatcher::Message::Offer(Box::new(offer))).await;
    }

    async fn cancelled(&mut self, cancellation: JobCancellation) {
        let timeout = SignedDuration::try_from(cancellation.timeout).unwrap_or(SignedDuration::MAX);
        let message = dispatcher::Message::Cancelled(cancellation.job_id, timeout);
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
            Slot::Reserved(agent) | Slot::Consumed { agent, .. } => self.open(agent, false, Duty::Busy, 0),
            other => *slot = other,
        }
    }

    /// Tells every session that listens whether to ask for jobs.
    pub(super) async fn hold(&mut self, held: bool) {
        self.held = held;
        let command = if held { Command::Busy } else { Command::Idle };
        for session in self.slots.iter_mut().filter_map(Slot::session) {
            if session.duty != Duty::Busy {
                let _ = session.commands.send(command).await;
            }
        }
    }

    /// A session that is older than the version reported now, such as that of a running job, proves nothing of it.
    fn version_served(&mut self, index: u32) {
        let reported = self.context.registrar.github().versions.of(&self.group);
        if self.place(index).session().is_some_and(|it| it.version == reported) {
            self.version_too_old = None;
        }
    }

    /// GitHub serves this version no longer: the record stays good, and the rule is GitHub's to change.
    fn version_refused(&mut self, index: u32, words: String) {
        if self.version_too_old.is_none() {
            tracing::warn!(runner_group = self.group.name, error = words, "the runner version is refused");
        }
        self.version_too_old = Some(words);
        self.version_pause = true;
        self.send_later(VERSION_AGAIN, Message::VersionChanged);
        match self.place(index).session().map(|it| it.duty) {
            Some(Duty::Listen) => self.retire(index, |agent| Slot::Standby { agent, fresh: false }),
            _ => self.dead(index, "version_too_old", None),
        }
    }

    /// A busy agent without a session is deaf to the cancellation of its job.
    pub(super) fn reopen(&mut self, agent: &AgentRef) {
        let Some((_, slot)) = self.slot(agent) else { return };
        match mem::replace(slot, Slot::Unknown) {
            Slot::Consumed { agent: consumed, deaths } if consumed.runner_id == runner_id(agent) => {
                self.open(consumed, false, Duty::Busy, deaths);
            }
            other => *slot = other,
        }
    }

    fn send_later(&self, after: Duration, message: Message) {
        let mailbox = self.handle.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            if let Some(mailbox) = mailbox.upgrade() {
                let _ = mailbox.send(message).await;
            }
        });
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
            Slot::Consumed { agent, .. } => {
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

    /// The record is of no use any more. One that had listened is replaced at once; one that never did may have died of
    /// what the next one would die of, too, and waits as a failed registration does. One whose job runs is replaced when
    /// the job is over, and until then it listens again for its cancellation.
    fn dead(&mut self, index: u32, why: &str, words: Option<String>) {
        let Some(session) = self.place(index).session() else { return };
        let (duty, agent, deaths) = (session.duty, session.agent.clone(), session.deaths);
        let listened = session.open_since.is_some();
        match duty {
            Duty::Listen if listened => {
                tracing::info!(agent = agent.name, why, "an agent is dead: registering another");
                self.register(index, agent.generation.saturating_add(1), Trigger::StaleSession, Vec::new());
            }
            Duty::Listen => self.dead_on_arrival(agent, why, words),
            Duty::Claim => self.retire(index, |agent| Slot::Consumed { agent, deaths: 0 }),
            Duty::Busy => {
                tracing::debug!(
                    agent = agent.name,
                    why,
                    "the session of a busy agent ended: opening another"
                );
                let pause = REOPEN.after(deaths.saturating_add(1), u64::from(index));
                self.send_later(pause, Message::Reopen(agent.reference()));
                self.retire(index, |agent| Slot::Consumed { agent, deaths: deaths.saturating_add(1) });
            }
        }
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
