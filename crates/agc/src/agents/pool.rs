//! The shell around the machine of one group's listeners ([`job::listeners`]): it hears what happens, asks the machine,
//! and does what the machine says.
//!
//! It holds what the machine need not know: the registrations, the open sessions, who waits for an answer, and the clock.
//! What takes time is done by tasks that answer into the mailbox.

mod perform;
mod prepare;
mod sessions;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use api::runner_job::AgentRef;
use github::session;
use jiff::{SignedDuration, Timestamp};
pub use job::listeners::Inherited;
use job::listeners::{AgentId, Event, Listeners, Prepared, RunnerId, SessionKey, Ticket, Timer};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::registrar::{RegisterError, Registrar, SharedGroup};
use super::{Agent, Message, PoolHandle};
use crate::jobs::message;
use crate::report::Reporter;
use crate::runner_group::group::Group;
use crate::runner_group::state::GroupStates;
use prepare::Brought;
use sessions::Session;

/// What sessions and tasks say. A storm of a thousand jobs sends each pool a few per job; whoever sends waits.
const MAILBOX: usize = 1024;

/// What a pool works with.
#[derive(Clone)]
pub struct Context {
    /// Registers agents.
    pub registrar: Registrar,
    /// Takes the offers.
    pub dispatcher: mpsc::Sender<message::Message>,
    /// Hears what is known.
    pub states: GroupStates,
    /// Counts.
    pub reporter: Reporter,
}

/// What the pool's own sessions and tasks say.
#[derive(Debug)]
enum Heard {
    Session(SessionKey, session::Event),
    Prepared(u32, Box<Result<Brought, RegisterError>>),
    Cleared(u32),
    Due(Timer),
}

/// The pool of one group.
pub struct Pool {
    group: SharedGroup,
    context: Context,
    messages: mpsc::UnboundedReceiver<Message>,
    mailbox: mpsc::Receiver<Heard>,
    /// For the sessions and tasks.
    sender: mpsc::Sender<Heard>,
    listeners: Listeners,
    /// The registration in each seat.
    agents: HashMap<u32, Agent>,
    sessions: HashMap<SessionKey, Session>,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
    last_ticket: u64,
    /// When the pool started, by both clocks: the machine's time does not jump when the wall clock is set.
    started: (Timestamp, Instant),
}

impl Pool {
    /// Starts the pool's task. It ends when it was drained, or when every handle is gone.
    pub fn start(group: Arc<Group>, inherited: Inherited, context: Context) -> PoolHandle {
        let (handle, messages) = PoolHandle::new();
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let started = (context.registrar.github().clock.now(), Instant::now());
        let (listeners, effects) =
            Listeners::start(group.max_listeners, inherited, group.id.agents().seed(), started.0);
        let pool = Self {
            group,
            context,
            messages,
            mailbox,
            sender,
            listeners,
            agents: HashMap::new(),
            sessions: HashMap::new(),
            waiting: HashMap::new(),
            last_ticket: 0,
            started,
        };
        tokio::spawn(pool.run(effects));
        handle
    }

    async fn run(mut self, first: Vec<job::listeners::Effect>) {
        self.context.reporter.group_introduced(&self.group.id.name);
        let events = self.perform(first).await;
        self.take_all(events).await;
        loop {
            self.publish();
            tokio::select! {
                // Whoever decides about jobs is heard first.
                biased;
                message = self.messages.recv() => match message {
                    None => return,
                    Some(Message::Drain(done)) => {
                        self.drain().await;
                        let _ = done.send(());
                        return;
                    }
                    Some(message) => self.told(message).await,
                },
                Some(heard) = self.mailbox.recv() => self.heard(heard).await,
            }
        }
    }

