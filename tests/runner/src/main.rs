//! A stand-in for GitHub's `Runner.Worker`, for tests: it takes a job by the runner's pipe protocol (protocol §6.2),
//! runs its `run` steps in a shell, and reports to the run service and the results service as the real one does. What
//! it does not know, it refuses. It shares no code with the gateway, so that both must agree with the protocol and not
//! with each other.

mod files;
mod http;
mod logs;
mod mask;
mod message;
mod pipe;
mod progress;
mod refusal;
mod run;
mod service;
mod shell;
mod step;
mod token;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::message::Job;
use crate::pipe::Frames;

/// An error before or around the job (protocol §6.3).
const FAILED: u8 = 1;

/// The settings that the listener, or the wrapper, leaves in the runner's root.
const SETTINGS: &str = ".runner";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match work().await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("Runner.Worker (stand-in): {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

async fn work() -> anyhow::Result<u8> {
    let pipe_in = arguments(&std::env::args().skip(1).collect::<Vec<_>>())?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let root = program.parent().and_then(Path::parent).context("this program has no runner root above it")?;
    let work = work_folder(root)?;
    let mut frames = Frames::open(pipe_in)?;
    let stop = listen()?;
    let job = Job::parse(&frames.job().await?)?;
    tokio::spawn(cancel_on_second_frame(frames, stop.clone()));
    Ok(run::run(job, &work, &pod()?, stop.subscribe()).await?.exit_code())
}

/// The pod's uid where the pod template hands it over as `POD_UID`, else the host's name, which is the pod's.
fn pod() -> anyhow::Result<String> {
    match std::env::var("POD_UID") {
        Ok(uid) if !uid.is_empty() => Ok(uid),
        _ => {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
                .context("cannot read the host's name")?;
            Ok(name.trim().to_owned())
        }
    }
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

/// The work folder that the settings name. Without settings no job is taken, like by the real one.
fn work_folder(root: &Path) -> anyhow::Result<PathBuf> {
    let settings = root.join(SETTINGS);
    let text =
        std::fs::read_to_string(&settings).with_context(|| format!("cannot read {}", settings.display()))?;
    let settings: Value =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).context(".runner is not JSON")?;
    let settings = settings.as_object().context(".runner is no object")?;
    let folder = settings.iter().find(|(name, _)| name.eq_ignore_ascii_case("WorkFolder"));
    Ok(root.join(folder.and_then(|(_, it)| it.as_str()).unwrap_or("_work")))
}

/// SIGTERM and SIGINT cancel the job.
fn listen() -> anyhow::Result<watch::Sender<bool>> {
    let (stop, _) = watch::channel(false);
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signals, stop) = (signal(kind).context("cannot receive signals")?, stop.clone());
        tokio::spawn(async move {
            signals.recv().await;
            stop.send_replace(true);
        });
    }
    Ok(stop)
}

async fn cancel_on_second_frame(mut frames: Frames, stop: watch::Sender<bool>) {
    let frame = frames.second().await;
    match frame.kind {
        pipe::CANCEL_REQUEST | pipe::RUNNER_SHUTDOWN | pipe::OPERATING_SYSTEM_SHUTDOWN => {
            stop.send_replace(true);
        }
        other => eprintln!("a second frame of type {other} means nothing"),
    }
}
