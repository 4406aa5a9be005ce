//! The termination report: what the wrapper knows about the runner, and the one line that it leaves for the controller.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use handoff::worker::TerminationReport;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Lists what the runner was built from, itself first: about 30 KiB.
const DEPENDENCIES: &str = "bin/Runner.Listener.deps.json";

/// Above this it is not the file that we know.
const MAX_DEPENDENCIES: u64 = 1 << 20;

/// An error with all its causes on one line.
pub fn text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text = format!("{text}: {it}");
        cause = it.source();
    }
    text
}

/// Leaves the report where the kubelet looks for it. The file is the kubelet's: written in place, never replaced, and
/// without a line break, because one byte over its limit costs the first byte.
pub fn write(path: &Path, report: &TerminationReport) -> io::Result<()> {
    fs::write(path, report.to_line())
}

/// The version of the runner in this image, if it says one.
pub fn runner_version(home: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(home.join(DEPENDENCIES)).ok()?.take(MAX_DEPENDENCIES).read_to_string(&mut text).ok()?;
    version_in(&text)
}

fn version_in(dependencies: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Dependencies {
        libraries: BTreeMap<String, IgnoredAny>,
    }
    let libraries = serde_json::from_str::<Dependencies>(dependencies).ok()?.libraries;
    libraries.keys().find_map(|it| it.strip_prefix("Runner.Listener/")).map(str::to_owned)
}

#[cfg(test)]
mod tests;
