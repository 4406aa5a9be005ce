//! Agents are read or registered when somebody is needed, and replaced when they are used up.

use std::mem;

use api::runner_job::AgentRef;
use github::app::AppError;
use github_proto::broker::RunnerStatus;
use github_proto::rest::RestErrorKind;
use tokio::sync::oneshot;

use super::{Message, Pool, PreparedAgent, runner_id};
use crate::agents::registrar::{RegisterError, Stored};
use crate::agents::slot::{Duty, Prepared, Slot};
use crate::agents::{Agent, Trigger};
use crate::board::Trouble;

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
                self.trouble = None;
                self.loaded(agent, waiting);
                return; // answered there, or when the agent is replaced
            }
            Ok(PreparedAgent(Prepared::Registered(agent, trigger))) => {
                self.trouble = None;
                self.count_recycle(trigger);
                tracing::debug!(agent = agent.name, runner_id = agent.runner_id.0, "registered");
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
        answer(waiting);
        if self.inherited.busy.remove(&agent.runner_id) {
            return self.open(agent, false, RunnerStatus::Busy, Duty::Busy);
        }
        let reserved = self.inherited.reserved.remove(&agent.runner_id);
        *self.place(index) =
            if reserved { Slot::Reserved(agent) } else { Slot::Standby { agent, fresh: false } };
    }

    fn not_prepared(&mut self, index: u32, error: &RegisterError, generation: u32) {
        let error_text = runtime::telemetry::chain(error).to_string();
        tracing::warn!(runner_group = self.group.name, index, error = error_text, "no agent");
        let labels = [self.context.namespace.as_str(), self.group.name.as_str()];
        self.context.metrics.agent_recycle_errors.with_label_values(&labels).inc();
        if matches!(error, RegisterError::NameConflict { .. }) {
            *self.place(index) = Slot::Foreign;
            return;
        }
        self.trouble = Some(trouble(error, error_text));
        *self.place(index) = Slot::Parked { generation };
    }

    /// Tries again what could not be registered.
    pub(super) fn repair(&mut self) {
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

    fn count_recycle(&self, trigger: Option<Trigger>) {
        if let Some(trigger) = trigger {
            let labels = [self.context.namespace.as_str(), self.group.name.as_str(), trigger.as_str()];
            self.context.metrics.agent_recycles.with_label_values(&labels).inc();
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
