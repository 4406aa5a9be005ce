//! What stops a job from outside: cancel requests, shutdowns, SIGTERM (protocol §6.2, §6.4).

use tokio::sync::watch;

use crate::pipe;

/// How the job is being stopped. The first reason to come decides the result; a shutdown that comes later still ends
/// the evaluation of conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// What came first.
    pub first: Option<Reason>,
    /// The runner is going down, first or not.
    pub shutdown: Option<Shutdown>,
}

/// Why a job stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A person has cancelled it, or its lock is lost.
    Cancel,
    /// The runner goes down.
    Shutdown,
}

/// Why the runner goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Somebody stops it.
    Runner,
    /// The machine goes down.
    OperatingSystem,
}

impl Shutdown {
    /// What the job's log says about it, in the words of the official runner.
    pub fn message(self) -> String {
        match self {
            Shutdown::Runner => {
                "The runner has received a shutdown signal. This can happen when the runner service \
                                 is stopped, or a manually started runner is canceled."
                    .to_owned()
            }
            Shutdown::OperatingSystem => {
                format!("Operating system is shutting down for computer '{}'", machine_name())
            }
        }
    }
}

/// The host's name.
pub fn machine_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Where reasons to stop are told.
#[derive(Clone)]
pub struct Stopper(watch::Sender<Stop>);

/// A second frame that no listener writes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Specified argument was out of the range of valid values. (Parameter 'MessageType') Actual value was {0}."
)]
pub struct UnknownFrame(i32);

impl Stopper {
    /// Nothing stops the job yet.
    pub fn new() -> (Stopper, watch::Receiver<Stop>) {
        let (sender, receiver) = watch::channel(Stop::default());
        (Stopper(sender), receiver)
    }

    /// The frame after the job message.
    pub fn frame(&self, kind: i32) -> Result<(), UnknownFrame> {
        match kind {
            pipe::CANCEL_REQUEST => self.cancel(),
            pipe::RUNNER_SHUTDOWN => self.shut_down(Shutdown::Runner),
            pipe::OPERATING_SYSTEM_SHUTDOWN => self.shut_down(Shutdown::OperatingSystem),
            other => return Err(UnknownFrame(other)),
        }
        Ok(())
    }

    /// A person has cancelled the job.
    pub fn cancel(&self) {
        self.0.send_modify(|it| _ = it.first.get_or_insert(Reason::Cancel));
    }

    /// The runner goes down: a frame says so, or SIGTERM.
    pub fn shut_down(&self, why: Shutdown) {
        self.0.send_modify(|it| {
            it.first.get_or_insert(Reason::Shutdown);
            it.shutdown.get_or_insert(why);
        });
    }
}

#[cfg(test)]
mod tests;
