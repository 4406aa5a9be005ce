//! The loop over B2.

use std::time::Duration;

use github_proto::RunnerToken;
use github_proto::broker::{self, BrokerError, BrokerErrorKind, Poll, PollQuery, RunnerStatus, Session};
use github_proto::limits::BROKER_BODY;
use github_proto::message::{Message, RunnerJobRequest};
use http::Response;
use tokio::time::{Instant, sleep_until};

use super::open::{dead, reason, refused};
use super::task::{End, Task, Wake};
use super::{Death, Event, PollError, Refusal, SessionConfig};
use crate::client::{self, Deadline};

/// What a row of polls remembers.
struct Row {
    /// Hollow answers since the last real one.
    hollow: u32,
    /// A token was refused since the last good answer: another refusal is final.
    unauthorized: bool,
    /// The next poll starts no sooner.
    floor: Instant,
}

impl Task {
    /// Polls until the session is lost (`Ok`) or everything is over (`Err`).
    pub(super) async fn listen(&mut self, session: &Session) -> Result<(), End> {
        let mut row = Row { hollow: 0, unauthorized: false, floor: Instant::now() };
        loop {
            self.until_end(sleep_until(row.floor)).await?;
            let token = self.token().await?;
            let begin = Instant::now();
            row.floor = begin + self.config.timers.poll_floor;
            let reply = match self.poll(session, &token).await {
                Wake::StatusChanged => continue,
                Wake::End(end) => return Err(end),
                Wake::Done(reply) => reply,
            };
            let answer = match reply {
                Ok(reply) => broker::decode_poll(&reply, session.key.as_ref()),
                // The deadline was wait enough.
                Err(error) if error.is_timeout() => {
                    self.emit(Event::PollError(PollError::Timeout)).await?;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "a poll failed");
                    self.back_off(reason(&error)).await?;
                    continue;
                }
            };
            match answer {
                Ok(poll) => {
                    row.unauthorized = false;
                    self.lost_before = false;
                    self.backoff.reset();
                    self.take(poll, session, &token, &mut row, begin.elapsed()).await?;
                }
                Err(error) => {
                    if !self.survive(error, &token, &mut row).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn poll(
        &mut self,
        session: &Session,
        token: &RunnerToken,
    ) -> Wake<Result<Response<bytes::Bytes>, client::Error>> {
        let SessionConfig { client, auth, timers, .. } = self.config.clone();
        let request = broker::poll(&auth.jit().runner.broker, token, self.query(session));
        self.until_command(async move {
            let request = request.map_err(client::Error::Build)?;
            client.send(request, Deadline::poll(&timers, BROKER_BODY)).await
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

    async fn take(
        &mut self,
        poll: Poll,
        session: &Session,
        token: &RunnerToken,
        row: &mut Row,
        held: Duration,
    ) -> Result<(), End> {
        match poll {
            Poll::Hollow if held < self.config.timers.hollow_within => {
                row.hollow += 1;
                if row.hollow >= self.config.timers.hollow_limit {
                    return Err(dead(Death::Hollow));
                }
                self.emit(Event::EmptyPoll).await
            }
            Poll::Hollow | Poll::Nothing => {
                row.hollow = 0;
                self.bad_messages.reset();
                self.emit(Event::EmptyPoll).await
            }
            Poll::Message(message) => {
                row.hollow = 0;
                if !matches!(message, Message::Malformed { .. }) {
                    self.bad_messages.reset();
                }
                self.hand_on(message, session, token).await
            }
        }
    }

    async fn hand_on(&mut self, message: Message, session: &Session, token: &RunnerToken) -> Result<(), End> {
        match message {
            Message::JobRequest(_) if self.status == RunnerStatus::Busy => {
                tracing::debug!("a busy session was offered a job, which it leaves alone");
                Ok(())
            }
            Message::JobRequest(offer) => {
                self.acknowledge(&offer, session, token);
                let repeated = self.repeated(&offer.request_id);
                self.emit(Event::JobOffered { offer, repeated }).await
            }
            Message::JobCancellation(cancellation) => self.emit(Event::Cancelled(cancellation)).await,
            Message::ForceTokenRefresh => {
                self.config.auth.forget();
                Ok(())
            }
            Message::Shutdown => Err(dead(Death::Shutdown)),
            Message::Ignored { message_type } => {
                tracing::debug!(message_type, "a message of no interest");
                Ok(())
            }
            Message::Malformed { message_type, error } => {
                tracing::warn!(message_type, %error, "a message was dropped");
                self.emit(Event::BadMessage(error)).await?;
                // What nobody acknowledges comes again, and again.
                let wait = self.bad_messages.refuse();
                self.pause(wait).await
            }
        }
    }

    /// B3 beside everything else: the claim must not wait for it, and its failure changes nothing.
    fn acknowledge(&self, offer: &RunnerJobRequest, session: &Session, token: &RunnerToken) {
        if !offer.should_acknowledge {
            return;
        }
        let SessionConfig { client, auth, timers, .. } = &self.config;
        let base = &auth.jit().runner.broker;
        let Ok(request) = broker::acknowledge(base, token, self.query(session), &offer.request_id) else {
            return;
        };
        let client = client.clone();
        let deadline = Deadline::within(timers.acknowledge, BROKER_BODY);
        tokio::spawn(async move {
            match client.send(request, deadline).await.map(|it| broker::decode_acknowledgement(&it)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "an offer was not acknowledged"),
                Err(error) => tracing::debug!(%error, "an offer was not acknowledged"),
            }
        });
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
            BrokerErrorKind::SessionInvalid => self.lose_session().await.map(|()| false),
            BrokerErrorKind::RateLimited(limit) => self.hold_back(limit).await.map(|()| true),
            BrokerErrorKind::Conflict | BrokerErrorKind::JobNotFound | BrokerErrorKind::Transient => {
                self.back_off(PollError::Other).await.map(|()| true)
            }
        }
    }

    /// A session that is lost once is replaced at once; one that is lost again before it brought
    /// anything waits.
    async fn lose_session(&mut self) -> Result<(), End> {
        if self.config.auth.jit().runner.skip_session_recover {
            return Err(dead(Death::SessionLost));
        }
        if self.lost_before {
            return self.back_off(PollError::Other).await;
        }
        self.lost_before = true;
        Ok(())
    }
}
