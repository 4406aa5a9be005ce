//! The task that owns the installation token.

use std::sync::Arc;
use std::time::Duration;

use github_proto::InstallationToken;
use github_proto::app_jwt;
use github_proto::limits::REST_BODY;
use github_proto::rest::{self, InstallationGrant};
use runtime::backoff::Failures;
use runtime::clock::Clock;
use runtime::telemetry::chain;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{AppCredentials, CredentialError, CredentialSource, Held, TokenConfig, TokenError, TokenState};
use crate::Timeouts;
use crate::client::{self, Client, Deadline};

pub(super) struct Keeper {
    client: Client,
    api: github_proto::url::ApiBase,
    source: Arc<dyn CredentialSource>,
    clock: Clock,
    timeouts: Timeouts,
    observer: super::Observer,
    publish: watch::Sender<TokenState>,
    refusals: mpsc::Receiver<InstallationToken>,
    /// What the last attempt used: other files mean another attempt, at once.
    used: Option<Result<AppCredentials, CredentialError>>,
    /// Attempts in a row that brought no token.
    failures: Failures,
    due: Instant,
    /// When a refusal last led to a new token.
    replaced: Option<Instant>,
}

/// Why the keeper woke up.
enum Wake {
    Due,
    FilesChanged,
    Refused(InstallationToken),
    Nobody,
}

impl Keeper {
    pub(super) fn new(
        config: TokenConfig,
        publish: watch::Sender<TokenState>,
        refusals: mpsc::Receiver<InstallationToken>,
    ) -> Self {
        Self {
            client: config.client,
            api: config.api,
            source: Arc::from(config.source),
            observer: config.observer,
            publish,
            refusals,
            used: None,
            failures: config.clock.failures(config.timeouts.installation_backoff),
            due: Instant::now(),
            replaced: None,
            clock: config.clock,
            timeouts: config.timeouts,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            match self.wait().await {
                Wake::Due | Wake::FilesChanged => self.refresh().await,
                Wake::Refused(token) => self.replace(&token).await,
                Wake::Nobody => return,
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        loop {
            let check = Instant::now() + self.timeouts.credentials_check;
            tokio::select! {
                refused = self.refusals.recv() => {
                    return refused.map_or(Wake::Nobody, Wake::Refused);
                }
                () = sleep_until(self.due.min(check)) => {}
            }
            if Instant::now() >= self.due {
                return Wake::Due;
            }
            if self.used.is_some() && self.used.as_ref() != Some(&self.read().await) {
                return Wake::FilesChanged;
            }
        }
    }

    /// A token that several callers saw refused is replaced once. When GitHub refuses the replacement as
    /// well, age is not what it dislikes: the next one waits its turn, and callers are told meanwhile.
    async fn replace(&mut self, refused: &InstallationToken) {
        let now = Instant::now();
        if self.publish.borrow().token().is_some_and(|token| token != refused) {
            return;
        }
        match self.replaced.map(|last| last + self.timeouts.installation_floor).filter(|&turn| now < turn) {
            None => {
                self.replaced = Some(now);
                self.publish.send_modify(|state| state.token = None);
                self.refresh().await;
            }
            Some(turn) => {
                self.due = self.due.min(turn);
                let failure = super::TokenFailure::TokenRefused;
                let message = "GitHub rejects an installation token that it has just issued".to_owned();
                self.publish.send_modify(|state| state.failure = Some((failure, message)));
            }
        }
    }

    async fn refresh(&mut self) {
        let credentials = self.read().await;
        let minted = match &credentials {
            Ok(credentials) => self.mint(credentials).await,
            Err(error) => Err(TokenError::Credentials(error.clone())),
        };
        self.used = Some(credentials);
        match minted {
            Ok(grant) => self.succeeded(grant),
            Err(error) => self.failed(&error),
        }
    }

    fn succeeded(&mut self, grant: InstallationGrant) {
        let now = Instant::now();
        let life = grant.expires_at.duration_since(self.clock.now());
        let life = Duration::try_from(life).unwrap_or_default();
        let margin = self.timeouts.installation_margin;
        // Many controllers that were started together do not renew together.
        let early = life.saturating_sub(self.clock.between((margin, margin + margin / 5)));
        self.due = now + early.max(self.timeouts.installation_floor);
        self.failures.reset();
        (self.observer)(Ok(()));
        let held = Held { token: grant.token, expires: now + life };
        self.publish.send_replace(TokenState { token: Some(held), failure: None });
    }

    /// The old token is served as long as it is valid.
    fn failed(&mut self, error: &TokenError) {
        let asked = match error {
            TokenError::Refused(refusal) => match refusal.kind {
                rest::RestErrorKind::RateLimited(limit) => {
                    limit.delay(self.clock.now()) + self.clock.between(self.timeouts.rate_limit_jitter)
                }
                _ => Duration::ZERO,
            },
            _ => Duration::ZERO,
        };
        let wait = self.failures.fail().max(asked);
        self.due = Instant::now() + wait;
        let failure = error.failure();
        let message = chain(error).to_string();
        (self.observer)(Err(failure));
        tracing::warn!(reason = failure.as_str(), error = %message, retry_in = ?wait, "failed to refresh the installation token");
        self.publish.send_modify(|state| state.failure = Some((failure, message)));
    }

    /// Signs and asks; once more when GitHub does not like the signature (protocol §1.4).
    async fn mint(&self, credentials: &AppCredentials) -> Result<InstallationGrant, TokenError> {
        match self.mint_once(credentials).await {
            Err(error) if error.is_unauthorized() => self.mint_once(credentials).await,
            done => done,
        }
    }

    async fn mint_once(&self, credentials: &AppCredentials) -> Result<InstallationGrant, TokenError> {
        let installation = credentials.installation().map_err(TokenError::Credentials)?;
        let key = credentials.key().map_err(TokenError::Credentials)?;
        let jwt = app_jwt::sign(&key, &credentials.app_id, self.clock.now())
            .map_err(|error| TokenError::Credentials(CredentialError::Key(error)))?;
        let request = rest::create_access_token(&self.api, installation, &jwt)
            .map_err(|error| TokenError::Send(client::Error::Build(error)))?;
        let reply = self
            .client
            .send_following(request, Deadline::call(&self.timeouts, REST_BODY))
            .await
            .map_err(TokenError::Send)?;
        rest::decode_access_token(&reply).map_err(TokenError::Refused)
    }

    async fn read(&self) -> Result<AppCredentials, CredentialError> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source.read()).await;
        // Only a panic in the source, or the end of the runtime, gets here.
        read.unwrap_or(Err(CredentialError::Malformed("the credential source")))
    }
}
