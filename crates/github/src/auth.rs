//! One runner's token: fetched when needed, kept while it lasts (protocol §3).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use github_proto::jit::JitConfig;
use github_proto::limits::OAUTH_BODY;
use github_proto::oauth::{self, Grant, OAuthError, OAuthErrorKind, TokenAddress};
use github_proto::rsa::KeyError;
use github_proto::{RateLimit, RunnerToken};
use runtime::clock::Clock;
use runtime::telemetry::chain;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::Timeouts;
use crate::client::{self, Client, Deadline};

/// The token of one runner, shared by its session and by whoever claims with it. Clones share the token.
#[derive(Clone)]
pub struct RunnerAuth(Arc<Inner>);

struct Inner {
    jit: Arc<JitConfig>,
    client: Client,
    clock: Clock,
    timeouts: Timeouts,
    /// Held to copy a token in or out, never while waiting. Two callers may fetch at once: both tokens
    /// are good.
    cached: Mutex<Option<Cached>>,
    /// The token service last refused at its first address and not at its second.
    at_second: AtomicBool,
}

#[derive(Clone)]
struct Cached {
    token: RunnerToken,
    stale: Option<Instant>,
}

impl std::fmt::Debug for RunnerAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunnerAuth").field("runner", &self.0.jit.runner.id).finish_non_exhaustive()
    }
}

/// No token.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The runner's key does not sign.
    #[error("failed to sign the runner's assertion")]
    Sign(#[source] KeyError),
    /// The token service was not reached.
    #[error("failed to reach the token service")]
    Send(#[source] client::Error),
    /// The token service refused.
    #[error("the token service refused the request")]
    Refused(#[source] OAuthError),
}

impl AuthError {
    /// The record is of no use any more: consumed, deleted, or its key is broken.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Sign(_) => true,
            Self::Send(_) => false,
            Self::Refused(error) => {
                matches!(error.kind, OAuthErrorKind::NotRegistered | OAuthErrorKind::Rejected)
            }
        }
    }

    /// The token service has judged, at the address that was asked.
    fn is_verdict(&self) -> bool {
        match self {
            Self::Refused(error) => error.is_verdict(),
            Self::Sign(_) | Self::Send(_) => false,
        }
    }

    pub(crate) fn kind(&self) -> Option<OAuthErrorKind> {
        match self {
            Self::Refused(error) => Some(error.kind),
            _ => None,
        }
    }

    /// The wait that the service asked for.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        match self.kind() {
            Some(OAuthErrorKind::RateLimited(limit)) => Some(limit),
            _ => None,
        }
    }
}

impl RunnerAuth {
    /// For the runner of this configuration; asks for nothing yet.
    pub fn new(jit: Arc<JitConfig>, client: Client, clock: Clock, timeouts: Timeouts) -> Self {
        let (cached, at_second) = (Mutex::new(None), AtomicBool::new(false));
        Self(Arc::new(Inner { jit, client, clock, timeouts, cached, at_second }))
    }

    /// The runner's configuration.
    pub fn jit(&self) -> &JitConfig {
        &self.0.jit
    }

    /// A token that is not about to expire: the one at hand, or a new one.
    ///
    /// # Errors
    /// [`AuthError`]; see [`AuthError::is_final`].
    pub async fn token(&self) -> Result<RunnerToken, AuthError> {
        match self.at_hand().filter(|it| it.stale.is_none_or(|stale| Instant::now() < stale)) {
            Some(cached) => Ok(cached.token),
            None => self.fetch().await,
        }
    }

    /// As [`RunnerAuth::token`], for a registration that is seconds old and may not be known yet to
    /// the token service (protocol §2.4).
    ///
    /// # Errors
    /// [`AuthError`], the last one.
    pub async fn first_token(&self) -> Result<RunnerToken, AuthError> {
        let mut attempts = 1;
        loop {
            match self.token().await {
                Err(error)
                    if error.kind() == Some(OAuthErrorKind::NotRegistered)
                        && attempts < self.0.timeouts.propagation_attempts =>
                {
                    attempts += 1;
                    sleep(self.0.clock.between(self.0.timeouts.propagation)).await;
                }
                done => return done,
            }
        }
    }

    /// Forgets the token that was refused, unless another has taken its place meanwhile.
    pub fn refused(&self, token: &RunnerToken) {
        let mut cached = self.0.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.as_ref().is_some_and(|it| it.token == *token) {
            *cached = None;
        }
    }

    /// Forgets the token, whichever it is: the next call fetches one.
    pub fn forget(&self) {
        *self.0.cached.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The token at hand, expired or not, for a last call that is not worth a new one.
    pub(crate) fn last_token(&self) -> Option<RunnerToken> {
        self.at_hand().map(|it| it.token)
    }

    fn at_hand(&self) -> Option<Cached> {
        self.0.cached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks at the address that answered last, and at the other one if that refuses (protocol §3.3).
    async fn fetch(&self) -> Result<RunnerToken, AuthError> {
        let credentials = &self.0.jit.credentials;
        let first = &credentials.address;
        let Some(second) = &credentials.address_v2 else { return self.ask(first).await };
        let at_second = self.0.at_second.load(Ordering::Relaxed);
        let (usual, other) = if at_second { (second, first) } else { (first, second) };
        let refused = match self.ask(usual).await {
            Err(error) if error.is_verdict() => error,
            done => return done,
        };
        tracing::info!(error = %chain(&refused), "the token service refused: trying its other address");
        match self.ask(other).await {
            Ok(token) => {
                self.0.at_second.store(!at_second, Ordering::Relaxed);
                Ok(token)
            }
            // Both refuse: the usual address is the one to believe.
            Err(error) if error.is_verdict() => Err(refused),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, address: &TokenAddress) -> Result<RunnerToken, AuthError> {
        let Inner { jit, client, clock, timeouts, cached, .. } = &*self.0;
        let jti = jti(clock).to_string();
        let assertion = oauth::assertion(&jit.credentials, address, &jit.key, &jti, clock.now())
            .map_err(AuthError::Sign)?;
        let request = oauth::token_request(address, &assertion)
            .map_err(|error| AuthError::Send(client::Error::Build(error)))?;
        let reply =
            client.send(request, Deadline::call(timeouts, OAUTH_BODY)).await.map_err(AuthError::Send)?;
        let Grant { token, expires_in } = oauth::decode(&reply).map_err(AuthError::Refused)?;

        let stale = expires_in.map(|life| Instant::now() + usable(life, timeouts.token_margin));
        *cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(Cached { token: token.clone(), stale });
        Ok(token)
    }
}

/// An id that no other assertion has.
fn jti(clock: &Clock) -> Uuid {
    let random = u128::from(clock.seed()) << 64 | u128::from(clock.seed());
    uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid()
}

/// A token that lives shorter than twice the margin is used for half its life, not for none of it.
fn usable(life: Duration, margin: Duration) -> Duration {
    life.saturating_sub(margin).max(life / 2)
}

#[cfg(test)]
mod tests;
