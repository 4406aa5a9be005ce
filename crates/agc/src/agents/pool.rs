//! The agents of one group: who listens, who is busy, who is registered next.
//!
//! One idle listener is always there, or on its way. More listen, up to `maxListeners`, while offers come as soon as a
//! listener is ready; one that heard nothing for long leaves again. The pool decides and owns; what it decides is done
//! by tasks that answer into its mailbox.

mod listen;
mod prepare;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use api::runner_job::AgentRef;
use github::session;
use github_proto::RunnerId;
use tokio::sync::{mpsc, oneshot};

use super::registrar::{RegisterError, Registrar, SharedGroup};
use super::slot::{Prepared, Slot};
pub use crate::board::Facts;
use crate::board::{Board, Trouble};
use crate::dispatcher;
use crate::group::Group;
use crate::report::Reporter;
use prepare::Patience;

/// Messages of sessions and jobs. A storm of a thousand jobs sends each pool a few per job; whoever sends waits.
const MAILBOX: usize = 1024;

/// So many 429 in a row, of all sessions together, are no accident.
const SUSTAINED_RATE_LIMIT: u32 = 3;

/// What a pool is told.
#[derive(Debug)]
pub enum Message {
    /// The group's spec changed, or its controller made a pass: parked agents are tried again.
    Configure(SharedGroup),
    /// There are credentials again: what failed without them is tried at once.
    CredentialsBack,
    /// A job of this agent is claimed.
    Claimed(AgentRef),
    /// The job that was offered to this agent is not claimed.
    Released(AgentRef),
    /// The job of this agent is over: give its place another agent, then answer.
    Replace(AgentRef, oneshot::Sender<()>),
    /// Whether no job could be taken now: sessions then listen without asking for one.
    Hold(bool),
    /// Stop listening for good, then answer.
    Drain(oneshot::Sender<()>),
    /// The runner version that the group reports has changed, or is to be tried again.
    VersionChanged,
    #[doc(hidden)]
    Reopen(AgentRef),
    #[doc(hidden)]
    Session(u32, u64, session::Event),
    #[doc(hidden)]
    Prepared(u32, Box<Result<PreparedAgent, RegisterError>>, u32),
}

/// What a preparing task brings, opaque to the outside.
#[derive(Debug)]
pub struct PreparedAgent(Prepared);

/// Sends to a pool.
pub type PoolHandle = mpsc::Sender<Message>;

/// What a start found of the agents of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Runners whose job runs.
    pub busy: HashSet<RunnerId>,
    /// Runners of which nobody knows whether their claim was granted.
    pub reserved: HashSet<RunnerId>,
    /// Runners whose job is over.
    pub consumed: HashSet<RunnerId>,
    /// Places of the first two.
    pub indexes: BTreeSet<u32>,
}

/// What a pool works with.
#[derive(Clone)]
pub struct Context {
    /// Registers agents.
    pub registrar: Registrar,
    /// Takes the offers.
    pub dispatcher: mpsc::Sender<dispatcher::Message>,
    /// Hears what is known.
    pub board: Board,
    /// Counts.
    pub reporter: Reporter,
}

/// The pool of one group.
pub struct Pool {
    group: Arc<Group>,
    context: Context,
    mailbox: mpsc::Receiver<Message>,
    /// For the tasks that answer.
    handle: mpsc::WeakSender<Message>,
    slots: Vec<Slot>,
    inherited: Inherited,
    /// How many should listen.
    wanted: usize,
    epoch: u64,
    draining: bool,
    rate_limits: u32,
    patience: Patience,
    /// With agents that were registered and got no session.
    refused_sessions: Patience,
    trouble: Option<Trouble>,
    /// GitHub's words, until a poll is answered again.
    version_too_old: Option<String>,
    /// Nobody listens until the version is tried again.
    version_pause: bool,
    /// No job could be taken now.
    held: bool,
}

