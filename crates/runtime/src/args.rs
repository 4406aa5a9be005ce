//! The logging flags that all programs take, for `#[command(flatten)]`.

use clap::builder::PossibleValuesParser;

use crate::telemetry::{Encoder, Level, LogOptions};

/// Flags under the names that users of controller-runtime know. A line has one form wherever it is written, so two of them
/// change nothing: manifests that set them go on working.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// Lines for people, at debug level, unless the other two say otherwise
    #[arg(
        long = "zap-devel",
        value_name = "BOOL",
        default_value_t = false,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    devel: bool,

    /// How a line is written [default: json, console with --zap-devel]
    #[arg(long = "zap-encoder", value_name = "json|console")]
    encoder: Option<Encoder>,

    /// The least important level that is written: debug, info, warn, error, or a verbosity (0 is info, more is debug) [default: info]
    #[arg(long = "zap-log-level", value_name = "LEVEL", env = "LOG_LEVEL")]
    level: Option<Level>,

    /// Accepted and without effect: no line has a stack trace, at any level
    #[arg(
        long = "zap-stacktrace-level",
        value_name = "LEVEL",
        value_parser = PossibleValuesParser::new(["debug", "info", "error", "panic"]),
        ignore_case = true
    )]
    _stacktrace_level: Option<String>,

    /// Accepted and without effect: `time` is RFC 3339 in UTC with microseconds, in every program
    #[arg(
        long = "zap-time-encoding",
        value_name = "ENCODING",
        value_parser = PossibleValuesParser::new(TIME_ENCODINGS),
        ignore_case = true
    )]
    _time_encoding: Option<String>,
}

/// What controller-runtime takes, and `nano`, which its help says where it takes `nanos`.
const TIME_ENCODINGS: [&str; 7] = ["epoch", "millis", "nano", "nanos", "iso8601", "rfc3339", "rfc3339nano"];

impl LogArgs {
    /// What was decided from what was typed.
    pub fn options(&self) -> LogOptions {
        LogOptions {
            encoder: self.encoder.unwrap_or(if self.devel { Encoder::Console } else { Encoder::Json }),
            level: self.level.unwrap_or(if self.devel { Level::Debug } else { Level::Info }),
        }
    }
}

#[cfg(test)]
mod tests;
