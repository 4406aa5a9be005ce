//! The open sessions: started, heard, told, ended.

use std::time::Duration;

use github::RunnerAuth;
use github::session::{Command, Event as Said, PollError, Refusal};
use github_proto::SessionId;
use github_proto::broker::RunnerStatus;
use github_proto::message::{JobCancellation, RunnerJobRequest};
use jiff::SignedDuration;
use job::listeners::{self, Death, Effect, Event, SessionKey, Status};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Heard, Pool};
use crate::jobs::message;
use crate::jobs::offer::{Credentials, Offer, OfferedTo};

/// What closing all sessions may take: they close side by side, each within ten seconds.
const DRAIN: Duration = Duration::from_secs(11);

/// An open session, or one that is being opened.
pub(super) struct Session {
    auth: RunnerAuth,
    /// The runner version that it reports.
    version: String,
    commands: mpsc::Sender<Command>,
    ended: JoinHandle<()>,
    /// The last job that was offered to it, until that is handed on.
    offered: Option<(RunnerJobRequest, SessionId)>,
}

impl Pool {
    /// Opens a session of the agent in this seat; an event if it has no credentials to do so.
    pub(super) fn open(&mut self, key: SessionKey, fresh: bool, status: Status) -> Option<Event> {
        let Some(agent) = self.agents.get(&key.seat) else { return Some(Event::Unusable(key)) };
        let github = self.context.registrar.github();
        let auth = match github.runner(&agent.jit) {
            Ok(auth) => auth,
            Err(error) => {
                tracing::warn!(agent = agent.name, %error, "failed to read the stored JIT configuration");
                return Some(Event::Unusable(key));
            }
        };
        let status = match status {
            Status::Online => RunnerStatus::Online,
            Status::Busy => RunnerStatus::Busy,
        };
        let version = github.versions.of(&self.group);
        let (commands, mut events, ended) =
            github.session(auth.clone(), version.clone(), fresh, status).split();
        let mailbox = self.sender.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if mailbox.send(Heard::Session(key, event)).await.is_err() {
                    return;
                }
            }
        });
        self.sessions.insert(key, Session { auth, version, commands, ended, offered: None });
        None
    }

    /// What a session says, for the machine; what needs no decision is passed on.
    pub(super) async fn session_said(&mut self, key: SessionKey, said: Said) -> Option<Event> {
        let reported = self.context.registrar.github().versions.of(&self.group);
        let session = self.sessions.get_mut(&key)?;
        let heard = listeners::Heard { session: key, is_current: session.version == reported };
        if said.is_last() {
            self.sessions.remove(&key);
        }
        match said {
            Said::Listening => Some(Event::Listening(key)),
            Said::EmptyPoll => Some(Event::EmptyPoll(heard)),
            Said::JobOffered { offer, session: id } => {
                self.sessions.get_mut(&key)?.offered = Some((offer, id));
                Some(Event::Offered(heard))
            }
            Said::Cancelled(cancellation) => {
                self.cancelled(cancellation).await;
                Some(Event::Answered(key))
            }
            Said::Answered => Some(Event::Answered(key)),
            Said::PollError(error, words) => {
                self.context.reporter.poll_failed(error);
                Some(match error {
                    PollError::RateLimited => Event::RateLimited(key),
                    PollError::Timeout | PollError::Other => Event::PollFailed(key, words),
                })
            }
            Said::BadMessage(error) => {
                self.context.reporter.message_dropped(&self.group.id.name, &error);
                Some(Event::Answered(key))
            }
            Said::Closed => None,
            Said::Refused(Refusal::VersionTooOld(words)) => Some(Event::VersionRefused(key, words)),
            Said::Refused(Refusal::Conflict) => Some(dead(key, "conflict", None)),
            Said::Refused(Refusal::Forbidden(words)) => Some(dead(key, "forbidden", Some(words))),
            Said::Dead(death) => Some(dead(key, death.as_str(), None)),
        }
    }

    async fn cancelled(&self, cancellation: JobCancellation) {
        let timeout = SignedDuration::try_from(cancellation.timeout).unwrap_or(SignedDuration::MAX);
        let message = message::Message::Cancelled(cancellation.job_id, timeout);
        let _ = self.context.dispatcher.send(message).await;
    }

    /// Hands on the job that was offered to this session.
    pub(super) async fn offer(&mut self, key: SessionKey) {
        let (Some(session), Some(agent)) = (self.sessions.get_mut(&key), self.agents.get(&key.seat)) else {
            return;
        };
        let Some((request, id)) = session.offered.take() else { return };
        let credentials = Credentials { auth: session.auth.clone(), jit: agent.jit.clone() };
        let at = OfferedTo { id, version: session.version.clone() };
        let offer = Offer::of_broker(self.group.clone(), agent.reference(), credentials, request, at);
        // The dispatcher ends last; if it has ended, so will we.
        let _ = self.context.dispatcher.send(message::Message::Offer(Box::new(offer))).await;
    }

    /// Tells a session. One that has ended takes no command, which is no error.
    pub(super) async fn command(&self, key: SessionKey, command: Command) {
        if let Some(session) = self.sessions.get(&key) {
            let _ = session.commands.send(command).await;
        }
    }

    /// Tells a session to end. What it still says is of no interest.
    pub(super) async fn end(&mut self, key: SessionKey, command: Command) -> Option<JoinHandle<()>> {
        let session = self.sessions.remove(&key)?;
        let _ = session.commands.send(command).await;
        Some(session.ended)
    }

    /// Ends every session, side by side.
    pub(super) async fn drain(&mut self) {
        self.messages.close();
        let mut ends = Vec::new();
        for effect in self.listeners.handle(Event::Drain, self.now()) {
            match effect {
                Effect::Close(key) => ends.extend(self.end(key, Command::Close).await),
                Effect::Abandon(key) => ends.extend(self.end(key, Command::Abandon).await),
                effect => drop(self.perform(vec![effect]).await),
            }
        }
        // A session that hangs on sending an event to us would never end: hear what is said.
        self.mailbox.close();
        let closed = futures::future::join_all(ends);
        let deaf = async { while self.mailbox.recv().await.is_some() {} };
        let _ = timeout(DRAIN, futures::future::join(closed, deaf)).await;
        self.publish();
    }
}

fn dead(key: SessionKey, why: &'static str, words: Option<String>) -> Event {
    Event::Dead(key, Death { why, words })
}
