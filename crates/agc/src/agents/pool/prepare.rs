//! Agents are read or registered when somebody is needed, and replaced when they are used up.

use std::mem;
use std::time::Duration;

use api::runner_job::AgentRef;
use github::app::AppError;
use github_proto::rest::RestErrorKind;
use runtime::backoff::Backoff;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Message, Pool, PreparedAgent, runner_id};
use crate::agents::registrar::{RegisterError, Stored};
use crate::agents::slot::{Duty, Prepared, Slot};
use crate::agents::{Agent, Trigger};
use crate::board::Trouble;

/// A registration that is refused is asked for again by the passes of the group's controller, less and less often.
const REFUSED: Backoff =
    Backoff::Doubling { first: Duration::from_secs(5), longest: Duration::from_secs(60) };

/// A runner that is registered in vain costs a record at GitHub each time: the pauses grow further.
const DEAD_ON_ARRIVAL: Backoff =
    Backoff::Doubling { first: Duration::from_secs(5), longest: Duration::from_secs(300) };

/// When to try again what could not be registered.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
    until: Option<Instant>,
}

impl Patience {
    fn failed(&mut self, backoff: Backoff) {
        self.failures = self.failures.saturating_add(1);
        self.until = Some(Instant::now() + backoff.after(self.failures, 0));
    }

    pub(super) fn is_over(&self) -> bool {
        self.until.is_none_or(|it| Instant::now() >= it)
    }
}

/// Agents are numbered from here.
const FIRST_GENERATION: u32 = 1;

impl Pool {
    /// Reads what is stored of this place, or registers its first agent.
    pub(super) fn load(&mut self, index: u32, waiting: Vec<oneshot::Sender<()>>) {
        *self.place(index) = Slot::Preparing(waiting);
        let registrar = self.context.registrar.clone();
        let group = self.group.clone();
        self.prepare(index, FIRST_GENERATION, async move {
            match registrar.load(&group, index).await? {
                Stored::Agent(agent) => Ok(Prepared::Loaded(agent)),
                Stored::Nothing => {
                    let agent = registrar.register(&group, index, FIRST_GENERATION).await?;
                    Ok(Prepared::Registered(agent, None))
                }
            }
        });
    }

    /// Registers another agent for this place.
    pub(super) fn register(
        &mut self,
        index: u32,
        generation: u32,
        trigger: Trigger,
        waiting: Vec<oneshot::Sender<()>>,
    ) {
        *self.place(index) = Slot::Preparing(waiting);
        let registrar = self.context.registrar.clone();
        let group = self.group.clone();
        self.prepare(index, generation, async move {
            let agent = registrar.register(&group, index, generation).await?;
            Ok(Prepared::Registered(agent, Some(trigger)))
        });
    }

    fn prepare(
        &self,
        index: u32,
        generation: u32,
        work: impl Future<Output = Result<Prepared, RegisterError>> + Send + 'static,
    ) {
        let Some(mailbox) = self.handle.upgrade() else { return };
        tokio::spawn(async move {
            let outcome = Box::new(work.await.map(PreparedAgent));
            // Nobody listens any more when the pool has ended: then nobody needs the agent.
            let _ = mailbox.send(Message::Prepared(index, outcome, generation)).await;
        });
    }

    pub(super) fn prepared(
        &mut self,
        index: u32,
        outcome: Result<PreparedAgent, RegisterError>,
        generation: u32,
    ) {
        let slot = mem::replace(self.place(index), Slot::Unknown);
        let Slot::Preparing(waiting) = slot else {
            *self.place(index) = slot;
            return;
        };
        match outcome {
            Ok(PreparedAgent(Prepared::Loaded(agent))) => {
                self.well();
                self.loaded(agent, waiting);
                return; // answered there, or when the agent is replaced
            }
            Ok(PreparedAgent(Prepared::Registered(agent, trigger))) => {
                self.well();
                self.count_recycle(trigger);
                tracing::debug!(agent = agent.name, runner_id = agent.runner_id.0, "registered");
                if agent.labels != self.group.labels {
                    return self.discard(agent, waiting);
                }
                *self.place(index) = Slot::Standby { agent, fresh: true };
            }
            Err(error) => self.not_prepared(index, &error, generation),
        }
        answer(waiting);
    }

