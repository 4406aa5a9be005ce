//! How a runner gets its own token: an assertion it signs, exchanged at the address its credentials
//! name (protocol §3).

use std::time::Duration;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use crate::any_case::any_case;
use crate::limits::OAUTH_BODY;
use crate::rate_limit::RateLimit;
use crate::reply::{BodyError, Reply, clip, json, plain_text};
use crate::request::{BuildError, Draft, Request};
use crate::rsa::{Algorithm, KeyError, RsaKey};
use crate::secret::{Assertion, RunnerToken};

const ASSERTION_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who a runner is to the token service; the key that proves it is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `iss` and `sub`.
    pub client_id: String,
    /// Where the token is asked for.
    pub address: TokenAddress,
    /// Where it is asked for when `address` refuses: GitHub moves its token service (protocol §3.3).
    pub address_v2: Option<TokenAddress>,
    /// Sign with PS256.
    pub require_fips: bool,
}

/// One address of the token service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAddress {
    /// `aud`, byte for byte as it came.
    pub audience: String,
    /// Where the assertion goes.
    pub endpoint: Url,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iss: &'a str,
    aud: &'a str,
    jti: &'a str,
    nbf: i64,
    exp: i64,
}

/// Signs an assertion for one of the addresses. `jti` must be a fresh random UUID for each one: the service insists on it.
///
/// # Errors
/// [`KeyError::Sign`] when the crypto library refuses.
pub fn assertion(
    credentials: &Credentials,
    address: &TokenAddress,
    key: &RsaKey,
    jti: &str,
    now: Timestamp,
) -> Result<Assertion, KeyError> {
    let expires = now.saturating_add(ASSERTION_LIFETIME).map_err(|_| KeyError::Sign)?;
    let claims = Claims {
        sub: &credentials.client_id,
        iss: &credentials.client_id,
        aud: &address.audience,
        jti,
        nbf: now.as_second(),
        exp: expires.as_second(),
    };
    let algorithm = if credentials.require_fips { Algorithm::Ps256 } else { Algorithm::Rs256 };
    key.jwt(algorithm, &claims).map(Assertion::new)
}

/// O1: trades the assertion for a token at the address that it was made for.
///
/// # Errors
/// [`BuildError`] when the address cannot be requested.
pub fn token_request(address: &TokenAddress, assertion: &Assertion) -> Result<Request, BuildError> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_assertion_type", ASSERTION_TYPE)
        .append_pair("client_assertion", assertion.expose())
        .finish();
    Draft::new(Method::POST, address.endpoint.clone(), "application/json")
        .bytes("application/x-www-form-urlencoded", form.into_bytes())
        .build()
}

/// A runner's token and how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The token.
    pub token: RunnerToken,
    /// `None` when the service does not say.
    pub expires_in: Option<Duration>,
}

any_case! {
    struct GrantBody {
        access_token: String = "access_token",
        expires_in: Seconds = "expires_in",
    }
}

any_case! {
    struct ErrorBody {
        error: String = "error",
        description: String = "error_description",
        message: String = "message",
    }
}

/// Seconds as a number, whole or not, or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    fn duration(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        Duration::try_from_secs_f64(seconds).ok().filter(|it| !it.is_zero())
    }
}

/// The token service said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token service answered {status}: {message}")]
pub struct OAuthError {
    /// HTTP status.
    pub status: StatusCode,
    /// What it means for the runner.
    pub kind: OAuthErrorKind,
    /// The service's words, clipped.
    pub message: String,
}

impl OAuthError {
    /// The service has judged: the same question will have the same answer, here.
    pub fn is_verdict(&self) -> bool {
        match self.kind {
            OAuthErrorKind::NotRegistered | OAuthErrorKind::Rejected => true,
            OAuthErrorKind::Transient => {
                self.status.is_client_error() && self.status != StatusCode::REQUEST_TIMEOUT
            }
            OAuthErrorKind::ClockSkew | OAuthErrorKind::RateLimited(_) => false,
        }
    }
}

/// What a refusal means (protocol §3.2, §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthErrorKind {
    /// The registration is not known: not *yet* when it is seconds old, else consumed or deleted.
    NotRegistered,
    /// Refused; for a JIT record this means consumed.
    Rejected,
    /// Our clock is more than five minutes off. Signing again at once cannot help.
    ClockSkew,
    /// Later.
    RateLimited(RateLimit),
    /// Try again.
    Transient,
}

/// Reads the answer to O1.
///
/// # Errors
/// [`OAuthError`], classified.
pub fn decode(reply: &Reply) -> Result<Grant, OAuthError> {
    if reply.status() != StatusCode::OK {
        return Err(refusal(reply));
    }
    let malformed = |error: BodyError| OAuthError {
        status: reply.status(),
        kind: OAuthErrorKind::Transient,
        message: error.to_string(),
    };
    let body: GrantBody = json(reply.body(), OAUTH_BODY).map_err(malformed)?;
    let token = body
        .access_token
        .filter(|token| !token.is_empty())
        .ok_or_else(|| malformed(BodyError::Field("access_token")))?;
    Ok(Grant { token: RunnerToken::new(token), expires_in: body.expires_in.and_then(|it| it.duration()) })
}

fn refusal(reply: &Reply) -> OAuthError {
    let status = reply.status();
    let body: ErrorBody = json(reply.body(), OAUTH_BODY).unwrap_or_default();
    let described = body.description.or(body.message);
    let message =
        described.as_deref().or(body.error.as_deref()).map_or_else(|| plain_text(reply.body()), clip);
    let says = message.to_ascii_lowercase();
    let unknown = says.contains("registration") && says.contains("not found");
    let invalid_client = body.error.as_deref() == Some("invalid_client");

    let kind = if let Some(limit) = RateLimit::of(reply, &message) {
        OAuthErrorKind::RateLimited(limit)
    } else {
        match status {
            StatusCode::BAD_REQUEST if says.contains("current server time is") => OAuthErrorKind::ClockSkew,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if unknown || invalid_client => {
                OAuthErrorKind::NotRegistered
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => OAuthErrorKind::Rejected,
            _ => OAuthErrorKind::Transient,
        }
    };
    OAuthError { status, kind, message }
}

#[cfg(test)]
mod tests;
