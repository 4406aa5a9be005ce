//! What a refusal of the REST API means.

use http::StatusCode;
use serde::Deserialize;

use crate::limits::REST_BODY;
use crate::rate_limit::RateLimit;
use crate::reply::{BodyError, Reply, clip, header, json, plain_text};

/// GitHub's REST API did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("GitHub answered {status}: {message}{}", .request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default())]
pub struct RestError {
    /// HTTP status.
    pub status: StatusCode,
    /// What to make of it.
    pub kind: RestErrorKind,
    /// GitHub's words, clipped.
    pub message: String,
    /// `X-GitHub-Request-Id`: what GitHub's support asks for.
    pub request_id: Option<String>,
}

/// The tables of protocol §1.4, §1.6 and §2.3, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestErrorKind {
    /// 401: the token is bad, expired, or signed with the wrong clock.
    Unauthorized,
    /// 403 that is no rate limit: a permission is missing. Trying again is useless.
    Forbidden,
    /// 404 or 410: not there, or not for us to see.
    NotFound,
    /// 409: the name is taken, or the thing is in another state.
    Conflict,
    /// 422: the request itself is wrong.
    Unprocessable,
    /// Later.
    RateLimited(RateLimit),
    /// 408, 5xx: try again with back-off.
    Transient,
    /// A success whose body makes no sense: cut on its way. Try again with back-off.
    Malformed,
    /// Anything else.
    Other,
}

impl RestErrorKind {
    /// Whether the same request may succeed later without anyone changing anything.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited(_) | Self::Transient | Self::Malformed)
    }
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    Field {
        #[serde(default)]
        resource: String,
        #[serde(default)]
        field: String,
        #[serde(default)]
        code: String,
    },
    Other(serde::de::IgnoredAny),
}

impl RestError {
    /// Classifies an answer that is no success.
    pub(crate) fn of(reply: &Reply) -> Self {
        let status = reply.status();
        let message = message(reply);
        if let Some(limit) = RateLimit::of(reply, &message) {
            return Self::new(reply, RestErrorKind::RateLimited(limit), message);
        }
        let kind = match status {
            StatusCode::UNAUTHORIZED => RestErrorKind::Unauthorized,
            StatusCode::FORBIDDEN => RestErrorKind::Forbidden,
            StatusCode::NOT_FOUND | StatusCode::GONE => RestErrorKind::NotFound,
            StatusCode::CONFLICT => RestErrorKind::Conflict,
            StatusCode::UNPROCESSABLE_ENTITY => RestErrorKind::Unprocessable,
            StatusCode::REQUEST_TIMEOUT => RestErrorKind::Transient,
            _ if status.is_server_error() => RestErrorKind::Transient,
            _ => RestErrorKind::Other,
        };
        Self::new(reply, kind, message)
    }

    pub(crate) fn malformed(reply: &Reply, error: &BodyError) -> Self {
        Self::new(reply, RestErrorKind::Malformed, error.to_string())
    }

    fn new(reply: &Reply, kind: RestErrorKind, message: String) -> Self {
        Self {
            status: reply.status(),
            kind,
            message,
            request_id: header(reply, "x-github-request-id").map(clip),
        }
    }

    /// Whether GitHub's words contain these, whatever their case. `words` is lower case.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.message.to_ascii_lowercase().contains(words)
    }
}

/// The message, and for a 422 also what it says about which field.
fn message(reply: &Reply) -> String {
    let Ok(body) = json::<ErrorBody>(reply.body(), REST_BODY) else {
        return plain_text(reply.body());
    };
    let mut message = body.message;
    for detail in body.errors {
        match detail {
            Detail::Text(text) => message.push_str(&format!("; {text}")),
            Detail::Field { resource, field, code } => {
                message.push_str(&format!("; {resource}.{field}: {code}"));
            }
            Detail::Other(_) => {}
        }
    }
    clip(&message)
}
