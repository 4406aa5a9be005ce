//! Times as .NET writes them (protocol §0.5).

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, de};

/// The text is not a time or a span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a timestamp of the service")]
pub struct InvalidTime;

/// A `DateTime` of the service dialect; `None` is the unset value, year 1 with or without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceTime(pub Option<Timestamp>);

impl<'de> Deserialize<'de> for ServiceTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_time(&text).map(Self).map_err(de::Error::custom)
    }
}

/// Parses a `DateTime`: a time without a zone is UTC, and year 1 means "not set".
///
/// # Errors
/// [`InvalidTime`] when it is neither.
///
/// ```
/// use github_proto::timestamp::parse_time;
/// assert_eq!(parse_time("0001-01-01T00:00:00"), Ok(None));
/// assert!(parse_time("2026-09-01T10:20:00.0000000Z").unwrap().is_some());
/// ```
pub fn parse_time(text: &str) -> Result<Option<Timestamp>, InvalidTime> {
    if text.starts_with("0001-01-01T00:00:00") {
        return Ok(None);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Some(time));
    }
    let local: DateTime = text.parse().map_err(|_| InvalidTime)?;
    let zoned = local.to_zoned(TimeZone::UTC).map_err(|_| InvalidTime)?;
    Ok(Some(zoned.timestamp()))
}

/// Parses a `TimeSpan`: `hh:mm:ss` or `d.hh:mm:ss[.fffffff]`. Negative spans are refused.
///
/// # Errors
/// [`InvalidTime`] when it is not of that form or does not fit.
///
/// ```
/// use std::time::Duration;
/// use github_proto::timestamp::parse_span;
/// assert_eq!(parse_span("00:05:00"), Ok(Duration::from_secs(300)));
/// assert_eq!(parse_span("1.00:00:01.5"), Ok(Duration::from_millis(86_401_500)));
/// ```
pub fn parse_span(text: &str) -> Result<Duration, InvalidTime> {
    let mut parts = text.split(':');
    let (Some(head), Some(minutes), Some(tail), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(InvalidTime);
    };
    let (days, hours) = head.split_once('.').unwrap_or(("0", head));
    let (seconds, fraction) = tail.split_once('.').unwrap_or((tail, ""));
    let whole = [(days, 86_400), (hours, 3_600), (minutes, 60), (seconds, 1)]
        .into_iter()
        .try_fold(0u64, |sum, (digits, unit)| number(digits)?.checked_mul(unit)?.checked_add(sum))
        .ok_or(InvalidTime)?;
    Ok(Duration::new(whole, nanoseconds(fraction).ok_or(InvalidTime)?))
}

/// Digits only: `u64::from_str` would take a sign.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() {
        return Some(0);
    }
    let padded = format!("{fraction:0<9}");
    u32::try_from(number(&padded)?).ok().filter(|&it| it < 1_000_000_000)
}

#[cfg(test)]
mod tests;
