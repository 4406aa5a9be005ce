//! When GitHub says "later" (protocol §1.6).

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::reply::{Reply, header};

/// Nothing GitHub documents asks for more than an hour; a clock that is off must not park us for a day.
const LONGEST: Duration = Duration::from_secs(3600);

/// What a limit without a header deserves at least.
const UNSPECIFIED: Duration = Duration::from_secs(60);

/// How long a rate limit lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// `Retry-After` in seconds.
    After(Duration),
    /// `Retry-After` as a date, or the reset time of the primary limit.
    Until(Timestamp),
    /// The answer does not say: at least a minute.
    Unspecified,
}

impl RateLimit {
    /// How long to wait from `now` on: never negative, never more than an hour.
    pub fn delay(self, now: Timestamp) -> Duration {
        let wait = match self {
            Self::After(wait) => wait,
            Self::Until(when) => Duration::try_from(when.duration_since(now)).unwrap_or_default(),
            Self::Unspecified => UNSPECIFIED,
        };
        wait.min(LONGEST)
    }

    /// Whether this answer is a rate limit, by the table of protocol §1.6. A 403 may be one.
    pub(crate) fn of(reply: &Reply, message: &str) -> Option<Self> {
        let status = reply.status();
        if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::FORBIDDEN {
            return None;
        }
        if let Some(text) = header(reply, "retry-after") {
            return Some(Self::parse_retry_after(text));
        }
        if header(reply, "x-ratelimit-remaining").map(str::trim) == Some("0") {
            let reset = header(reply, "x-ratelimit-reset")
                .and_then(|text| text.trim().parse().ok())
                .and_then(|seconds| Timestamp::from_second(seconds).ok());
            return Some(reset.map_or(Self::Unspecified, Self::Until));
        }
        let secondary = message.to_ascii_lowercase().contains("secondary rate limit");
        (secondary || status == StatusCode::TOO_MANY_REQUESTS).then_some(Self::Unspecified)
    }

    fn parse_retry_after(text: &str) -> Self {
        let text = text.trim();
        if let Ok(seconds) = text.parse() {
            return Self::After(Duration::from_secs(seconds));
        }
        // An HTTP date is an RFC 2822 date with the zone written as GMT.
        jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).map_or(Self::Unspecified, Self::Until)
    }
}

#[cfg(test)]
mod tests;
