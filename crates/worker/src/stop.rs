//! When the runner is told to stop, how, and when it is killed: decided from what was asked and the time, nothing done.
//!
//! After the job the runner reads one frame more (protocol §6.2). So one is written: `CancelRequest` for a person's wish,
//! `RunnerShutdown` for a pod that is taken away. Time is counted from the wrapper's start.

use std::time::Duration;

use handoff::worker::{StopFrame, StopRequest};

/// Kept from the pod's grace for what follows the runner's end: report, exit, and the kubelet's own notice of it.
const MARGIN: Duration = Duration::from_secs(5);

/// A longer grace than this is time for the job to end by itself; it is twice what Kubernetes gives to everyone.
const LONG_GRACE: Duration = Duration::from_secs(60);

/// A runner that is shut down ends its step within 10 s and then reports (protocol §6.2).
const SHUTDOWN: Duration = Duration::from_secs(20);

/// What a SIGTERM leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Between SIGTERM and the kill.
    pub total: Duration,
    /// Between SIGTERM and the frame: the job may end by itself.
    pub patience: Duration,
}

impl Limits {
    /// What a pod of this grace leaves, or less where less is wanted.
    pub fn new(pod_grace: Duration, wanted: Option<Duration>) -> Limits {
        let room = Limits::room(pod_grace);
        let total = wanted.map_or(room, |it| it.min(room));
        let patience = if pod_grace > LONG_GRACE { total.saturating_sub(SHUTDOWN) } else { Duration::ZERO };
        Limits { total, patience }
    }

    /// The most that a pod of this grace leaves.
    pub fn room(pod_grace: Duration) -> Duration {
        pod_grace.saturating_sub(MARGIN)
    }
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write this frame to the runner.
    Write(StopFrame),
    /// Kill the runner.
    Kill,
}

/// One runner's way to its end.
#[derive(Debug)]
pub struct Stop {
    limits: Limits,
    requested: bool,
    terminated: bool,
    written: bool,
    killed: bool,
    frame: Option<(Duration, StopFrame)>,
    kill_at: Option<Duration>,
}

impl Stop {
    /// Of a runner that nobody wants to stop yet.
    pub fn new(limits: Limits) -> Stop {
        Stop {
            limits,
            requested: false,
            terminated: false,
            written: false,
            killed: false,
            frame: None,
            kill_at: None,
        }
    }

    /// A request was seen. The first one counts, and none after a frame; it goes before a shutdown that is not due yet.
    pub fn request(&mut self, request: StopRequest, now: Duration) {
        if self.requested || self.written {
            return;
        }
        self.requested = true;
        self.frame = Some((now, request.frame));
        self.kill_by(now.saturating_add(Duration::from_secs(request.seconds)));
    }

    /// SIGTERM or SIGINT came. The first one counts, and is news: the kubelet repeats its own when it restarts.
    pub fn terminate(&mut self, now: Duration) -> bool {
        if self.terminated {
            return false;
        }
        self.terminated = true;
        let due = now.saturating_add(self.limits.patience);
        self.frame.get_or_insert((due, StopFrame::Shutdown));
        self.kill_by(now.saturating_add(self.limits.total));
        true
    }

    /// The next thing that is due, if one is; ask again until there is none.
    pub fn due(&mut self, now: Duration) -> Option<Action> {
        if let Some((due, frame)) = self.frame
            && due <= now
            && !self.written
        {
            self.written = true;
            return Some(Action::Write(frame));
        }
        if !self.killed && self.kill_at.is_some_and(|it| it <= now) {
            self.killed = true;
            return Some(Action::Kill);
        }
        None
    }

    /// When the next thing is due.
    pub fn wake(&self) -> Option<Duration> {
        let frame = self.frame.filter(|_| !self.written).map(|(due, _)| due);
        let kill = self.kill_at.filter(|_| !self.killed);
        frame.into_iter().chain(kill).min()
    }

    fn kill_by(&mut self, at: Duration) {
        self.kill_at = Some(self.kill_at.map_or(at, |it| it.min(at)));
    }
}

#[cfg(test)]
mod tests;
