//! What must be done about an event of the listeners.

use jiff::Timestamp;

use super::agent::{Agent, AgentId, SessionKey, Ticket};

/// Something to do. The B and R numbers are those of docs/reference/protocol.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read what is stored of this seat, then send [`Event::Prepared`](super::Event::Prepared).
    Load {
        /// The seat.
        seat: u32,
    },
    /// R3: register an agent for this seat and store it, then send [`Event::Prepared`](super::Event::Prepared).
    Register {
        /// The seat.
        seat: u32,
        /// The first generation whose name to try.
        generation: u32,
    },
    /// Write down that nobody is registered for this seat, whose agent is consumed; then send
    /// [`Event::Cleared`](super::Event::Cleared), whether or not that could be done.
    Clear {
        /// The seat.
        seat: u32,
        /// The first generation that may be registered next.
        generation: u32,
    },
    /// R6: delete the record at GitHub of an agent that nobody will connect with again.
    Discard(Agent),
    /// B1: open a session of the agent in this seat.
    Open {
        /// What to call it.
        session: SessionKey,
        /// The registration is seconds old.
        fresh: bool,
        /// What its first poll says.
        status: Status,
    },
    /// Let its polls say this from now on. A session that was offered a job polls again only when it hears this.
    SetStatus(SessionKey, Status),
    /// B4: delete the session.
    Close(SessionKey),
    /// End the session without a word: GitHub drops it itself.
    Abandon(SessionKey),
    /// Hand the job that was offered to this session to whoever decides about jobs.
    Offer(SessionKey),
    /// Answer an [`Event::Replace`](super::Event::Replace).
    Replaced(Ticket),
    /// Send [`Event::Due`](super::Event::Due) at this time.
    Wake(Timer, Timestamp),
    /// Tell the world.
    Report(Fact),
}

/// What a session's polls say of its runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It asks for a job.
    Online,
    /// It asks for none.
    Busy,
}

/// What the listeners wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// The next session of an agent whose job runs.
    Reopen(AgentId),
    /// The next try of a runner version that was refused.
    Version,
    /// Who listens is a question of time: it is asked again.
    Census,
}

/// What metrics and log lines are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// An agent is registered.
    Registered {
        /// The agent.
        agent: Agent,
        /// Why; `None` for the first one of its seat.
        trigger: Option<Trigger>,
    },
    /// There is no agent for this seat, or none that gets a session.
    NoAgent {
        /// The seat.
        seat: u32,
        /// Why.
        trouble: Trouble,
        /// There was no trouble of this sort before.
        is_news: bool,
    },
    /// The Secret of this seat belongs to somebody else.
    SeatTaken {
        /// The seat.
        seat: u32,
        /// What was said.
        words: String,
    },
    /// An agent has other labels than its group; another one is registered.
    LabelsDiffer(Agent),
    /// An agent that listened is dead; another one is registered.
    Dead {
        /// The agent.
        agent: Agent,
        /// Why.
        why: &'static str,
    },
    /// The session of an agent whose job runs has ended; another one will be opened.
    BusySessionEnded {
        /// The agent.
        agent: Agent,
        /// Why.
        why: &'static str,
    },
    /// GitHub refuses the runner version.
    VersionRefused {
        /// GitHub's words.
        words: String,
        /// It was served before.
        is_news: bool,
    },
}

/// Why an agent got another generation: the label of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Trigger {
    /// Its job is over.
    PostJob,
    /// It was found dead while it listened.
    StaleSession,
    /// It was found consumed at the start.
    Startup,
    /// It could not be registered, and a later pass of the group's controller mended it.
    ReconcileRepair,
}

impl Trigger {
    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a group has no agents, in the words of its `Ready` condition, with what was said.
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Trouble {
    /// GitHub does not take the labels.
    LabelsRefused(String),
    /// GitHub does not know the scope or its runner group, or the App is not allowed there.
    RunnerGroupNotFound(String),
    /// There is no installation token.
    TokenUnavailable(String),
    /// GitHub registers runners, and opens no session for them.
    SessionRefused(String),
    /// Anything else.
    Other(String),
}

impl Trouble {
    /// What was said.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::LabelsRefused(words)
            | Self::RunnerGroupNotFound(words)
            | Self::TokenUnavailable(words)
            | Self::SessionRefused(words)
            | Self::Other(words) => words,
        }
    }
}
