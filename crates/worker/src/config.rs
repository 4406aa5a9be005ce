//! What the wrapper was told by its environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use handoff::proxy::ENV_PROXY_CA;
use handoff::worker::{
    CLAIM_DIR, ENV_CLAIM, ENV_GITHUB_CA, ENV_LOG_LEVEL, ENV_PAYLOAD_DIR, ENV_POD_GRACE, ENV_RUN_DIR,
    ENV_RUNNER_HOME, ENV_SHUTDOWN_GRACE, ENV_STOP_FILE, ENV_TERMINATION_PATH, PAYLOAD_DIR, RUN_DIR,
    RUNNER_HOME, STOP_DIR, STOP_FILE,
};
use jiff::SignedDuration;

use crate::ca;
use crate::log::Level;
use crate::stop::Limits;

/// Where the kubelet looks unless the container says otherwise.
const TERMINATION_PATH: &str = "/dev/termination-log";

/// The grace of a pod that names none, in Kubernetes.
const POD_GRACE: Duration = Duration::from_secs(30);

/// Everything that `run` and `install` may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Wrapper and claim, in memory.
    pub run_dir: PathBuf,
    /// The claim's files, relative to that.
    pub claim: PathBuf,
    /// The mounted payload Secret.
    pub payload_dir: PathBuf,
    /// Root of the runner, parent of `bin`.
    pub home: PathBuf,
    /// CA file of the egress proxy, to add to the system's.
    pub proxy_ca: Option<PathBuf>,
    /// CA file of GitHub, to add to the system's.
    pub github_ca: Option<PathBuf>,
    /// The system's bundle is the first of these that is there.
    pub system_cas: Vec<PathBuf>,
    /// Shows the request to stop, when there is one.
    pub stop_file: PathBuf,
    /// What a SIGTERM leaves.
    pub limits: Limits,
    /// Lines below this are not written.
    pub log_level: Level,
    /// A value that is adjusted, with a warning; it fails no job.
    pub doubts: Vec<Doubt>,
}

/// A value that another one stands in for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The level is unknown.
    #[error("{ENV_LOG_LEVEL}: {0:?} is not debug, info, warn or error; info is used")]
    LogLevel(String),
    /// The kubelet would kill the pod before that.
    #[error(
        "{ENV_SHUTDOWN_GRACE} of {wanted:?} is capped at {room:?}, 5 s less than {ENV_POD_GRACE} of {pod:?}"
    )]
    Grace {
        /// The value.
        wanted: Duration,
        /// What is used.
        room: Duration,
        /// The pod's grace.
        pod: Duration,
    },
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
        let mut doubts = Vec::new();
        Ok(Config {
            run_dir: path(ENV_RUN_DIR, RUN_DIR),
            claim: set(&env, ENV_CLAIM).iter().fold(PathBuf::from(CLAIM_DIR), |dir, name| dir.join(name)),
            payload_dir: path(ENV_PAYLOAD_DIR, PAYLOAD_DIR),
            home: path(ENV_RUNNER_HOME, RUNNER_HOME),
            proxy_ca: set(&env, ENV_PROXY_CA).map(Into::into),
            github_ca: set(&env, ENV_GITHUB_CA).map(Into::into),
            system_cas: system_cas.map(Into::into).collect(),
            stop_file: set(&env, ENV_STOP_FILE)
                .map_or_else(|| Path::new(STOP_DIR).join(STOP_FILE), Into::into),
            limits: limits(&env, &mut doubts)?,
            log_level: log_level(&env, &mut doubts),
            doubts,
        })
    }
}

fn limits(env: impl Fn(&str) -> Option<String>, doubts: &mut Vec<Doubt>) -> Result<Limits, Error> {
    let whole = |it: &str| it.parse().ok().map(Duration::from_secs);
    let pod = parsed(&env, ENV_POD_GRACE, "a whole number of seconds", whole)?.unwrap_or(POD_GRACE);
    let wanted = parsed(&env, ENV_SHUTDOWN_GRACE, "a duration, as in 25s", duration)?;
    let room = Limits::room(pod);
    doubts.extend(wanted.filter(|it| *it > room).map(|wanted| Doubt::Grace { wanted, room, pod }));
    Ok(Limits::new(pod, wanted))
}

/// The variable's name is a common one, and an image's own word for it no reason to fail a job.
fn log_level(env: impl Fn(&str) -> Option<String>, doubts: &mut Vec<Doubt>) -> Level {
    let word = set(env, ENV_LOG_LEVEL);
    match word.as_deref().map(str::parse) {
        None => Level::default(),
        Some(Ok(level)) => level,
        Some(Err(_)) => {
            doubts.extend(word.map(Doubt::LogLevel));
            Level::default()
        }
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
