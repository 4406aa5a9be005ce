//! The installation's token: one task keeps it fresh, everyone else reads it (protocol §1.4).

mod credentials;
mod keeper;

use std::sync::Arc;
use std::time::Duration;

use github_proto::InstallationToken;
use github_proto::rest::{RestError, RestErrorKind};
use github_proto::url::ApiBase;
use runtime::clock::Clock;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use credentials::{AppCredentials, CredentialError, CredentialFiles, CredentialSource};

use crate::Timeouts;
use crate::client::{self, Client};
use keeper::Keeper;

/// Why there is no token, in the words of the condition `CredentialUnavailable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenFailure {
    /// The files are not there.
    SecretNotFound,
    /// The files are there and make no sense.
    SecretMalformed,
    /// GitHub does not accept the App's key, or the installation is gone, suspended or lacks rights.
    TokenRefused,
    /// No answer, or one that says "later".
    GitHubUnreachable,
}

impl TokenFailure {
    /// The word as conditions and labels have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretMalformed => "SecretMalformed",
            Self::TokenRefused => "TokenRefused",
            Self::GitHubUnreachable => "GitHubUnreachable",
        }
    }
}

/// One attempt to get a token failed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The App's credentials cannot be used.
    #[error("the App's credentials cannot be used")]
    Credentials(#[source] CredentialError),
    /// No answer.
    #[error("failed to reach GitHub for an installation token")]
    Send(#[source] client::Error),
    /// GitHub refused.
    #[error("GitHub refused an installation token")]
    Refused(#[source] RestError),
    /// The last attempt failed, and the next is not due yet.
    #[error("no installation token: {message}")]
    Unavailable {
        /// Its class.
        failure: TokenFailure,
        /// Its text.
        message: String,
    },
    /// Neither token nor failure within the time a call waits, or the keeper has stopped.
    #[error("no installation token in time")]
    Late,
}

impl TokenError {
    /// The class of the failure.
    pub fn failure(&self) -> TokenFailure {
        match self {
            Self::Credentials(CredentialError::Missing(_)) => TokenFailure::SecretNotFound,
            Self::Credentials(_) => TokenFailure::SecretMalformed,
            Self::Refused(error) if !error.kind.is_transient() => TokenFailure::TokenRefused,
            Self::Refused(_) | Self::Send(_) | Self::Late => TokenFailure::GitHubUnreachable,
            Self::Unavailable { failure, .. } => *failure,
        }
    }

    /// Whether it may pass without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        self.failure() == TokenFailure::GitHubUnreachable
    }

    fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused(error) if error.kind == RestErrorKind::Unauthorized)
    }
}

/// What is known about the token right now.
#[derive(Debug, Clone, Default)]
pub struct TokenState {
    /// A token that had not expired when it was last looked at.
    token: Option<Held>,
    /// The last attempt, if it failed: class and text.
    failure: Option<(TokenFailure, String)>,
}

#[derive(Debug, Clone)]
struct Held {
    token: InstallationToken,
    expires: Instant,
}

impl TokenState {
    /// The token, unless it has expired.
    pub fn token(&self) -> Option<&InstallationToken> {
        self.token.as_ref().filter(|held| Instant::now() < held.expires).map(|held| &held.token)
    }

    /// What went wrong with the last attempt.
    pub fn failure(&self) -> Option<(TokenFailure, &str)> {
        self.failure.as_ref().map(|(failure, message)| (*failure, message.as_str()))
    }
}

/// Called after each attempt, for counters.
pub type Observer = Arc<dyn Fn(Result<(), TokenFailure>) + Send + Sync>;

/// What the keeper needs.
pub struct TokenConfig {
    /// To reach GitHub.
    pub client: Client,
    /// Where the token is minted: the same base as for every other call.
    pub api: ApiBase,
    /// Where the App's credentials come from.
    pub source: Box<dyn CredentialSource>,
    /// Time of day, and chance.
    pub clock: Clock,
    /// Waits.
    pub timeouts: Timeouts,
    /// Hears of each attempt.
    pub observer: Observer,
}

/// The installation token, shared. Cheap to clone.
#[derive(Debug, Clone)]
pub struct InstallationTokens {
    state: watch::Receiver<TokenState>,
    refused: mpsc::Sender<InstallationToken>,
    patience: Duration,
}

impl InstallationTokens {
    /// Starts the task that keeps the token fresh, until `stop`.
    pub fn start(config: TokenConfig, stop: CancellationToken) -> (Self, JoinHandle<()>) {
        let patience = config.timeouts.installation_wait;
        let (publish, state) = watch::channel(TokenState::default());
        // A refusal that finds the queue full joins those in it: they all ask for the same.
        let (refused, refusals) = mpsc::channel(8);
        let keeper = Keeper::new(config, publish, refusals);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = keeper.run() => {}
                () = stop.cancelled() => {}
            }
        });
        (Self { state, refused, patience }, task)
    }

    /// The token at hand; waits for the first one, but not for longer than a call may.
    ///
    /// # Errors
    /// [`TokenError`] when there is none and the last attempt failed.
    pub async fn get(&self) -> Result<InstallationToken, TokenError> {
        self.wait(|_| true).await
    }

    /// Another token than this one, which GitHub refused.
    ///
    /// # Errors
    /// As [`InstallationTokens::get`].
    pub async fn replace(&self, refused: &InstallationToken) -> Result<InstallationToken, TokenError> {
        let _ = self.refused.try_send(refused.clone());
        self.wait(|token| token != refused).await
    }

    /// Changes of the state, to be told in conditions.
    pub fn watch(&self) -> watch::Receiver<TokenState> {
        self.state.clone()
    }

    async fn wait(
        &self,
        suits: impl Fn(&InstallationToken) -> bool,
    ) -> Result<InstallationToken, TokenError> {
        let mut state = self.state.clone();
        let decided = |it: &TokenState| it.failure.is_some() || it.token().is_some_and(&suits);
        let state = timeout(self.patience, state.wait_for(decided))
            .await
            .map_err(|_| TokenError::Late)?
            .map_err(|_| TokenError::Late)?;
        if let Some(token) = state.token().filter(|token| suits(token)) {
            return Ok(token.clone());
        }
        let (failure, message) = state.failure.clone().ok_or(TokenError::Late)?;
        Err(TokenError::Unavailable { failure, message })
    }
}

#[cfg(test)]
mod tests;
