//! REST calls in the name of the App: runners, runs, and `/meta`.

mod runners;
mod runs;

use bytes::Bytes;
use github_proto::InstallationToken;
use github_proto::limits::{META_BODY, REST_BODY};
use github_proto::request::{BuildError, Request};
use github_proto::rest::{self, Meta, Page, RestError, RestErrorKind};
use github_proto::url::{ApiBase, Target};
use http::{HeaderValue, Response};

pub use runners::Registration;

use crate::Timeouts;
use crate::client::{self, Client, Deadline};
use crate::token::{InstallationTokens, TokenError};

/// Lists are read up to this many pages: 10,000 runners are GitHub's limit for a group.
const MAX_PAGES: u32 = 100;

/// A REST call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No installation token.
    #[error("no installation token to call GitHub with")]
    Token(#[source] TokenError),
    /// No answer.
    #[error("failed to reach GitHub")]
    Send(#[source] client::Error),
    /// GitHub refused.
    #[error("GitHub refused")]
    Refused(#[source] RestError),
}

impl AppError {
    /// What GitHub's refusal means, if it was one.
    pub fn kind(&self) -> Option<RestErrorKind> {
        match self {
            Self::Refused(error) => Some(error.kind),
            Self::Token(_) | Self::Send(_) => None,
        }
    }

    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Token(error) => error.is_transient(),
            Self::Send(_) => true,
            Self::Refused(error) => error.kind.is_transient(),
        }
    }
}

/// The App at one installation, for one configured URL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    client: Client,
    target: Target,
    tokens: InstallationTokens,
    timeouts: Timeouts,
}

impl App {
    /// Puts the parts together.
    pub fn new(client: Client, target: Target, tokens: InstallationTokens, timeouts: Timeouts) -> Self {
        Self { client, target, tokens, timeouts }
    }

    /// Whose runners are meant, and where they are registered.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// One call: with the token at hand, and once more with a new one if GitHub does not take that.
    async fn call<T>(
        &self,
        build: impl Fn(&InstallationToken) -> Result<Request, BuildError>,
        decode: impl Fn(&Response<Bytes>) -> Result<T, RestError>,
    ) -> Result<T, AppError> {
        let token = self.tokens.get().await.map_err(AppError::Token)?;
        match self.once(&token, &build, &decode).await {
            Err(error) if error.kind() == Some(RestErrorKind::Unauthorized) => {
                let token = self.tokens.replace(&token).await.map_err(AppError::Token)?;
                self.once(&token, &build, &decode).await
            }
            done => done,
        }
    }

    async fn once<T>(
        &self,
        token: &InstallationToken,
        build: &impl Fn(&InstallationToken) -> Result<Request, BuildError>,
        decode: &impl Fn(&Response<Bytes>) -> Result<T, RestError>,
    ) -> Result<T, AppError> {
        let request = build(token).map_err(|error| AppError::Send(client::Error::Build(error)))?;
        let reply = self
            .client
            .send_following(request, Deadline::call(&self.timeouts, REST_BODY))
            .await
            .map_err(AppError::Send)?;
        decode(&reply).map_err(AppError::Refused)
    }

    /// Reads a list page by page.
    async fn all<T>(
        &self,
        build: impl Fn(&InstallationToken, u32) -> Result<Request, BuildError>,
        decode: impl Fn(&Response<Bytes>) -> Result<Page<T>, RestError>,
    ) -> Result<Vec<T>, AppError> {
        let mut items = Vec::new();
        for page in 1..=MAX_PAGES {
            let read = self.call(|token| build(token, page), &decode).await?;
            items.extend(read.items);
            if !read.more {
                break;
            }
        }
        Ok(items)
    }
}

/// M1, without a token. `etag` of the last answer makes an unchanged one cost nothing.
///
/// # Errors
/// [`AppError`], never for want of a token.
pub async fn meta(
    client: &Client,
    api: &ApiBase,
    etag: Option<&HeaderValue>,
    timeouts: &Timeouts,
) -> Result<Meta, AppError> {
    let request = rest::meta(api, etag).map_err(|error| AppError::Send(client::Error::Build(error)))?;
    let reply =
        client.send_following(request, Deadline::call(timeouts, META_BODY)).await.map_err(AppError::Send)?;
    rest::decode_meta(&reply).map_err(AppError::Refused)
}
