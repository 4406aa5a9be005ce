//! The environment of the runner, which every step inherits: put together here and nowhere else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use handoff::worker::{RunInfo, WRAPPER_ENV};

use crate::dotenv;

/// Variables by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// The variable that lets a step's own spans join the job's trace (W3C Trace Context).
pub const TRACEPARENT: &str = "TRACEPARENT";

/// The value of a variable, if it is text.
pub fn text(environment: &Environment, name: &str) -> Option<String> {
    environment.get(OsStr::new(name))?.to_str().map(str::to_owned)
}

/// What the container has, without what only the wrapper reads; the trace; the CA bundle; then the image's `.env`, which
/// may set, replace and unset any of them. Last the two that the listener sees to when it starts the runner, whatever
/// `.env` says (protocol §6.8).
pub fn build(
    container: Environment,
    run: &RunInfo,
    trust: impl IntoIterator<Item = (&'static str, OsString)>,
    dotenv: &str,
) -> Environment {
    let mut all = container;
    for name in WRAPPER_ENV {
        all.remove(OsStr::new(name));
    }
    if let Some(parent) = traceparent(run) {
        all.entry(TRACEPARENT.into()).or_insert_with(|| parent.into());
    }
    all.extend(trust.into_iter().map(|(name, value)| (name.into(), value)));
    for (name, value) in dotenv::lines(dotenv) {
        match value {
            Some(value) => all.insert(name.into(), value.into()),
            None => all.remove(OsStr::new(name)),
        };
    }
    all.insert("GITHUB_ACTIONS".into(), "true".into());
    all.entry("CI".into()).or_insert_with(|| "true".into());
    all
}

/// `None` where the ids are no trace ids, as those of a run that could not be read.
fn traceparent(run: &RunInfo) -> Option<String> {
    let trace = id(&run.trace_id, 32)?;
    let span = id(&run.run_span_id, 16).or_else(|| id(&run.span_id, 16))?;
    let flags = if run.sampled == Some(false) { "00" } else { "01" };
    Some(format!("00-{trace}-{span}-{flags}"))
}

/// All zeros are no id, and the header is written in lower case.
fn id(text: &str, length: usize) -> Option<String> {
    let valid = text.len() == length
        && text.bytes().all(|it| it.is_ascii_hexdigit())
        && text.bytes().any(|it| it != b'0');
    valid.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
