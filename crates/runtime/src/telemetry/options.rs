//! Level and form of log lines, as words of the command line.

use std::str::FromStr;

use tracing::level_filters::LevelFilter;

/// Level and form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// How a line is written.
    pub encoder: Encoder,
    /// The least important level that is written.
    pub level: Level,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoder {
    /// For machines: one JSON object a line.
    #[default]
    Json,
    /// For people.
    Console,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    /// Internals.
    Debug,
    /// Milestones.
    #[default]
    Info,
    /// Something is not as it should be, and the program goes on.
    Warn,
    /// Something that was asked for did not happen.
    Error,
}

/// A word that names no level or encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not one of {known}")]
pub struct UnknownWord {
    word: String,
    known: &'static str,
}

impl FromStr for Level {
    type Err = UnknownWord;

    /// Takes zap's words, and its verbosities: 0 is info, what is above is debug. An empty variable means info.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.to_ascii_lowercase().as_str() {
            "debug" => Ok(Level::Debug),
            "info" | "" => Ok(Level::Info),
            "warn" | "warning" => Ok(Level::Warn),
            "error" | "dpanic" | "panic" | "fatal" => Ok(Level::Error),
            other => match other.parse::<u8>() {
                Ok(0) => Ok(Level::Info),
                Ok(_) => Ok(Level::Debug),
                Err(_) => {
                    Err(UnknownWord { word: word.to_owned(), known: "debug, info, warn, error, 0 to 255" })
                }
            },
        }
    }
}

impl FromStr for Encoder {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "json" => Ok(Encoder::Json),
            "console" => Ok(Encoder::Console),
            _ => Err(UnknownWord { word: word.to_owned(), known: "json, console" }),
        }
    }
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        }
    }
}