impl Pool {
    /// Starts the pool's task. It ends when it was drained, or when every handle is gone.
    pub fn start(group: Arc<Group>, inherited: Inherited, context: Context) -> PoolHandle {
        let (handle, mailbox) = mpsc::channel(MAILBOX);
        let pool = Self {
            group,
            context,
            mailbox,
            handle: handle.downgrade(),
            slots: Vec::new(),
            inherited,
            wanted: 1,
            epoch: 0,
            draining: false,
            rate_limits: 0,
            patience: Patience::default(),
            refused_sessions: Patience::default(),
            trouble: None,
            version_too_old: None,
            version_pause: false,
            held: false,
        };
        tokio::spawn(pool.run());
        handle
    }

    async fn run(mut self) {
        self.context.reporter.group_introduced(&self.group.name);
        for index in std::mem::take(&mut self.inherited.indexes) {
            self.load(index, Vec::new());
        }
        self.fill();
        self.publish();
        while let Some(message) = self.mailbox.recv().await {
            if let Message::Drain(done) = message {
                self.drain().await;
                let _ = done.send(());
                return;
            }
            self.handle(message).await;
            self.fill();
            self.publish();
        }
    }

    async fn handle(&mut self, message: Message) {
        match message {
            Message::Configure(group) => self.configure(group).await,
            Message::CredentialsBack if matches!(self.trouble, Some(Trouble::TokenUnavailable(_))) => {
                self.patience = Patience::default();
                self.refused_sessions = Patience::default();
                self.repair();
            }
            Message::CredentialsBack => {}
            Message::Claimed(agent) => self.claimed(&agent).await,
            Message::Released(agent) => self.released(&agent),
            Message::Replace(agent, done) => self.replace(&agent, done).await,
            Message::Session(index, epoch, event) => self.session_event(index, epoch, event).await,
            Message::VersionChanged => self.version_pause = false,
            Message::Reopen(agent) => self.reopen(&agent),
            Message::Hold(held) => self.hold(held).await,
            Message::Prepared(index, outcome, generation) => self.prepared(index, *outcome, generation),
            Message::Drain(_) => {} // taken by `run`
        }
    }

    async fn configure(&mut self, group: SharedGroup) {
        self.wanted = self.wanted.clamp(1, group.max_listeners.max(1));
        let edited = self.group.generation != group.generation;
        self.group = group;
        if edited {
            self.version_pause = false;
            self.refused_sessions = Patience::default();
            self.patience = Patience::default();
            self.relabel().await;
        }
        self.repair();
    }

    fn slot(&mut self, agent: &AgentRef) -> Option<(u32, &mut Slot)> {
        let (index, _) = self.group.agents().parse(&agent.name)?;
        let place = usize::try_from(index).ok()?;
        let slot = self.slots.get_mut(place)?;
        Some((index, slot))
    }

    /// The slot with this number; the ones before it come into being as unknown.
    fn place(&mut self, index: u32) -> &mut Slot {
        let place = index as usize;
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, || Slot::Unknown);
        }
        &mut self.slots[place]
    }

    fn publish(&self) {
        let listening = self.slots.iter().filter(|it| it.is_listening()).count();
        let opening = self.slots.iter().filter(|it| it.is_listener()).count() - listening;
        let busy = self.slots.iter().filter(|it| it.is_busy()).count();
        let parked = self.slots.iter().filter(|it| matches!(it, Slot::Parked { .. })).count();
        self.context.board.update(&self.group.name, |facts| {
            // A session that is opened to see whether the version is served again is none yet.
            facts.listening = if self.version_too_old.is_some() { 0 } else { listening };
            facts.opening = opening;
            facts.busy = busy;
            facts.parked = parked;
            facts.trouble.clone_from(&self.trouble);
            facts.rate_limited = self.rate_limits >= SUSTAINED_RATE_LIMIT;
            facts.version_too_old.clone_from(&self.version_too_old);
        });
        self.context.reporter.sessions(&self.group.name, listening, busy);
    }
}

fn runner_id(agent: &AgentRef) -> RunnerId {
    RunnerId(u64::try_from(agent.runner_id).unwrap_or_default())
}
