//! Starts `Runner.Worker` and stays with it: pipes, signals, the end of it and of every orphan.
//!
//! One thread decides (`supervise`); the others only carry: signals in, frames out, the runner's own pipe to nowhere.

use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, WaitOptions};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::frame;

/// The descriptors that the runner is told to read from and to write to (protocol §6.2).
const RUNNER_READS: i32 = 3;
const RUNNER_WRITES: i32 = 4;

/// Signals are coalesced by the kernel and there is one writer: more than a handful never waits here.
const EVENT_QUEUE: usize = 16;

/// The program to start and what it gets.
#[derive(Debug)]
pub struct Runner {
    /// `Runner.Worker`, with its path or to be found in `PATH`.
    pub program: PathBuf,
    /// Working directory; the wrapper's own where there is none.
    pub dir: Option<PathBuf>,
    /// Variables set on top of the inherited environment.
    pub environment: Vec<(&'static str, OsString)>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What happens to a runner, as it happens.
#[derive(Debug)]
pub enum Milestone {
    /// The process exists.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// The job message has been written whole.
    HandedOver,
    /// The runner closed its end of the pipe.
    PipeBroke(io::Error),
    /// A signal asked us to stop: the runner has been told to cancel the job.
    Cancelling {
        /// `SIGTERM` or `SIGINT`.
        signal: i32,
    },
    /// The grace is over: the runner has been killed.
    Killed,
    /// The process is gone.
    Ended(End),
}

/// Why there is no runner to stay with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Signals cannot be received.
    #[error("cannot install the signal handlers")]
    Signals(#[source] io::Error),
    /// No pipe could be made.
    #[error("cannot make the pipes to the runner")]
    Pipe(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// The program did not start.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why it did not start.
        #[source]
        source: io::Error,
    },
    /// The kernel says that the runner is not our child.
    #[error("cannot wait for the runner")]
    Wait(#[source] io::Error),
}

enum Event {
    Signal(i32),
    HandedOver,
    PipeBroke(io::Error),
}

/// What the deciding thread listens to. Made first of all, so that a signal is never missed.
pub struct Events {
    receiver: Receiver<Event>,
    sender: SyncSender<Event>,
}

/// Takes over the signals of this process, and becomes the parent of every orphan below it. As PID 1 it is that
/// already, but not in a pod whose containers share one process namespace.
pub fn listen() -> Result<Events, Error> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|it| Error::Signals(it.into()))?;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGCHLD]).map_err(Error::Signals)?;
    let (sender, receiver) = sync_channel(EVENT_QUEUE);
    let forward = sender.clone();
    carry("signals", move || {
        for signal in signals.forever() {
            if forward.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(Events { receiver, sender })
}

/// Starts the runner, hands it the framed job and waits until it is gone. A signal becomes a cancellation and, `grace`
/// later, a kill. Only the first one counts: the kubelet repeats its SIGTERM when it restarts.
pub fn supervise(
    events: Events,
    runner: &Runner,
    job: Vec<u8>,
    grace: Duration,
    mut observe: impl FnMut(Milestone),
) -> Result<End, Error> {
    let (child, cancel) = start(&events, runner, job)?;
    observe(Milestone::Started { pid: child.as_raw_pid() });
    let mut kill_at = None;
    let mut cancelling = false;
    loop {
        match next(&events.receiver, kill_at) {
            Some(Event::Signal(SIGCHLD)) => {
                if let Some(end) = reap(child)? {
                    observe(Milestone::Ended(end));
                    return Ok(end);
                }
            }
            Some(Event::Signal(signal)) if !cancelling => {
                cancelling = true;
                kill_at = Instant::now().checked_add(grace);
                let _ = cancel.send(()); // a broken pipe is announced by its writer
                observe(Milestone::Cancelling { signal });
            }
            Some(Event::Signal(_)) => {}
            Some(Event::HandedOver) => observe(Milestone::HandedOver),
            Some(Event::PipeBroke(error)) => observe(Milestone::PipeBroke(error)),
            None => {
                kill_at = None;
                // Not yet reaped, so the number is still its own.
                if rustix::process::kill_process(child, Signal::KILL).is_ok() {
                    observe(Milestone::Killed);
                }
            }
        }
    }
}

/// The next event, or `None` when the deadline comes first. We hold a sender ourselves, so the queue never closes.
fn next(events: &Receiver<Event>, deadline: Option<Instant>) -> Option<Event> {
    match deadline {
        None => events.recv().ok(),
        Some(deadline) => events.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok(),
    }
}

fn start(events: &Events, runner: &Runner, job: Vec<u8>) -> Result<(Pid, Sender<()>), Error> {
    let (runner_reads, we_write) = io::pipe().map_err(Error::Pipe)?;
    let (we_read, runner_writes) = io::pipe().map_err(Error::Pipe)?;
    let child = spawn(runner, runner_reads, runner_writes)?;

    let (cancel, cancelled) = channel();
    let written = events.sender.clone();
    carry("frames", move || {
        if let Err(error) = write_frames(we_write, job, &cancelled, || drop(written.send(Event::HandedOver)))
        {
            let _ = written.send(Event::PipeBroke(error));
        }
    })?;
    // The runner writes nothing there in practice; drained all the same, so that it could never block on it.
    carry("drain", move || {
        let mut pipe: PipeReader = we_read;
        let _ = io::copy(&mut pipe, &mut io::sink());
    })?;
    Ok((child, cancel))
}

/// The four pipe ends are open here, so 3 and 4 are taken in this process and cannot be the descriptor through which
/// `spawn` learns of a failed `exec`: mapping them in the child overwrites nothing but ours.
fn spawn(runner: &Runner, reads: PipeReader, writes: PipeWriter) -> Result<Pid, Error> {
    let refused = |source| Error::Spawn { program: runner.program.clone(), source };
    let mut command = Command::new(&runner.program);
    command
        .arg("spawnclient")
        .args([RUNNER_READS.to_string(), RUNNER_WRITES.to_string()])
        .envs(runner.environment.iter().map(|(name, value)| (name, value)));
    if let Some(dir) = &runner.dir {
        command.current_dir(dir);
    }
    let mappings = vec![
        FdMapping { parent_fd: reads.into(), child_fd: RUNNER_READS },
        FdMapping { parent_fd: writes.into(), child_fd: RUNNER_WRITES },
    ];
    command.fd_mappings(mappings).map_err(|it| refused(io::Error::other(it)))?;
    Ok(Pid::from_child(&command.spawn().map_err(refused)?))
}

/// Writes the job, then a cancellation when one is due. The pipe stays open until the wrapper ends: the runner would
/// poll a closed one ten times a second.
fn write_frames(
    mut pipe: PipeWriter,
    job: Vec<u8>,
    cancelled: &Receiver<()>,
    handed_over: impl FnOnce(),
) -> io::Result<()> {
    pipe.write_all(&job)?;
    drop(job);
    handed_over();
    while cancelled.recv().is_ok() {
        pipe.write_all(&frame::CANCEL)?;
    }
    Ok(())
}

/// Collects every child that has ended, ours and inherited orphans, and says how the runner ended if it did.
fn reap(runner: Pid) -> Result<Option<End>, Error> {
    let mut end = None;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == runner => {
                end = status.exit_status().map(End::Code).or(status.terminating_signal().map(End::Signal));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Ok(end),
            Err(rustix::io::Errno::CHILD) if end.is_some() => return Ok(end),
            Err(error) => return Err(Error::Wait(error.into())),
        }
    }
}

fn carry(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop).map_err(Error::Thread)
}
