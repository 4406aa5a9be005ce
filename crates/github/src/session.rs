//! One runner's life at the broker, as a task: it opens a session, polls, hands on what comes, mends
//! what can be mended, and ends with exactly one last event (protocol §4).
//!
//! ```text
//!           ┌────────────── session gone ───────────────┐
//!           ▼                                           │
//!   Opening ── B1 ──▶ Listening ── B2, again and again ─┤── record gone ──▶ Dead
//!      │                  ▲  │                          └── Close ── B4 ──▶ Closed
//!      └─▶ Refused        └──┘ Busy / Idle: the poll in flight is dropped, the next says the new status
//! ```
//!
//! A busy session is how its job hears of a cancellation: it holds on for longer, and takes for the end of its
//! record only what the broker or the token service says in so many words (protocol §4.7).

mod acknowledge;
mod open;
mod poll;
mod task;

use github_proto::SessionId;
use github_proto::broker::{Architecture, RunnerStatus};
use github_proto::message::{JobCancellation, MessageError, RunnerJobRequest};
use runtime::clock::Clock;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Timeouts;
use crate::auth::RunnerAuth;
use crate::client::Client;
pub use acknowledge::{Acknowledgement, acknowledge};
use task::Task;

/// Commands come one at a time; a sender waits for a free place at most as long as one event takes to
/// be handed over.
const COMMANDS: usize = 4;

/// Events a slow consumer may lag behind. A session with a full queue stops polling, so nothing is lost.
const EVENTS: usize = 16;

/// What a session needs.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// To reach the broker.
    pub client: Client,
    /// The runner and its token.
    pub auth: RunnerAuth,
    /// Who holds the session, for people to see at GitHub: the pod's name, say.
    pub owner: String,
    /// The version of the runner that will execute the job.
    pub version: String,
    /// Where the job will run.
    pub architecture: Architecture,
    /// The registration is seconds old, so the token service may not know it yet.
    pub fresh: bool,
    /// What the first poll says: `Busy` for a session that is taken up again while its job runs.
    pub status: RunnerStatus,
    /// Time of day, and chance.
    pub clock: Clock,
    /// Waits.
    pub timeouts: Timeouts,
}

/// What a session can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Listen, but not for jobs: one was claimed, and may be cancelled; or none could be taken now.
    Busy,
    /// Listen for jobs.
    Idle,
    /// Delete the session and end.
    Close,
    /// End without a word to GitHub, for a record that is consumed: GitHub drops its session itself,
    /// and a late deletion could hit a newer one (protocol §4.6).
    Abandon,
}

/// What a session has to say. Whether polls are answered or fail can be told from it. The last three are last words: the
/// channel closes after them.
#[derive(Debug)]
pub enum Event {
    /// A session is open and polling. Comes again when a lost session was replaced.
    Listening,
    /// A job waits to be claimed. The session does not poll until it is told [`Command::Busy`] or [`Command::Idle`], or the
    /// job cannot be claimed any more. GitHub repeats about once a second what nobody claims.
    JobOffered {
        /// The offer.
        offer: RunnerJobRequest,
        /// The session that has it, to [`acknowledge`] it.
        session: SessionId,
    },
    /// A job shall end.
    Cancelled(JobCancellation),
    /// A poll brought nothing.
    EmptyPoll,
    /// A poll brought what asks for nothing here.
    Answered,
    /// A poll, or what it needs, failed, and will be tried again: why, and what was said.
    PollError(PollError, String),
    /// A message of a type we handle was of no use, and was dropped. More in a row that make no sense slow the polls
    /// down; one that is merely not supported does not.
    BadMessage(MessageError),
    /// GitHub does not want this session.
    Refused(Refusal),
    /// The record is of no use any more: register another.
    Dead(Death),
    /// Ended as told.
    Closed,
}

impl Event {
    /// Whether the session ends with this event.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Dead(_) | Self::Closed)
    }
}

/// Why a poll, or what it needs, failed: the label of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PollError {
    /// GitHub asked to wait.
    RateLimited,
    /// No answer at all, as from a black hole.
    Timeout,
    /// Anything else.
    Other,
}

impl PollError {
    /// The word as labels have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::Other => "other",
        }
    }
}

/// Why GitHub does not want a session. Another registration of the same runner version or name may not
/// help, so the reason is told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// GitHub serves this runner version no longer: GitHub's words. The record is as good as it was.
    VersionTooOld(String),
    /// The broker denies this record a session (a policy, a list of allowed addresses): its words.
    Forbidden(String),
    /// The agent has another session, and deleting it did not help: use another agent.
    Conflict,
}

/// Why a record is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Empty successes, at once and in a row: its job is over, or it was removed.
    Hollow,
    /// The token service does not know it, or refuses it.
    NotRegistered,
    /// The broker refuses a fresh token.
    Unauthorized,
    /// The broker does not know the runner, though the token service does.
    NotFound,
    /// The server told the runner to stop.
    Shutdown,
    /// The session was lost, and the configuration forbids to open another.
    SessionLost,
}

impl Death {
    /// The word as log lines have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hollow => "hollow_polls",
            Self::NotRegistered => "not_registered",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Shutdown => "shutdown",
            Self::SessionLost => "session_lost",
        }
    }
}

/// A running session. Dropping it closes the session: the task ends by itself.
#[derive(Debug)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

impl Session {
    /// Starts the task.
    pub fn start(config: SessionConfig) -> Self {
        let (commands, received) = mpsc::channel(COMMANDS);
        let (sent, events) = mpsc::channel(EVENTS);
        let task = tokio::spawn(Task::new(config, received, sent).run());
        Self { commands, events, task }
    }

    /// Hands a command over. A session that has ended takes none, which is no error.
    pub async fn tell(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }

    /// The next event; `None` after the last one.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Splits the session, for an owner that multiplexes many: commands, events, and the task's end.
    pub fn split(self) -> (mpsc::Sender<Command>, mpsc::Receiver<Event>, JoinHandle<()>) {
        (self.commands, self.events, self.task)
    }
}

#[cfg(test)]
mod tests;
