//! One place for an agent in its group, and how far its agent is.

use github::RunnerAuth;
use github::session::Command;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Agent, Trigger};

/// A place. Places are numbered from 0 and never taken away while the group lives.
#[derive(Debug)]
pub(super) enum Slot {
    /// What is stored of it has not been read.
    Unknown,
    /// Its agent is being read or registered; these wait for the end of that.
    Preparing(Vec<oneshot::Sender<()>>),
    /// Registered, without a session.
    Standby {
        /// The agent.
        agent: Agent,
        /// The registration is seconds old.
        fresh: bool,
    },
    /// With a session.
    Session(Session),
    /// A claim by it was under way when our predecessor ended: it must not listen until that is settled.
    Reserved(Agent),
    /// Its job is claimed, and it has no session.
    Consumed {
        /// The agent.
        agent: Agent,
        /// How often its session has died since it was claimed: the next one waits the longer.
        deaths: u32,
    },
    /// Not registered; the group's next pass tries again from this generation.
    Parked {
        /// The first name to try.
        generation: u32,
    },
    /// Its Secret belongs to somebody else.
    Foreign,
}

/// An open session, or one that is being opened.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) agent: Agent,
    pub(super) auth: RunnerAuth,
    /// The runner version that it reports.
    pub(super) version: String,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) ended: JoinHandle<()>,
    /// Tells the session's events from those of an earlier one in the same place.
    pub(super) epoch: u64,
    /// Since when it is open.
    pub(super) open_since: Option<Instant>,
    /// Empty polls in a row.
    pub(super) empty_polls: u32,
    /// How often a session of this agent has died since it was claimed.
    pub(super) deaths: u32,
    pub(super) duty: Duty,
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Jobs.
    Listen,
    /// A job was offered to it, and is perhaps being claimed.
    Claim,
    /// The cancellation of its job.
    Busy,
}

impl Slot {
    /// The agent, if there is one.
    pub(super) fn agent(&self) -> Option<&Agent> {
        match self {
            Self::Standby { agent, .. } | Self::Reserved(agent) | Self::Consumed { agent, .. } => Some(agent),
            Self::Session(session) => Some(&session.agent),
            Self::Unknown | Self::Preparing(_) | Self::Parked { .. } | Self::Foreign => None,
        }
    }

    /// The session, if there is one.
    pub(super) fn session(&mut self) -> Option<&mut Session> {
        match self {
            Self::Session(session) => Some(session),
            _ => None,
        }
    }

    /// Whether it listens, or will soon.
    pub(super) fn is_listener(&self) -> bool {
        match self {
            Self::Preparing(_) => true,
            Self::Session(session) => session.duty != Duty::Busy,
            _ => false,
        }
    }

    /// Whether it listens now.
    pub(super) fn is_listening(&self) -> bool {
        matches!(self, Self::Session(session) if session.duty != Duty::Busy && session.open_since.is_some())
    }

    /// Whether it waits for the end of a job.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Session(session) if session.duty == Duty::Busy)
    }
}

/// What a task that prepares an agent brings.
#[derive(Debug)]
pub(super) enum Prepared {
    /// A registration that was stored before.
    Loaded(Agent),
    /// A new registration, and why it was made; `None` for the first one of its place.
    Registered(Agent, Option<Trigger>),
}
