//! What is due when. A timer that is set twice fires twice; machines take no notice of the second.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use jiff::Timestamp;
use job::Timer;
use job::naming::RunnerJobName;
use tokio::time::Instant;

/// All timers of all jobs.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    entries: std::collections::HashMap<u64, (RunnerJobName, Timer)>,
    count: u64,
}

impl Timers {
    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// When the first is due; any time when there is none.
    pub(super) fn next(&self) -> Instant {
        self.heap.peek().map_or_else(Instant::now, |Reverse((at, _))| *at)
    }

    /// Wall-clock times become waits here, once: a clock that jumps later moves no timer.
    pub(super) fn set(&mut self, name: RunnerJobName, timer: Timer, at: Timestamp, now: Timestamp) {
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        self.count += 1;
        self.heap.push(Reverse((Instant::now() + wait, self.count)));
        self.entries.insert(self.count, (name, timer));
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<(RunnerJobName, Timer)> {
        let Reverse((at, id)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        self.entries.remove(&id)
    }
}

#[cfg(test)]
mod tests;
