//! From nothing to an open session: a token, then B1.

use github_proto::RunnerToken;
use github_proto::broker::{self, Agent, BrokerError, BrokerErrorKind, RunnerStatus, Session};
use github_proto::limits::BROKER_BODY;
use github_proto::oauth::OAuthErrorKind;
use runtime::telemetry::chain;

use super::task::{End, Task};
use super::{Death, Event, PollError, Refusal, SessionConfig};
use crate::auth::AuthError;
use crate::client::{self, Deadline};

/// Which release of Linux will run the job is the node's matter, and not known yet.
const OS_DESCRIPTION: &str = "Linux";

/// B1 did not open a session.
enum OpenError {
    Send(client::Error),
    Refused(BrokerError),
}

/// How often the broker may say that there is nothing, while the token service still knows the runner.
const NOT_FOUND: u32 = 3;

/// What a row of attempts remembers.
#[derive(Default)]
struct Row {
    /// Another session had to be deleted.
    conflict: bool,
    /// A token was refused.
    unauthorized: bool,
    /// Answers in a row that say that there is nothing.
    not_found: u32,
}

impl Task {
    /// Opens a session, however long it takes.
    pub(super) async fn open(&mut self) -> Result<Session, End> {
        let mut row = Row::default();
        loop {
            let token = self.token().await?;
            match self.create(&token).await? {
                Ok(session) => return Ok(session),
                Err(OpenError::Refused(error)) => {
                    tracing::info!(%error, "failed to create a session");
                    self.keep_trying(error, &token, &mut row).await?;
                }
                Err(OpenError::Send(error)) => {
                    tracing::info!(error = %chain(&error), "failed to create a session");
                    let words = chain(&error).to_string();
                    self.back_off(reason(&error), words).await?;
                }
            }
        }
    }

    /// Waits until another attempt may be made, if one may (protocol §4.2).
    async fn keep_trying(
        &mut self,
        error: BrokerError,
        token: &RunnerToken,
        row: &mut Row,
    ) -> Result<(), End> {
        if error.kind != BrokerErrorKind::NotFound {
            row.not_found = 0;
        }
        match error.kind {
            BrokerErrorKind::Unauthorized if !row.unauthorized => {
                row.unauthorized = true;
                self.config.auth.refused(token);
                Ok(())
            }
            BrokerErrorKind::Unauthorized => Err(dead(Death::Unauthorized)),
            BrokerErrorKind::Forbidden => Err(refused(Refusal::Forbidden(error.message))),
            BrokerErrorKind::VersionTooOld => Err(refused(Refusal::VersionTooOld(error.message))),
            BrokerErrorKind::NotFound => {
                row.not_found += 1;
                self.ask_again_who_we_are(&error, token, row.not_found).await
            }
            BrokerErrorKind::Conflict => self.clear_conflict(&error, row).await,
            BrokerErrorKind::RateLimited(limit) => self.hold_back(limit).await,
            BrokerErrorKind::RunnerNotFound
            | BrokerErrorKind::SessionInvalid
            | BrokerErrorKind::JobNotFound
            | BrokerErrorKind::Transient => self.back_off(PollError::Other, error.to_string()).await,
        }
    }

    /// The record may be gone, or the address wrong: the token service tells, if it is asked anew.
    async fn ask_again_who_we_are(
        &mut self,
        error: &BrokerError,
        refused: &RunnerToken,
        times: u32,
    ) -> Result<(), End> {
        if times == NOT_FOUND {
            return Err(dead(Death::NotFound));
        }
        self.config.auth.refused(refused);
        self.token().await?;
        self.back_off(PollError::Other, error.to_string()).await
    }

    /// A session of ours from before a restart, or one that we took for lost: it is deleted. When that does not help,
    /// another agent is quicker; but the job of a busy one has no other.
    async fn clear_conflict(&mut self, error: &BrokerError, row: &mut Row) -> Result<(), End> {
        if row.conflict && self.status == RunnerStatus::Online {
            return Err(refused(Refusal::Conflict));
        }
        self.delete_session().await;
        if row.conflict {
            self.back_off(PollError::Other, error.to_string()).await?;
        }
        row.conflict = true;
        Ok(())
    }

    async fn create(&mut self, token: &RunnerToken) -> Result<Result<Session, OpenError>, End> {
        let SessionConfig { client, auth, owner, version, timeouts, .. } = self.config.clone();
        let token = token.clone();
        self.until_end(async move {
            let runner = &auth.jit().runner;
            let agent = Agent {
                id: runner.id,
                name: &runner.name,
                version: &version,
                os_description: OS_DESCRIPTION,
            };
            let request = broker::create_session(&runner.broker, &token, &owner, agent)
                .map_err(|error| OpenError::Send(client::Error::Build(error)))?;
            let reply = client
                .send(request, Deadline::call(&timeouts, BROKER_BODY))
                .await
                .map_err(OpenError::Send)?;
            broker::decode_session(&reply, &auth.jit().key).map_err(OpenError::Refused)
        })
        .await
    }

    /// A token that is not about to expire, however long it takes.
    pub(super) async fn token(&mut self) -> Result<RunnerToken, End> {
        loop {
            let auth = self.config.auth.clone();
            let fresh = self.config.fresh;
            let fetch = async move { if fresh { auth.first_token().await } else { auth.token().await } };
            match self.until_end(fetch).await? {
                Ok(token) => {
                    // From now on "not registered" means consumed, not "not yet".
                    self.config.fresh = false;
                    return Ok(token);
                }
                Err(error) => self.mend(&error).await?,
            }
        }
    }

    async fn mend(&mut self, error: &AuthError) -> Result<(), End> {
        let words = chain(error).to_string();
        tracing::info!(error = words, "failed to get a runner token");
        if error.is_final() {
            return Err(dead(Death::NotRegistered));
        }
        if let Some(limit) = error.rate_limit() {
            return self.hold_back(limit).await;
        }
        match error {
            AuthError::Refused(refusal) if refusal.kind == OAuthErrorKind::ClockSkew => {
                tracing::warn!(error = %refusal, "the system clock is off by more than five minutes");
                self.emit(Event::PollError(PollError::Other, words)).await?;
                let wait = self.config.clock.about(self.config.timeouts.clock_skew);
                self.pause(wait).await
            }
            AuthError::Send(error) => self.back_off(reason(error), words).await,
            _ => self.back_off(PollError::Other, words).await,
        }
    }
}

pub(super) fn reason(error: &client::Error) -> PollError {
    if error.is_timeout() { PollError::Timeout } else { PollError::Other }
}

pub(super) fn dead(death: Death) -> End {
    End::Last(Event::Dead(death))
}

pub(super) fn refused(refusal: Refusal) -> End {
    End::Last(Event::Refused(refusal))
}
