//! Durations as Kubernetes users write them: `90s`, `1h30m`, `1.5h`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The longest text that is taken.
const MAX_LENGTH: usize = 32;

/// A non-negative duration in Go's notation: numbers with the units `h`, `m`, `s`, `ms`, in any order.
///
/// It keeps the text it was read from, so that an object that passes through us is not rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration {
    text: String,
    value: Duration,
}

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: write numbers with the units h, m, s or ms, as in 90s or 1h30m")]
pub struct ParseError {
    text: String,
}

impl GoDuration {
    /// The duration as a number.
    pub fn get(&self) -> Duration {
        self.value
    }

    /// `n` seconds, written in seconds.
    pub fn from_secs(n: u32) -> Self {
        Self { text: format!("{n}s"), value: Duration::from_secs(n.into()) }
    }

    /// `n` minutes, written in minutes.
    pub fn from_minutes(n: u32) -> Self {
        Self { text: format!("{n}m"), value: Duration::from_secs(60 * u64::from(n)) }
    }

    /// `n` hours, written in hours.
    pub fn from_hours(n: u32) -> Self {
        Self { text: format!("{n}h"), value: Duration::from_secs(3600 * u64::from(n)) }
    }
}

impl TryFrom<String> for GoDuration {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        match parse(&text) {
            Some(value) => Ok(Self { text, value }),
            None => Err(ParseError { text }),
        }
    }
}

impl std::str::FromStr for GoDuration {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::try_from(text.to_owned())
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.text
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 2,
            "maxLength": MAX_LENGTH,
            "pattern": r"^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h))+$",
        })
    }
}

fn parse(text: &str) -> Option<Duration> {
    if text.is_empty() || text.len() > MAX_LENGTH {
        return None;
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let (unit, tail) = unit(tail)?;
        let number: f64 = well_formed(number).then(|| number.parse().ok())??;
        total = total.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
        rest = tail;
    }
    Some(total)
}

/// Seconds in the unit that `text` begins with, and what follows it.
fn unit(text: &str) -> Option<(f64, &str)> {
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)]
        .into_iter()
        .find_map(|(name, seconds)| Some((seconds, text.strip_prefix(name)?)))
}

/// Whether `number` is what the schema's pattern takes: up to nine digits, perhaps a fraction of up to nine.
fn well_formed(number: &str) -> bool {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    [whole, fraction].iter().all(|it| (1..=9).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
