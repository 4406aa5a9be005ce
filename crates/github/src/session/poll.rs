//! The loop over B2.

use github_proto::RunnerToken;
use github_proto::broker::{self, BrokerError, BrokerErrorKind, Poll, PollQuery, RunnerStatus, Session};
use github_proto::limits::BROKER_BODY;
use github_proto::message::{Message, MessageError};
use http::Response;
use runtime::telemetry::chain;
use tokio::time::{Instant, sleep_until};

use super::open::{dead, reason, refused};
use super::task::{End, Task, Wake};
use super::{Death, Event, PollError, Refusal, SessionConfig};
use crate::client::{self, Deadline};

/// What a row of polls remembers.
#[derive(Default)]
struct Row {
    /// Hollow answers since the last real one.
    hollow: u32,
    /// A token was refused since the last good answer: another refusal is final.
    unauthorized: bool,
    /// The next poll starts no sooner.
    floor: Option<Instant>,
}

impl Task {
    /// Polls until the session is lost (`Ok`) or everything is over (`Err`).
    pub(super) async fn listen(&mut self, session: &Session) -> Result<(), End> {
        let mut row = Row::default();
        loop {
            if let Some(floor) = row.floor {
                self.until_end(sleep_until(floor)).await?;
            }
            let token = self.token().await?;
            let begin = Instant::now();
            row.floor = Some(begin + self.config.timeouts.poll_floor);
            let reply = match self.poll(session, &token).await {
                Wake::StatusChanged => continue,
                Wake::End(end) => return Err(end),
                Wake::Done(reply) => reply,
            };
            let answer = match reply {
                Ok(reply) => broker::decode_poll(&reply, session.key.as_ref()),
                // The deadline was wait enough.
                Err(error) if error.is_timeout() => {
                    let words = chain(&error).to_string();
                    self.emit(Event::PollError(PollError::Timeout, words)).await?;
                    continue;
                }
                Err(error) => {
                    let words = chain(&error).to_string();
                    tracing::debug!(error = words, "a poll failed");
                    self.back_off(reason(&error), words).await?;
                    continue;
                }
            };
            let goes_on = match answer {
                Ok(Poll::Hollow) if begin.elapsed() < self.config.timeouts.hollow_within => {
                    self.hollow(&mut row).await?
                }
                Ok(poll) => {
                    row = Row { floor: row.floor, ..Row::default() };
                    self.lost_before = false;
                    self.failures.reset();
                    self.take(poll, session).await?;
                    true
                }
                Err(error) => self.survive(error, &token, &mut row).await?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    async fn poll(
        &mut self,
        session: &Session,
        token: &RunnerToken,
    ) -> Wake<Result<Response<bytes::Bytes>, client::Error>> {
        let SessionConfig { client, auth, timeouts, .. } = self.config.clone();
        let request = broker::poll(&auth.jit().runner.broker, token, self.query(session));
        self.until_command(async move {
            let request = request.map_err(client::Error::Build)?;
            client.send(request, Deadline::poll(&timeouts, BROKER_BODY)).await
        })
        .await
    }

    fn query<'a>(&'a self, session: &'a Session) -> PollQuery<'a> {
        PollQuery {
            session: &session.id,
            status: self.status,
            version: &self.config.version,
            architecture: self.config.architecture,
        }
    }

    /// A success without a body that was not held. Whether the session goes on: enough of them in a row mean that the
    /// record behind it is gone. To a busy session only that it is lost: it asks.
    async fn hollow(&mut self, row: &mut Row) -> Result<bool, End> {
        row.hollow += 1;
        if row.hollow < self.config.timeouts.hollow_limit {
            return self.emit(Event::EmptyPoll).await.map(|()| true);
        }
        match self.status {
            RunnerStatus::Online => Err(dead(Death::Hollow)),
            RunnerStatus::Busy => {
                self.lose_session("polls are answered with nothing, at once").await.map(|()| false)
            }
        }
    }

    async fn take(&mut self, poll: Poll, session: &Session) -> Result<(), End> {
        match poll {
            Poll::Hollow | Poll::Nothing => {
                self.bad_messages.reset();
                self.emit(Event::EmptyPoll).await
            }
            Poll::Message(message) => {
                if !matches!(message, Message::Malformed { .. }) {
                    self.bad_messages.reset();
                }
                self.hand_on(message, session).await
            }
        }
    }

    async fn hand_on(&mut self, message: Message, session: &Session) -> Result<(), End> {
        match message {
            Message::JobRequest(_) if self.status == RunnerStatus::Busy => {
                tracing::debug!("ignoring a job that was offered to a busy session");
                self.emit(Event::Answered).await
            }
            Message::JobRequest(offer) => {
                self.emit(Event::JobOffered { offer, session: session.id.clone() }).await?;
                // Whoever polls now asks for a job that it may have no use for: this one again, or one that others could
                // take. The official runner polls on once the claim is decided, too.
                self.until_told(self.config.timeouts.decision).await
            }
            Message::JobCancellation(cancellation) => self.emit(Event::Cancelled(cancellation)).await,
            Message::ForceTokenRefresh => {
                self.config.auth.forget();
                self.emit(Event::Answered).await
            }
            Message::Shutdown => Err(dead(Death::Shutdown)),
            Message::Ignored { message_type } => {
                tracing::debug!(message_type, "ignoring a message of another type");
                self.emit(Event::Answered).await
            }
            Message::Malformed { message_type, error } => {
                tracing::warn!(message_type, %error, "a message was dropped");
                let senseless = error != MessageError::Unsupported;
                self.emit(Event::BadMessage(error)).await?;
                if !senseless {
                    return Ok(());
                }
                // What nobody claims comes again, and again.
                let wait = self.bad_messages.fail();
                self.pause(wait).await
            }
        }
    }

    /// Whether the session goes on after this refusal; `false` means that a new one is needed.
    async fn survive(&mut self, error: BrokerError, token: &RunnerToken, row: &mut Row) -> Result<bool, End> {
        tracing::debug!(%error, "a poll was refused");
        match error.kind {
            BrokerErrorKind::Unauthorized if row.unauthorized => Err(dead(Death::Unauthorized)),
            BrokerErrorKind::Unauthorized => {
                row.unauthorized = true;
                self.config.auth.refused(token);
                Ok(true)
            }
            BrokerErrorKind::RunnerNotFound => Err(dead(Death::NotFound)),
            BrokerErrorKind::VersionTooOld => Err(refused(Refusal::VersionTooOld(error.message))),
            BrokerErrorKind::SessionInvalid | BrokerErrorKind::NotFound => {
                self.lose_session(&error.to_string()).await.map(|()| false)
            }
            BrokerErrorKind::RateLimited(limit) => self.hold_back(limit).await.map(|()| true),
            BrokerErrorKind::Conflict
            | BrokerErrorKind::Forbidden
            | BrokerErrorKind::JobNotFound
            | BrokerErrorKind::Transient => {
                self.back_off(PollError::Other, error.to_string()).await.map(|()| true)
            }
        }
    }

    /// A session that is lost once is replaced at once; one that is lost again before it brought
    /// anything waits.
    async fn lose_session(&mut self, words: &str) -> Result<(), End> {
        if self.config.auth.jit().runner.skip_session_recover {
            return Err(dead(Death::SessionLost));
        }
        if self.lost_before {
            return self.back_off(PollError::Other, words.to_owned()).await;
        }
        self.lost_before = true;
        Ok(())
    }
}
