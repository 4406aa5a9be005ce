//! The task: its state, how it waits, and how it ends.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use github_proto::RateLimit;
use github_proto::broker::{self, RunnerStatus};
use github_proto::limits::BROKER_BODY;
use runtime::backoff::Failures;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::{Command, Death, Event, PollError, SessionConfig};
use crate::client::Deadline;

/// How a session ends.
pub(super) enum End {
    /// With an event of the session's own.
    Last(Event),
    /// Because it was told to; `true` deletes the session.
    Told(bool),
}

/// Either the thing waited for, or the reason to stop waiting for it.
pub(super) enum Wake<T> {
    Done(T),
    StatusChanged,
    End(End),
}

pub(super) struct Task {
    pub(super) config: SessionConfig,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    pub(super) status: RunnerStatus,
    /// Polls and openings that failed, since the last good poll.
    pub(super) failures: Failures,
    /// Messages that could not be read, since the last poll that brought anything else.
    pub(super) bad_messages: Failures,
    /// A session was opened and not found lost since.
    pub(super) has_session: bool,
    /// A session was lost, and no poll has succeeded since.
    pub(super) lost_before: bool,
}

impl Task {
    pub(super) fn new(
        config: SessionConfig,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            status: config.status,
            failures: config.clock.failures(config.timeouts.poll_backoff),
            bad_messages: config.clock.failures(config.timeouts.bad_message),
            config,
            commands,
            events,
            has_session: false,
            lost_before: false,
        }
    }

    pub(super) async fn run(mut self) {
        let end = loop {
            let session = match self.open().await {
                Ok(session) => session,
                Err(end) => break end,
            };
            self.has_session = true;
            if let Err(end) = self.emit(Event::Listening).await {
                break end;
            }
            match self.listen(&session).await {
                Ok(()) => self.has_session = false,
                Err(end) => break end,
            }
        };
        self.finish(end).await;
    }

    async fn finish(mut self, end: End) {
        let (last, delete) = match end {
            End::Told(delete) => (Event::Closed, delete),
            // GitHub drops the session of a record that is gone, and only of such a record.
            End::Last(event) => {
                let lives = matches!(event, Event::Refused(_) | Event::Dead(Death::Shutdown));
                (event, lives)
            }
        };
        if delete && self.has_session {
            self.delete_session().await;
        }
        // The consumer may be gone, or its queue full: nobody waits for a session's last word for ever.
        self.commands.close();
        let _ = timeout(self.config.timeouts.close, self.events.send(last)).await;
    }

    /// B4, once: its token names the session, and a repetition could hit a newer one.
    pub(super) async fn delete_session(&mut self) {
        self.has_session = false;
        let SessionConfig { client, auth, timeouts, .. } = &self.config;
        let Some(token) = auth.last_token() else { return };
        let Ok(request) = broker::delete_session(&auth.jit().runner.broker, &token) else { return };
        let outcome = client.send(request, Deadline::within(timeouts.close, BROKER_BODY)).await;
        match outcome.map(|reply| broker::decode_session_end(&reply)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the session was not deleted"),
            Err(error) => tracing::debug!(%error, "the session was not deleted"),
        }
    }

    /// Hands an event over, however long the consumer takes; a command to end interrupts.
    pub(super) async fn emit(&mut self, event: Event) -> Result<(), End> {
        let events = self.events.clone();
        match self.until_end(async move { events.send(event).await }).await? {
            Ok(()) => Ok(()),
            Err(_) => Err(End::Told(true)), // nobody listens any more
        }
    }

    /// Waits for something; remembers commands about the status, and gives up when told to end.
    pub(super) async fn until_end<T>(&mut self, thing: impl Future<Output = T>) -> Result<T, End> {
        let mut thing = pin!(thing);
        loop {
            match self.until_command(thing.as_mut()).await {
                Wake::Done(done) => return Ok(done),
                Wake::StatusChanged => {}
                Wake::End(end) => return Err(end),
            }
        }
    }

    /// Waits for something, or for a command that changes what we do.
    pub(super) async fn until_command<T>(&mut self, thing: impl Future<Output = T>) -> Wake<T> {
        let mut thing = pin!(thing);
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => match wanted(command) {
                    Err(delete) => return Wake::End(End::Told(delete)),
                    Ok(status) if status != self.status => {
                        self.status = status;
                        return Wake::StatusChanged;
                    }
                    Ok(_) => {}
                },
                done = thing.as_mut() => return Wake::Done(done),
            }
        }
    }

    /// Waits until told which status to have, the present one or another, but no longer than this.
    pub(super) async fn until_told(&mut self, longest: Duration) -> Result<(), End> {
        if let Ok(command) = timeout(longest, self.commands.recv()).await {
            self.status = wanted(command).map_err(End::Told)?;
        }
        Ok(())
    }

    pub(super) async fn pause(&mut self, wait: Duration) -> Result<(), End> {
        self.until_end(sleep(wait)).await
    }

    /// Tells of a failure and waits as the tiers say.
    pub(super) async fn back_off(&mut self, reason: PollError, words: String) -> Result<(), End> {
        self.emit(Event::PollError(reason, words)).await?;
        let wait = self.failures.fail();
        self.pause(wait).await
    }

    /// Tells of a rate limit and waits as long as GitHub asks, and a little longer.
    pub(super) async fn hold_back(&mut self, limit: RateLimit) -> Result<(), End> {
        let words = "GitHub answers with 429".to_owned();
        self.emit(Event::PollError(PollError::RateLimited, words)).await?;
        let SessionConfig { clock, timeouts, .. } = &self.config;
        let wait = match limit {
            // GitHub did not say how long: what the tiers say is longer than nothing.
            RateLimit::Unspecified => self.failures.fail(),
            limit => limit.delay(clock.now()) + clock.between(timeouts.rate_limit_jitter),
        };
        self.pause(wait).await
    }
}

/// The status that a command asks for, or, for one to end, whether the session is deleted. Nobody can tell a session anything
/// that nobody holds any more.
fn wanted(command: Option<Command>) -> Result<RunnerStatus, bool> {
    match command {
        Some(Command::Busy) => Ok(RunnerStatus::Busy),
        Some(Command::Idle) => Ok(RunnerStatus::Online),
        Some(Command::Abandon) => Err(false),
        Some(Command::Close) | None => Err(true),
    }
}
