//! A stand-in for GitHub's `Runner.Worker`, for tests: it takes a job by the runner's pipe protocol (protocol §6.2),
//! runs its `run` steps in a shell, and reports to the run service and the results service as the real one does. What
//! it does not know, it refuses. It shares no code with the gateway, so that both must agree with the protocol and not
//! with each other.

mod agent;
mod annotation;
mod blobs;
mod command;
mod complete;
mod condition;
mod diagnostics;
mod files;
mod http;
mod log;
mod mask;
mod message;
mod pipe;
mod process;
mod progress;
mod refusal;
mod results;
mod run;
mod service;
mod settings;
mod shell;
mod step;
mod stop;
mod token;
mod upload;
mod zip;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::diagnostics::Diagnostics;
use crate::message::Job;
use crate::pipe::Frames;
use crate::run::Place;
use crate::settings::Settings;
use crate::stop::{Shutdown, Stopper, machine_name};

/// An error before or around the job (protocol §6.3).
const FAILED: u8 = 1;

/// How long the process waits for its orderly end after SIGTERM, and what it then ends with.
const AFTER_SIGTERM: Duration = Duration::from_secs(30);
const TERMINATED: i32 = 128 + 15;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match work().await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // The official worker leaves its exception on stdout, for whoever started it.
            let _ = writeln!(std::io::stdout(), "Runner.Worker (stand-in): {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

async fn work() -> anyhow::Result<u8> {
    let pipe_in = arguments(&std::env::args().skip(1).collect::<Vec<_>>())?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let root = program.parent().and_then(Path::parent).context("this program has no runner root above it")?;
    let settings = Settings::read(root)?;
    let (stopper, stop) = Stopper::new();
    listen(&stopper)?;
    let mut frames = Frames::open(pipe_in)?;
    let job = Job::parse(&frames.job().await?)?;
    let printed = std::env::var("ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT").ok();
    let place = Place {
        root: root.to_owned(),
        settings,
        pod: pod(),
        diagnostics: Diagnostics::new(printed.as_deref()),
    };
    let mut job = Box::pin(run::run(job, place, stop));
    tokio::select! {
        result = &mut job => return Ok(result?.exit_code()),
        frame = frames.next() => stopper.frame(frame?.kind)?,
    }
    Ok(job.await?.exit_code()) // no third frame is ever read
}

/// The pod's uid where the pod template hands it over as `POD_UID`, else the host's name, which is the pod's.
fn pod() -> String {
    std::env::var("POD_UID").ok().filter(|it| !it.is_empty()).unwrap_or_else(machine_name)
}

/// `spawnclient <in> <out>`; gives the descriptor to read. Nothing is ever written to the other.
fn arguments(arguments: &[String]) -> anyhow::Result<i32> {
    let [word, read, write] = arguments else {
        anyhow::bail!("wanted `spawnclient <fd in> <fd out>`, got {} arguments", arguments.len());
    };
    ensure!(word.eq_ignore_ascii_case("spawnclient"), "wanted `spawnclient`, got `{word}`");
    let number = |it: &String| it.parse::<i32>().with_context(|| format!("`{it}` is no descriptor"));
    number(write)?;
    number(read)
}

/// SIGTERM is a shutdown; SIGINT is the listener's to handle and does nothing here (protocol §6.4). A handler that
/// does nothing is not inherited by steps, an ignored signal would be.
fn listen(stopper: &Stopper) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot receive SIGTERM")?;
    let _handled = signal(SignalKind::interrupt()).context("cannot receive SIGINT")?;
    let stopper = stopper.clone();
    tokio::spawn(async move {
        if terminate.recv().await.is_some() {
            stopper.shut_down(Shutdown::Runner);
            sleep(AFTER_SIGTERM).await;
            std::process::exit(TERMINATED);
        }
    });
    Ok(())
}