    async fn told(&mut self, message: Message) {
        let event = match message {
            Message::Configure(group) => Some(self.configure(group)),
            Message::CredentialsBack => Some(Event::CredentialsBack),
            Message::Claimed(agent) => self.agent_id(&agent).map(Event::Claimed),
            Message::Released(agent) => self.agent_id(&agent).map(Event::Released),
            Message::Replace(agent, done) => self.agent_id(&agent).map(|it| self.replace(it, done)),
            Message::Intake(intake) => Some(Event::Intake(intake)),
            Message::VersionChanged => Some(Event::VersionChanged),
            Message::Drain(_) => None, // taken by `run`
        };
        self.take_all(event).await;
    }

    async fn heard(&mut self, heard: Heard) {
        let event = match heard {
            Heard::Session(key, event) => self.session_said(key, event).await,
            Heard::Prepared(seat, outcome) => Some(Event::Prepared(seat, self.brought(seat, *outcome))),
            Heard::Cleared(seat) => Some(Event::Cleared(seat)),
            Heard::Due(timer) => Some(Event::Due(timer)),
        };
        self.take_all(event).await;
    }

    /// Hands events to the machine and does what it says, until nothing more comes of it.
    async fn take_all(&mut self, events: impl IntoIterator<Item = Event>) {
        let mut events: VecDeque<Event> = events.into_iter().collect();
        while let Some(event) = events.pop_front() {
            let effects = self.listeners.handle(event, self.now());
            events.extend(self.perform(effects).await);
        }
    }

    fn configure(&mut self, group: SharedGroup) -> Event {
        let edited = self.group.id.generation != group.id.generation;
        self.group = group;
        let outdated = self.agents.values().filter(|it| !self.fits(it)).map(|it| it.index).collect();
        Event::Configured { max_listeners: self.group.max_listeners, edited, outdated }
    }

    fn replace(&mut self, agent: AgentId, done: oneshot::Sender<()>) -> Event {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.waiting.insert(ticket, done);
        Event::Replace(agent, ticket)
    }

    /// What became of a seat, for the machine; the registration stays here.
    fn brought(&mut self, seat: u32, outcome: Result<Brought, RegisterError>) -> Prepared {
        let (agent, is_new) = match outcome {
            Ok(Brought::Loaded(agent)) => (agent, false),
            Ok(Brought::Registered(agent)) => (agent, true),
            Ok(Brought::Nothing { generation }) => return Prepared::Nothing { generation },
            Err(error) => return prepare::failed(&error),
        };
        let fits = self.fits(&agent);
        let known = agent.known();
        self.agents.insert(seat, agent);
        match is_new {
            true => Prepared::Registered { agent: known, fits },
            false => Prepared::Loaded { agent: known, fits },
        }
    }

    fn fits(&self, agent: &Agent) -> bool {
        agent.labels == self.group.labels
    }

    /// `None` for an agent of another group of that name: nobody here need hear of it.
    fn agent_id(&self, agent: &AgentRef) -> Option<AgentId> {
        let (seat, _) = self.group.id.agents().parse(&agent.name)?;
        Some(AgentId { seat, runner: RunnerId(u64::try_from(agent.runner_id).unwrap_or_default()) })
    }

    fn now(&self) -> Timestamp {
        let (then, instant) = self.started;
        then + SignedDuration::try_from(instant.elapsed()).unwrap_or_default()
    }

    fn publish(&self) {
        let (census, listeners) = (self.listeners.census(self.now()), &self.listeners);
        self.context.states.update(&self.group.id.name, |facts| {
            // A session that is opened to see whether the version is served again is none yet.
            facts.listening = if listeners.version_too_old().is_some() { 0 } else { census.listening };
            facts.opening = census.opening;
            facts.busy = census.busy;
            facts.parked = census.parked;
            facts.is_between = census.is_between;
            facts.poll_error = listeners.poll_error().map(str::to_owned);
            facts.trouble = listeners.trouble().cloned();
            facts.rate_limited = listeners.is_rate_limited();
            facts.version_too_old = listeners.version_too_old().map(str::to_owned);
        });
        self.context.reporter.sessions(&self.group.id.name, census.listening, census.busy);
    }
}