    /// What our predecessor left decides what the agent is good for.
    fn loaded(&mut self, agent: Agent, waiting: Vec<oneshot::Sender<()>>) {
        let index = agent.index;
        if self.inherited.consumed.remove(&agent.runner_id) {
            let next = agent.generation.saturating_add(1);
            return self.register(index, next, Trigger::Startup, waiting);
        }
        if self.inherited.busy.remove(&agent.runner_id) {
            answer(waiting);
            return self.open(agent, false, Duty::Busy, 0);
        }
        if self.inherited.reserved.remove(&agent.runner_id) {
            answer(waiting);
            *self.place(index) = Slot::Reserved(agent);
            return;
        }
        if agent.labels != self.group.labels {
            return self.discard(agent, waiting);
        }
        answer(waiting);
        *self.place(index) = Slot::Standby { agent, fresh: false };
    }

    /// The agent was registered with labels that the group no longer has: nobody would choose it.
    fn discard(&mut self, agent: Agent, waiting: Vec<oneshot::Sender<()>>) {
        tracing::info!(agent = agent.name, "an agent has other labels than its group: registering another");
        let next = agent.generation.saturating_add(1);
        self.register(agent.index, next, Trigger::ReconcileRepair, waiting);
        self.forget(agent);
    }

    /// Deletes a record at GitHub that nobody will connect with again. GitHub forgets it in a day; sooner is tidier.
    fn forget(&self, agent: Agent) {
        let registrar = self.context.registrar.clone();
        tokio::spawn(async move { registrar.leave_no_record(agent.runner_id, &agent.name).await });
    }

    /// A session was opened: whatever kept them from it is over.
    pub(super) fn session_opened(&mut self) {
        self.refused_sessions = Patience::default();
        if matches!(self.trouble, Some(Trouble::SessionRefused(_))) {
            self.trouble = None;
        }
    }

    /// An agent that was registered and for which no session was opened. Its cause may lie behind the registration, so
    /// another is not registered before a pause that grows, and this one leaves no record.
    pub(super) fn dead_on_arrival(&mut self, agent: Agent, why: &str, words: Option<String>) {
        self.count_recycle_error();
        let words = words.map_or_else(|| why.to_owned(), |it| format!("{why}: {it}"));
        let trouble = Trouble::SessionRefused(format!(
            "GitHub registers runners, but opens no session for them: {words}"
        ));
        self.say(agent.index, &trouble);
        self.trouble = Some(trouble);
        self.refused_sessions.failed(DEAD_ON_ARRIVAL);
        *self.place(agent.index) = Slot::Parked { generation: agent.generation.saturating_add(1) };
        self.forget(agent);
    }

    /// After an edit: agents that wait for work get the labels that the group has now.
    pub(super) async fn relabel(&mut self) {
        for place in 0..self.slots.len() {
            let is_idle = match &self.slots[place] {
                Slot::Standby { agent, .. } => agent.labels != self.group.labels,
                Slot::Session(session) => {
                    session.duty == Duty::Listen && session.agent.labels != self.group.labels
                }
                _ => false,
            };
            if !is_idle {
                continue;
            }
            match mem::replace(&mut self.slots[place], Slot::Unknown) {
                Slot::Session(session) => {
                    let _ = session.commands.send(github::session::Command::Close).await;
                    self.discard(session.agent, Vec::new());
                }
                Slot::Standby { agent, .. } => self.discard(agent, Vec::new()),
                other => self.slots[place] = other,
            }
        }
    }

    /// An agent is registered. That sessions are refused is another matter.
    fn well(&mut self) {
        if !matches!(self.trouble, Some(Trouble::SessionRefused(_))) {
            self.trouble = None;
        }
        self.patience = Patience::default();
    }

