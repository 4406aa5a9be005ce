//! One seat of a group, and how far its agent is.

use jiff::{SignedDuration, Timestamp};

use super::agent::{Agent, SessionKey, Ticket};
use super::effect::{Effect, Trigger};

/// Polls that failed in a row until a session no longer counts as one that listens.
const FAILED_POLLS: u32 = 2;

/// After a failure a session must have been answered within this time. GitHub holds a poll for 50 s, and its answer is waited
/// for for 55 s.
pub(super) const POLL_PERIOD: SignedDuration = SignedDuration::from_secs(60);

/// A seat. Seats are numbered from 0 and never taken away while the group lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seat {
    /// What is stored of it has not been read.
    Unknown,
    /// Its agent is being read or registered.
    Preparing {
        work: Work,
        /// These wait for the end of that.
        waiting: Vec<Ticket>,
    },
    /// Registered, without a session.
    Standby {
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
        agent: Agent,
        /// How often its session has died since it was claimed: the next one waits the longer.
        deaths: u32,
    },
    /// That its agent is consumed is being written down.
    Clearing {
        /// The first one to register next.
        generation: u32,
        /// These wait for the end of that.
        waiting: Vec<Ticket>,
    },
    /// Its agent is consumed, and no other was needed.
    Vacant {
        /// The first one to register.
        generation: u32,
    },
    /// Not registered; the group's next pass tries again from this generation.
    Parked { generation: u32 },
    /// Its Secret belongs to somebody else.
    Foreign,
}

/// How a seat gets its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// What is stored is read.
    Load,
    /// An agent is registered, from this generation on; a trigger if it is not the first one.
    Register(u32, Option<Trigger>),
}

/// An open session, or one that is being opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) agent: Agent,
    /// Tells it from an earlier one in the same seat.
    pub(super) number: u64,
    /// Since when it is open.
    pub(super) open_since: Option<Timestamp>,
    /// When a poll was last answered, or the session opened.
    pub(super) answered: Option<Timestamp>,
    /// Polls in a row that failed.
    pub(super) failed_polls: u32,
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

impl Session {
    pub(super) fn key(&self) -> SessionKey {
        SessionKey { seat: self.agent.id.seat, number: self.number }
    }

    /// Whether it hears of jobs: it is open, and GitHub answers its polls. One that was offered a job does not poll.
    fn is_listening(&self, now: Timestamp) -> bool {
        let was_answered = || self.answered.is_some_and(|it| now.duration_since(it) < POLL_PERIOD);
        let is_answered = match self.duty {
            Duty::Busy => return false,
            Duty::Claim => true,
            Duty::Listen if self.failed_polls == 0 => true,
            Duty::Listen => self.failed_polls < FAILED_POLLS && was_answered(),
        };
        self.open_since.is_some() && is_answered
    }

    /// How it ends when the group stops listening. GitHub drops the session of an agent that is, or may be, consumed.
    pub(super) fn last_command(&self) -> Effect {
        match self.duty {
            Duty::Listen => Effect::Close(self.key()),
            Duty::Claim | Duty::Busy => Effect::Abandon(self.key()),
        }
    }
}

impl Seat {
    /// The agent, if there is one.
    pub(super) fn agent(&self) -> Option<&Agent> {
        match self {
            Self::Standby { agent, .. } | Self::Reserved(agent) | Self::Consumed { agent, .. } => Some(agent),
            Self::Session(session) => Some(&session.agent),
            Self::Unknown
            | Self::Preparing { .. }
            | Self::Clearing { .. }
            | Self::Vacant { .. }
            | Self::Parked { .. }
            | Self::Foreign => None,
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
            Self::Preparing { .. } => true,
            Self::Session(session) => session.duty != Duty::Busy,
            _ => false,
        }
    }

    /// Whether it listens now.
    pub(super) fn is_listening(&self, now: Timestamp) -> bool {
        matches!(self, Self::Session(session) if session.is_listening(now))
    }

    /// Whether it waits for the end of a job.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Session(session) if session.duty == Duty::Busy)
    }
}
