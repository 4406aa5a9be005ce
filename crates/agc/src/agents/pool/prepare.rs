//! The tasks that read, register, clear and remove agents.

use github::app::AppError;
use github_proto::RunnerId;
use github_proto::rest::RestErrorKind;
use job::listeners::{self, FIRST_GENERATION, Prepared, Trouble};

use super::{Heard, Pool};
use crate::agents::Agent;
use crate::agents::registrar::{RegisterError, Stored};

/// What a task that prepares an agent brings.
#[derive(Debug)]
pub(super) enum Brought {
    /// A registration that was stored before.
    Loaded(Agent),
    /// None is stored; registrations go on from this generation.
    Nothing { generation: u32 },
    /// A new registration.
    Registered(Agent),
}

impl Pool {
    /// Reads what is stored of this seat.
    pub(super) fn load(&self, seat: u32) {
        let (registrar, group) = (self.context.registrar.clone(), self.group.clone());
        self.prepare(seat, async move {
            Ok(match registrar.load(&group.id, seat).await? {
                Stored::Agent(agent) => Brought::Loaded(agent),
                Stored::Consumed { generation } => Brought::Nothing { generation },
                Stored::Nothing => Brought::Nothing { generation: FIRST_GENERATION },
            })
        });
    }

    /// Registers an agent for this seat.
    pub(super) fn register(&self, seat: u32, generation: u32) {
        let (registrar, group) = (self.context.registrar.clone(), self.group.clone());
        self.prepare(seat, async move {
            Ok(Brought::Registered(registrar.register(&group, seat, generation).await?))
        });
    }

    fn prepare(
        &self,
        seat: u32,
        work: impl Future<Output = Result<Brought, RegisterError>> + Send + 'static,
    ) {
        let mailbox = self.sender.clone();
        tokio::spawn(async move {
            let outcome = Box::new(work.await);
            // Nobody listens any more when the pool has ended: then nobody needs the agent.
            let _ = mailbox.send(Heard::Prepared(seat, outcome)).await;
        });
    }

    /// Writes down that the agent of this seat is consumed. Where that fails the `RunnerJob` says it, while it is kept;
    /// after that a start finds the agent dead.
    pub(super) fn clear(&mut self, seat: u32, generation: u32) {
        self.agents.remove(&seat);
        let (registrar, group, mailbox) =
            (self.context.registrar.clone(), self.group.clone(), self.sender.clone());
        tokio::spawn(async move {
            if let Err(error) = registrar.clear(&group.id, seat, generation).await {
                let error = operator::describe(&error).to_string();
                tracing::warn!(
                    runner_group = group.id.name,
                    seat,
                    error,
                    "failed to mark the agent's Secret as consumed"
                );
            }
            let _ = mailbox.send(Heard::Cleared(seat)).await;
        });
    }

    /// Deletes a record at GitHub that nobody will connect with again. GitHub forgets it in a day; sooner is tidier.
    pub(super) fn discard(&self, agent: listeners::Agent) {
        let registrar = self.context.registrar.clone();
        let name = self.group.id.agents().agent(agent.id.seat, agent.generation);
        let runner = RunnerId(agent.id.runner.0);
        tokio::spawn(async move { registrar.leave_no_record(runner, &name).await });
    }
}

/// Why a seat has no agent.
pub(super) fn failed(error: &RegisterError) -> Prepared {
    let text = operator::describe(error).to_string();
    match (error, error.kind()) {
        (RegisterError::NameConflict { .. }, _) => Prepared::Foreign(text),
        (_, Some(RestErrorKind::Unprocessable)) => Prepared::Failed(Trouble::LabelsRefused(text)),
        (_, Some(RestErrorKind::NotFound | RestErrorKind::Forbidden)) => {
            Prepared::Failed(Trouble::RunnerGroupNotFound(text))
        }
        (_, Some(RestErrorKind::Unauthorized)) | (RegisterError::GitHub(AppError::Token(_)), _) => {
            Prepared::Failed(Trouble::TokenUnavailable(text))
        }
        _ => Prepared::Failed(Trouble::Other(text)),
    }
}
