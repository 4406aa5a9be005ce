//! Log lines: one JSON object a line on stdout, in the schema that all our programs share
//! (`docs/reference/log.schema.json`), with the ids of the run on every line.

use std::io::{self, Write};
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// How much a line matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Internals.
    Debug,
    /// Milestones.
    #[default]
    Info,
    /// Something was skipped or cut short.
    Warn,
    /// The job cannot go on.
    Error,
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        match word.to_ascii_lowercase().as_str() {
            "debug" => Ok(Level::Debug),
            "info" => Ok(Level::Info),
            "warn" => Ok(Level::Warn),
            "error" => Ok(Level::Error),
            _ => Err(UnknownLevel),
        }
    }
}

/// A word that is no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log level is one of debug, info, warn, error")]
pub struct UnknownLevel;

/// A field of one line.
pub type Field<'a> = (&'a str, Value);

/// Writes the lines at or above its level.
#[derive(Debug, Default)]
pub struct Log {
    level: Level,
    context: Map<String, Value>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: Level,
    msg: &'a str,
    target: &'static str,
    component: &'static str,
    #[serde(flatten)]
    context: &'a Map<String, Value>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Log {
    /// A log without context.
    pub fn new(level: Level) -> Log {
        Log { level, context: Map::new() }
    }

    /// The same log with these fields on every line.
    pub fn with_context(self, context: Map<String, Value>) -> Log {
        Log { context, ..self }
    }

    /// Writes one line. A container log that cannot be written to is no reason to fail a job.
    pub fn write(&self, level: Level, msg: &str, fields: &[Field<'_>]) {
        if level >= self.level {
            let line = self.line(Timestamp::now(), level, msg, fields);
            let _ = io::stdout().lock().write_all(line.as_bytes());
        }
    }

    /// A milestone.
    pub fn info(&self, msg: &str, fields: &[Field<'_>]) {
        self.write(Level::Info, msg, fields);
    }

    /// Something was skipped or cut short.
    pub fn warn(&self, msg: &str, fields: &[Field<'_>]) {
        self.write(Level::Warn, msg, fields);
    }

    /// The job cannot go on.
    pub fn error(&self, msg: &str, fields: &[Field<'_>]) {
        self.write(Level::Error, msg, fields);
    }

    fn line(&self, time: Timestamp, level: Level, msg: &str, fields: &[Field<'_>]) -> String {
        let line = Line {
            time: format!("{time:.6}"),
            level,
            msg,
            target: "worker",
            component: "worker",
            context: &self.context,
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests;
