//! A2: the installation's token (protocol §1.4).

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::{RestError, call, success};
use crate::reply::Reply;
use crate::request::{BuildError, Request};
use crate::secret::{AppJwt, InstallationToken};
use crate::url::ApiBase;

/// Where an App is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InstallationId(pub u64);

/// A fresh installation token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallationGrant {
    /// The token.
    pub token: InstallationToken,
    /// From then on every call answers 401.
    pub expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Body {
    token: String,
    expires_at: Timestamp,
}

/// A2: mints a token with all the rights of the installation.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn create_access_token(
    api: &ApiBase,
    installation: InstallationId,
    jwt: &AppJwt,
) -> Result<Request, BuildError> {
    let id = installation.0.to_string();
    let url = api.join(&["app", "installations", &id, "access_tokens"]);
    call(Method::POST, url).bearer(jwt).build()
}

/// Reads the answer to A2.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_access_token(reply: &Reply) -> Result<InstallationGrant, RestError> {
    let body: Body = success(reply, StatusCode::CREATED)?;
    Ok(InstallationGrant { token: InstallationToken::new(body.token), expires_at: body.expires_at })
}
