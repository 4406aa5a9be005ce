//! The wrapper: PID 1 of a worker pod's `runner` container.
//!
//! It hands a job that the tenant's controller has claimed to an unmodified `Runner.Worker`, stays with it, and leaves a
//! report of how it went. [`exec`] does, everything else decides or prepares; secrets go from a file in memory into a
//! pipe, never into an environment, an argument or a log line.

pub mod ca;
pub mod config;
pub mod docker;
pub mod dotenv;
pub mod environment;
pub mod exec;
pub mod frame;
pub mod install;
pub mod jit;
pub mod log;
pub mod milestone;
pub mod payload;
pub mod plan;
pub mod report;
mod run;
pub mod stop;
pub mod usage;
pub mod watch;

use std::path::Path;

use handoff::worker::{INSTALL_PRIVATE, TerminationReport};

use crate::config::Config;
use crate::environment::Environment;
use crate::install::For;
use crate::log::Log;

/// Bad arguments, as `sh` and `getopt` users know it.
const USAGE: u8 = 2;

/// The program: `worker [run]` or `worker install <dir> [--private]`, with its arguments and its environment.
/// Gives the exit code.
pub fn main(arguments: impl Iterator<Item = String>, environment: Environment) -> u8 {
    let env = |name: &str| environment::text(&environment, name);
    let arguments: Vec<String> = arguments.collect();
    let report_path = config::report_path(env);
    let install = |dir: &str, reader| {
        finish(&report_path, |_| install(&Config::from_env(env)?, Path::new(dir), reader))
    };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["run"] => {
            report_panics(&report_path);
            finish(&report_path, |report| run::run(&Config::from_env(env)?, &environment, report))
        }
        ["install", dir] => install(dir, For::Anybody),
        ["install", dir, INSTALL_PRIVATE] => install(dir, For::Owner),
        _ => {
            Log::default().error("usage: worker [run] | worker install <dir> [--private]", &[]);
            USAGE
        }
    }
}

type Outcome = Result<u8, Box<dyn std::error::Error>>;

/// Does the work and leaves a report, whatever came of it.
fn finish(report_path: &Path, work: impl FnOnce(&mut TerminationReport) -> Outcome) -> u8 {
    let log = Log::default();
    let mut report = TerminationReport::new();
    let code = work(&mut report).unwrap_or_else(|error| {
        let text = report::text(error.as_ref());
        log.error("the wrapper failed", &[("error", text.as_str().into())]);
        report.error = Some(text);
        plan::WRAPPER_FAILED
    });
    if let Err(error) = report::write(report_path, &report) {
        log.warn("failed to write the termination report", &[("error", error.to_string().into())]);
    }
    code
}

fn install(config: &Config, dir: &Path, reader: For) -> Outcome {
    let program = std::env::current_exe().map_err(install::Error::Program)?;
    install::install(&program, &config.payload_dir, dir, &config.claim, reader)?;
    Ok(0)
}

/// A panic ends the process at once in release builds: this is the last chance to say so.
fn report_panics(path: &Path) {
    let path = path.to_path_buf();
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let report = TerminationReport {
            error: Some(format!("the wrapper panicked at {place}")), // the message itself may quote data
            ..TerminationReport::new()
        };
        let _ = report::write(&path, &report);
        default(panic);
    }));
}
