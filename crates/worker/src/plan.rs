//! What to do, decided from what is known: the runner's command, the wrapper's exit code.

use std::path::{Path, PathBuf};

use crate::watch::End;

/// The stock runner's program that runs one job.
pub const RUNNER_WORKER: &str = "Runner.Worker";

/// The exit code of a wrapper that could not do its part.
pub const WRAPPER_FAILED: u8 = 1;

/// The exit code of a wrapper that was told to stop before it had started the runner: as of one that SIGTERM ended.
pub const NEVER_STARTED: u8 = 143;

/// The wrapper's exit code: a job that succeeded, with issues or without, is a 0 for Kubernetes; every other code stays
/// what it was; a signal becomes 128 + its number, as in a shell. A runner that ends with 0 has finished no job, and must
/// not look like one that succeeded (protocol §6.3).
pub fn exit_code(end: End) -> u8 {
    match end {
        End::Code(100 | 101) => 0,
        End::Code(0) => WRAPPER_FAILED,
        End::Code(code) => u8::try_from(code).unwrap_or(u8::MAX),
        End::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
    }
}

/// The program and its directory: the runner's own, or what `PATH` finds where the image keeps it elsewhere.
pub fn command(home: &Path, is_file: impl Fn(&Path) -> bool) -> (PathBuf, Option<PathBuf>) {
    let bin = home.join("bin");
    let program = bin.join(RUNNER_WORKER);
    if is_file(&program) { (program, Some(bin)) } else { (RUNNER_WORKER.into(), None) }
}

#[cfg(test)]
mod tests;
