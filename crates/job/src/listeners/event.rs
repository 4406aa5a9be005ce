//! What happens to the listeners of a group. Events say facts: one that is repeated or late changes nothing.

use std::collections::BTreeSet;

use super::agent::{Agent, AgentId, SessionKey, Ticket};
use super::effect::{Timer, Trouble};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The group's controller made a pass: what could not be registered is tried again.
    Configured {
        /// Bound on the sessions that listen.
        max_listeners: usize,
        /// The spec changed.
        edited: bool,
        /// Seats whose agents were registered with other labels than the group has now.
        outdated: BTreeSet<u32>,
    },
    /// There are credentials again.
    CredentialsBack,
    /// Whether the group takes jobs has changed.
    Intake(Intake),
    /// The runner version that the group reports has changed.
    VersionChanged,
    /// Stop listening for good.
    Drain,

    /// [`Effect::Load`](super::Effect::Load) or [`Effect::Register`](super::Effect::Register) ended.
    Prepared(u32, Prepared),
    /// [`Effect::Clear`](super::Effect::Clear) ended.
    Cleared(u32),

    /// A job of this agent is claimed.
    Claimed(AgentId),
    /// The job that was offered to this agent is not claimed.
    Released(AgentId),
    /// The job of this agent is over: its seat is for another one, or for nobody. Is answered when that is written down,
    /// or put off.
    Replace(AgentId, Ticket),
    /// A timer is due.
    Due(Timer),

    /// The session is open and polls. Comes again when a lost one was replaced.
    Listening(SessionKey),
    /// A poll brought nothing.
    EmptyPoll(Heard),
    /// A job waits to be claimed.
    Offered(Heard),
    /// A poll brought what needs no decision here.
    Answered(SessionKey),
    /// A poll was answered with 429: GitHub is there, and has a condition of its own for that.
    RateLimited(SessionKey),
    /// A poll failed, or what it needs: why. It will be tried again.
    PollFailed(SessionKey, String),
    /// GitHub serves the session's runner version no longer, in these words. The session has ended, the agent has not.
    VersionRefused(SessionKey, String),
    /// The agent is of no use any more, and its session has ended.
    Dead(SessionKey, Death),
    /// The agent's credentials cannot be used: no session was opened.
    Unusable(SessionKey),
}

/// Whether a group takes jobs now, and what its sessions do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// It takes jobs: sessions poll `Online`.
    Open,
    /// It takes none, and may again at any moment: sessions listen and poll `Busy`, so that GitHub keeps its jobs queued or
    /// offers them to others.
    Held,
    /// It takes none until something is mended: nobody listens, and agents stand by.
    Closed,
}

/// An answer to a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Whose poll.
    pub session: SessionKey,
    /// The session reports the runner version that the group reports now. An older one, such as that of a running job,
    /// proves nothing of the version.
    pub is_current: bool,
}

/// Why an agent is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// The word for it.
    pub why: &'static str,
    /// What GitHub said.
    pub words: Option<String>,
}

/// What a seat has after it was read, or an agent registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prepared {
    /// An agent that was registered and stored before.
    Loaded {
        /// The agent.
        agent: Agent,
        /// It has the labels of its group.
        fits: bool,
    },
    /// No agent is stored.
    Nothing {
        /// The first generation that may be registered.
        generation: u32,
    },
    /// An agent that was registered and stored now.
    Registered {
        /// The agent.
        agent: Agent,
        /// It has the labels of its group.
        fits: bool,
    },
    /// The seat could not be read, or no agent could be registered.
    Failed(Trouble),
    /// The seat's Secret belongs to somebody else, who is named here.
    Foreign(String),
}
