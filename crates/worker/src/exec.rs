//! Starts `Runner.Worker` and stays with it: pipes, frames, the kill, the end of it and of every orphan.
//!
//! One thread acts (`supervise`), as [`Stop`] decides; the others only carry: frames out, the runner's own pipe to nowhere.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use command_fds::{CommandFdExt, FdMapping};
use handoff::worker::StopFrame;
use rustix::process::{Pid, Signal};

use crate::environment::Environment;
use crate::frame;
use crate::milestone::Milestone;
use crate::stop::{Action, Limits, Stop};
use crate::watch::{self, Event, Watch, carry, reap};

/// The descriptors that the runner is told to read from and to write to (protocol §6.2).
const RUNNER_READS: i32 = 3;
const RUNNER_WRITES: i32 = 4;

/// The program to start and what it gets.
#[derive(Debug)]
pub struct Runner {
    /// `Runner.Worker`, with its path or to be found in `PATH`.
    pub program: PathBuf,
    /// Working directory; the wrapper's own where there is none.
    pub dir: Option<PathBuf>,
    /// All its variables.
    pub environment: Environment,
}

/// Why there is no runner to stay with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No pipe could be made.
    #[error("cannot create the pipes to the runner")]
    Pipe(#[source] io::Error),
    /// The program did not start.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why it did not start.
        #[source]
        source: io::Error,
    },
    /// Threads or children cannot be had.
    #[error("cannot supervise the runner")]
    Watch(#[source] watch::Error),
}

/// Starts the runner, hands it the framed job and waits until it is gone. No signal is passed on to it: the runner would
/// take a SIGTERM for a shutdown even in the middle of a cancellation (protocol §6.2).
pub fn supervise(
    watch: &mut Watch,
    runner: &Runner,
    job: Vec<u8>,
    limits: Limits,
    observe: &mut impl FnMut(Milestone),
) -> Result<watch::End, Error> {
    let (child, frames) = start(watch, runner, job)?;
    observe(Milestone::Started { pid: child.as_raw_pid() });
    let mut stop = Stop::new(limits);
    loop {
        while let Some(action) = stop.due(watch.now()) {
            act(action, child, &frames, observe);
        }
        match watch.next(stop.wake()) {
            Event::Child => {
                if let Some(end) = reap(child).map_err(Error::Watch)? {
                    observe(Milestone::Ended(end));
                    return Ok(end);
                }
            }
            Event::Request(request) => {
                stop.request(request, watch.now());
                observe(Milestone::Requested(request));
            }
            Event::Signal(signal) => {
                if stop.terminate(watch.now()) {
                    observe(Milestone::Signalled(signal));
                }
            }
            Event::Nonsense(text, error) => observe(Milestone::Nonsense(text, error)),
            Event::HandedOver => observe(Milestone::HandedOver),
            Event::Writing(frame) => observe(Milestone::Told(frame)),
            Event::PipeBroke(error) => observe(Milestone::PipeBroke(error)),
            Event::Time => {}
        }
    }
}

fn act(action: Action, child: Pid, frames: &Sender<StopFrame>, observe: &mut impl FnMut(Milestone)) {
    match action {
        Action::Write(frame) => _ = frames.send(frame), // a broken pipe is announced by its writer
        // Not yet reaped, so the number is still its own.
        Action::Kill if rustix::process::kill_process(child, Signal::KILL).is_ok() => {
            observe(Milestone::Killed)
        }
        Action::Kill => {}
    }
}

fn start(watch: &Watch, runner: &Runner, job: Vec<u8>) -> Result<(Pid, Sender<StopFrame>), Error> {
    let (runner_reads, we_write) = io::pipe().map_err(Error::Pipe)?;
    let (we_read, runner_writes) = io::pipe().map_err(Error::Pipe)?;
    let child = spawn(runner, runner_reads, runner_writes)?;

    let (frames, ordered) = channel();
    let say = watch.sender();
    carry("frames", move || {
        if let Err(error) = write_frames(we_write, job, &ordered, |event| drop(say.send(event))) {
            let _ = say.send(Event::PipeBroke(error));
        }
    })
    .map_err(Error::Watch)?;
    // The runner writes nothing there in practice; drained all the same, so that it could never block on it.
    carry("drain", move || {
        let mut pipe: PipeReader = we_read;
        let _ = io::copy(&mut pipe, &mut io::sink());
    })
    .map_err(Error::Watch)?;
    Ok((child, frames))
}

/// The four pipe ends are open here, so 3 and 4 are taken in this process and cannot be the descriptor through which
/// `spawn` learns of a failed `exec`: mapping them in the child overwrites nothing but ours.
fn spawn(runner: &Runner, reads: PipeReader, writes: PipeWriter) -> Result<Pid, Error> {
    let refused = |source| Error::Spawn { program: runner.program.clone(), source };
    let mut command = Command::new(&runner.program);
    command
        .arg("spawnclient")
        .args([RUNNER_READS.to_string(), RUNNER_WRITES.to_string()])
        .env_clear()
        .envs(&runner.environment)
        .stdin(Stdio::null());
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

/// Writes the job, then a stop frame when one is due. Each is announced before it is written: a runner that has read it
/// may be gone before we could say so afterwards. The pipe stays open until the wrapper ends: the runner would poll a
/// closed one ten times a second.
fn write_frames(
    mut pipe: PipeWriter,
    job: Vec<u8>,
    ordered: &Receiver<StopFrame>,
    say: impl Fn(Event),
) -> io::Result<()> {
    pipe.write_all(&job)?;
    drop(job);
    say(Event::HandedOver);
    while let Ok(frame) = ordered.recv() {
        say(Event::Writing(frame));
        pipe.write_all(&frame::stop(frame))?;
    }
    Ok(())
}
