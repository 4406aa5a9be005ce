//! What the wrapper listens to, from its first instruction: signals, the stop file, and what its own threads say.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use handoff::worker::{NoStopRequest, StopFrame, StopRequest};
use rustix::process::{Pid, WaitOptions};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::milestone::Milestone;

/// Signals are coalesced by the kernel and there is one writer: more than a handful never waits here.
const EVENT_QUEUE: usize = 16;

/// The kubelet shows a changed annotation within a second or two: looking more often would find nothing sooner.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A request takes about six bytes.
const MAX_REQUEST: u64 = 64;

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// The stop file shows a request that it did not show before.
    Request(StopRequest),
    /// The stop file shows something else.
    Nonsense(String, NoStopRequest),
    /// `SIGTERM` or `SIGINT`; the stop file was looked at once more before it.
    Signal(i32),
    /// A child has ended.
    Child,
    /// The job message has been written whole.
    HandedOver,
    /// This frame is written next.
    Writing(StopFrame),
    /// The runner closed its end of the pipe.
    PipeBroke(io::Error),
    /// The time that was waited for has come.
    Time,
}

/// Why nothing can be listened to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Signals cannot be received.
    #[error("cannot install the signal handlers")]
    Signals(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// The kernel says that the process is not our child.
    #[error("cannot wait for a process")]
    Wait(#[source] io::Error),
}

/// The one place where events are waited for.
pub struct Watch {
    receiver: Receiver<Event>,
    sender: SyncSender<Event>,
    began: Instant,
    look_at: Duration,
    file: StopFile,
    /// A signal whose look at the stop file found news, which go first.
    held: Option<i32>,
}

impl Watch {
    /// Takes over the signals of this process, and becomes the parent of every orphan below it. As PID 1 it is that
    /// already, but not in a pod whose containers share one process namespace.
    pub fn begin(stop_file: PathBuf) -> Result<Watch, Error> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|it| Error::Signals(it.into()))?;
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGCHLD]).map_err(Error::Signals)?;
        let (sender, receiver) = sync_channel(EVENT_QUEUE);
        let forward = sender.clone();
        carry("signals", move || {
            for signal in signals.forever() {
                let event = if signal == SIGCHLD { Event::Child } else { Event::Signal(signal) };
                if forward.send(event).is_err() {
                    return;
                }
            }
        })?;
        let file = StopFile { path: stop_file, seen: String::new() };
        Ok(Watch { receiver, sender, began: Instant::now(), look_at: Duration::ZERO, file, held: None })
    }

    /// Time since the wrapper's start.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// For a thread that has something to say.
    pub fn sender(&self) -> SyncSender<Event> {
        self.sender.clone()
    }

    /// The next event; [`Event::Time`] when it is not there by `until`.
    pub fn next(&mut self, until: Option<Duration>) -> Event {
        if let Some(signal) = self.held.take() {
            return Event::Signal(signal);
        }
        loop {
            let now = self.now();
            if self.look_at <= now {
                self.look_at = now + LOOK_EVERY;
                if let Some(event) = self.file.look() {
                    return event;
                }
            }
            let wake = until.map_or(self.look_at, |it| it.min(self.look_at));
            match self.receiver.recv_timeout(wake.saturating_sub(now)) {
                Ok(Event::Signal(signal)) => return self.after_a_look(signal),
                Ok(event) => return event,
                // We hold a sender ourselves, so the queue never closes: this is time.
                Err(_) if until.is_some_and(|it| it <= self.now()) => return Event::Time,
                Err(_) => {}
            }
        }
    }

    /// Whether somebody wants us to stop, by `until`. For the time before there is a runner that could be told.
    pub fn told_to_stop(&mut self, until: Duration, observe: &mut impl FnMut(Milestone)) -> bool {
        loop {
            let event = self.next(Some(until));
            if matches!(event, Event::Time) {
                return false;
            }
            if asks_to_stop(event, observe) {
                return true;
            }
        }
    }

    /// A person's cancellation that has just arrived goes before the signal: it decides what the runner is told.
    fn after_a_look(&mut self, signal: i32) -> Event {
        match self.file.look() {
            None => Event::Signal(signal),
            Some(news) => {
                self.held = Some(signal);
                news
            }
        }
    }
}

/// Whether an event means that we are to stop.
pub fn asks_to_stop(event: Event, observe: &mut impl FnMut(Milestone)) -> bool {
    match event {
        Event::Request(request) => observe(Milestone::Requested(request)),
        Event::Signal(signal) => observe(Milestone::Signalled(signal)),
        Event::Nonsense(text, error) => {
            observe(Milestone::Nonsense(text, error));
            return false;
        }
        _ => return false,
    }
    true
}

struct StopFile {
    path: PathBuf,
    seen: String,
}

impl StopFile {
    /// What the file shows, if that is news. A pod without the file, from a controller that does not know of it, or a
    /// node that shows it late, is a pod that nobody has asked to stop.
    fn look(&mut self) -> Option<Event> {
        let mut bytes = Vec::new();
        File::open(&self.path).ok()?.take(MAX_REQUEST).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        if text == self.seen {
            return None;
        }
        self.seen.clone_from(&text);
        match text.parse() {
            _ if text.is_empty() => None,
            Ok(request) => Some(Event::Request(request)),
            Err(error) => Some(Event::Nonsense(text, error)),
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Collects every child that has ended, ours and inherited orphans, and says how this one ended if it did.
pub fn reap(child: Pid) -> Result<Option<End>, Error> {
    let mut end = None;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => {
                end = status.exit_status().map(End::Code).or(status.terminating_signal().map(End::Signal));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Ok(end),
            Err(rustix::io::Errno::CHILD) if end.is_some() => return Ok(end),
            Err(error) => return Err(Error::Wait(error.into())),
        }
    }
}

/// A thread for work that only carries.
pub fn carry(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop).map_err(Error::Thread)
}

#[cfg(test)]
mod tests;
