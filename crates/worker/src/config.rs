//! What the wrapper was told by its environment.

use std::path::PathBuf;
use std::time::Duration;

use handoff::worker::{
    ENV_GITHUB_CA, ENV_LOG_LEVEL, ENV_PAYLOAD_DIR, ENV_PROXY_CA, ENV_RUN_DIR, ENV_RUNNER_HOME,
    ENV_SHUTDOWN_GRACE, ENV_TERMINATION_PATH, PAYLOAD_DIR, RUN_DIR,
};
use jiff::SignedDuration;

use crate::ca;
use crate::log::Level;

/// Home of the stock runner image.
const RUNNER_HOME: &str = "/home/runner";

/// Where the kubelet looks unless the container says otherwise.
const TERMINATION_PATH: &str = "/dev/termination-log";

/// Five seconds less than the pod's own grace, so that the report is written before the kubelet loses patience.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(25);

/// Everything that `run` and `install` may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Wrapper and claim, in memory.
    pub run_dir: PathBuf,
    /// The mounted payload Secret.
    pub payload_dir: PathBuf,
    /// Root of the runner, parent of `bin`.
    pub home: PathBuf,
    /// CA files to add to the system's.
    pub extra_cas: Vec<PathBuf>,
    /// The system's bundle is the first of these that is there.
    pub system_cas: Vec<PathBuf>,
    /// Between asking the runner to stop and killing it.
    pub grace: Duration,
    /// Lines below this are not written.
    pub log_level: Level,
}

/// A variable that says something we cannot use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name}: {value:?} is not {expected}")]
pub struct Error {
    name: &'static str,
    value: String,
    expected: &'static str,
}

/// Where the termination report goes: known before anything else can fail.
pub fn report_path(env: impl Fn(&str) -> Option<String>) -> PathBuf {
    set(&env, ENV_TERMINATION_PATH).unwrap_or_else(|| TERMINATION_PATH.into()).into()
}

impl Config {
    /// Reads the environment. An empty value counts as unset, as a manifest cannot unset a variable of the image.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let path = |name, default: &str| PathBuf::from(set(&env, name).unwrap_or_else(|| default.into()));
        let system_cas = set(&env, ca::VARIABLES[0]).into_iter().chain(ca::SYSTEM_BUNDLES.map(str::to_owned));
        Ok(Config {
            run_dir: path(ENV_RUN_DIR, RUN_DIR),
            payload_dir: path(ENV_PAYLOAD_DIR, PAYLOAD_DIR),
            home: path(ENV_RUNNER_HOME, RUNNER_HOME),
            extra_cas: [ENV_PROXY_CA, ENV_GITHUB_CA]
                .iter()
                .filter_map(|it| set(&env, it))
                .map(Into::into)
                .collect(),
            system_cas: system_cas.map(Into::into).collect(),
            grace: parsed(&env, ENV_SHUTDOWN_GRACE, "a duration, as in 25s", duration)?
                .unwrap_or(SHUTDOWN_GRACE),
            log_level: parsed(&env, ENV_LOG_LEVEL, "debug, info, warn or error", |it| it.parse().ok())?
                .unwrap_or_default(),
        })
    }
}

fn set(env: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    env(name).filter(|it| !it.is_empty())
}

fn parsed<T>(
    env: impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    let Some(value) = set(env, name) else { return Ok(None) };
    parse(&value).map(Some).ok_or(Error { name, value, expected })
}

/// A duration with its units (`1m30s`, `500ms`), or a bare number of seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    text.parse::<SignedDuration>().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
