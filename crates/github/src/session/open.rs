//! From nothing to an open session: a token, then B1.

use github_proto::RunnerToken;
use github_proto::broker::{self, Agent, BrokerError, BrokerErrorKind, Session};
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

impl Task {
    /// Opens a session, however long it takes.
    pub(super) async fn open(&mut self) -> Result<Session, End> {
        let mut conflict = false;
        let mut unauthorized = false;
        loop {
            let token = self.token().await?;
            let error = match self.create(&token).await? {
                Ok(session) => return Ok(session),
                Err(OpenError::Refused(error)) => error,
                Err(OpenError::Send(error)) => {
                    tracing::info!(error = %chain(&error), "no session was opened");
                    self.back_off(reason(&error)).await?;
                    continue;
                }
            };
            tracing::info!(%error, "no session was opened");
            match error.kind {
                BrokerErrorKind::Unauthorized if !unauthorized => {
                    unauthorized = true;
                    self.config.auth.refused(&token);
                }
                BrokerErrorKind::Unauthorized => return Err(dead(Death::Unauthorized)),
                BrokerErrorKind::RunnerNotFound => return Err(dead(Death::NotFound)),
                BrokerErrorKind::VersionTooOld => {
                    return Err(refused(Refusal::VersionTooOld(error.message)));
                }
                // A session of ours from before a restart: deleted once, then another agent is quicker.
                BrokerErrorKind::Conflict if !conflict => {
                    conflict = true;
                    self.delete_session().await;
                }
                BrokerErrorKind::Conflict => return Err(refused(Refusal::Conflict)),
                BrokerErrorKind::RateLimited(limit) => self.hold_back(limit).await?,
                BrokerErrorKind::SessionInvalid
                | BrokerErrorKind::JobNotFound
                | BrokerErrorKind::Transient => self.back_off(PollError::Other).await?,
            }
        }
    }

    async fn create(&mut self, token: &RunnerToken) -> Result<Result<Session, OpenError>, End> {
        let SessionConfig { client, auth, owner, version, timers, .. } = self.config.clone();
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
            let reply =
                client.send(request, Deadline::call(&timers, BROKER_BODY)).await.map_err(OpenError::Send)?;
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
        tracing::info!(error = %chain(error), "no runner token");
        if error.is_final() {
            return Err(dead(Death::NotRegistered));
        }
        if let Some(limit) = error.rate_limit() {
            return self.hold_back(limit).await;
        }
        match error {
            AuthError::Refused(refusal) if refusal.kind == OAuthErrorKind::ClockSkew => {
                tracing::warn!(error = %refusal, "the clock of this machine is off by more than five minutes");
                self.emit(Event::PollError(PollError::Other)).await?;
                self.pause(self.config.timers.clock_skew).await
            }
            AuthError::Send(error) => self.back_off(reason(error)).await,
            _ => self.back_off(PollError::Other).await,
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