    fn not_prepared(&mut self, index: u32, error: &RegisterError, generation: u32) {
        let error_text = operator::describe(error).to_string();
        self.count_recycle_error();
        if matches!(error, RegisterError::NameConflict { .. }) {
            tracing::warn!(runner_group = self.group.name, index, error = error_text, "no agent");
            *self.place(index) = Slot::Foreign;
            return;
        }
        let trouble = trouble(error, error_text);
        self.say(index, &trouble);
        self.trouble = Some(trouble);
        self.patience.failed(REFUSED);
        *self.place(index) = Slot::Parked { generation };
    }

    /// Each sort of trouble is said once, not at each try; of missing credentials whoever fetches the token speaks.
    fn say(&self, index: u32, trouble: &Trouble) {
        let group = self.group.name.as_str();
        let known =
            self.trouble.as_ref().map(std::mem::discriminant) == Some(std::mem::discriminant(trouble));
        if known || matches!(trouble, Trouble::TokenUnavailable(_)) {
            tracing::debug!(runner_group = group, index, error = trouble.words(), "no agent");
        } else {
            tracing::warn!(runner_group = group, index, error = trouble.words(), "no agent");
        }
    }

    /// Tries again what could not be registered.
    pub(super) fn repair(&mut self) {
        if !self.patience.is_over() || !self.refused_sessions.is_over() {
            return;
        }
        for index in 0..self.slots.len() {
            let Slot::Parked { generation } = self.slots[index] else { continue };
            let index = index as u32;
            match generation {
                // Its Secret may not have been read at all.
                FIRST_GENERATION => self.load(index, Vec::new()),
                _ => self.register(index, generation, Trigger::ReconcileRepair, Vec::new()),
            }
        }
    }

    /// The agent's job is over. Answers when its place has another agent, or waits for the group's next pass.
    pub(super) async fn replace(&mut self, consumed: &AgentRef, done: oneshot::Sender<()>) {
        let Some((index, _)) = self.group.agents().parse(&consumed.name) else {
            let _ = done.send(()); // an agent of another group of that name
            return;
        };
        match mem::replace(self.place(index), Slot::Unknown) {
            Slot::Unknown => {
                self.inherited.consumed.insert(runner_id(consumed));
                self.load(index, vec![done]);
            }
            Slot::Preparing(mut waiting) => {
                // It may be the consumed one that is being read.
                self.inherited.consumed.insert(runner_id(consumed));
                waiting.push(done);
                *self.place(index) = Slot::Preparing(waiting);
            }
            slot => match slot.agent() {
                Some(agent) if agent.runner_id == runner_id(consumed) => {
                    let next = agent.generation.saturating_add(1);
                    abandon(slot).await;
                    self.register(index, next, Trigger::PostJob, vec![done]);
                }
                _ => {
                    *self.place(index) = slot;
                    let _ = done.send(());
                }
            },
        }
    }

    fn count_recycle_error(&self) {
        self.context.reporter.agent_not_recycled(&self.group.name);
    }

    fn count_recycle(&self, trigger: Option<Trigger>) {
        if let Some(trigger) = trigger {
            self.context.reporter.agent_recycled(&self.group.name, trigger);
        }
    }
}

/// GitHub drops the session of a consumed record itself.
async fn abandon(slot: Slot) {
    if let Slot::Session(session) = slot {
        let _ = session.commands.send(github::session::Command::Abandon).await;
    }
}

fn answer(waiting: Vec<oneshot::Sender<()>>) {
    for it in waiting {
        let _ = it.send(()); // who does not wait any more needs no answer
    }
}

fn trouble(error: &RegisterError, text: String) -> Trouble {
    match (error, error.kind()) {
        (_, Some(RestErrorKind::Unprocessable)) => Trouble::LabelsRefused(text),
        (_, Some(RestErrorKind::NotFound | RestErrorKind::Forbidden)) => Trouble::RunnerGroupNotFound(text),
        (_, Some(RestErrorKind::Unauthorized)) | (RegisterError::GitHub(AppError::Token(_)), _) => {
            Trouble::TokenUnavailable(text)
        }
        _ => Trouble::Other(text),
    }
}
