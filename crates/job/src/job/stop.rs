//! How a worker is ended. A person's wish, or a lost lock, becomes a cancellation that the wrapper relays, with the time
//! that GitHub names for clean-up steps; everything else is a deletion, which the runner hears of as a shutdown.

use api::StopReason;
use jiff::{SignedDuration, Timestamp};

use super::{Job, Phase};
use crate::effect::{Effect, Fact, Timer, Write};
use crate::outcome::{self, Outcome};

/// What a cancelled job gets when GitHub named no time, protocol §5.6.
pub(super) const TIME_TO_CANCEL: SignedDuration = SignedDuration::from_secs(60);
/// GitHub's usual time is five minutes. What names more than a day is a mistake.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// How much sooner than GitHub asks the runner is killed, so that somebody is left to say so, protocol §5.6.
const HEADROOM: SignedDuration = SignedDuration::from_secs(15);
/// The wrapper sees that it is asked within two seconds, and kills by itself. What is still there after this is not
/// listening.
const DEAF_AFTER: SignedDuration = SignedDuration::from_secs(3);
/// So long a worker that did not seem to have started may show that it has: what a watch tells is a moment old.
const STARTED_AFTER_ALL: SignedDuration = SignedDuration::from_secs(3);
/// The grace of a worker whose time is over.
const LAST_GRACE: u32 = 5;
/// The grace of a worker that is on its way out already, and is cancelled: its wrapper hears of nothing any more.
const SHORTENED_GRACE: u32 = 30;

/// How a worker is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopping {
    pub(super) reason: StopReason,
    pub(super) means: Means,
}

/// By what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// A deletion, as soon as there is a pod.
    Later,
    /// Its wrapper was asked, and has until then.
    Asked(Timestamp),
    /// A deletion with the pod's own grace.
    Deletion,
    /// A deletion that nothing can make shorter.
    LastDeletion,
}

/// How long a job that GitHub cancels has, protocol §5.6.
pub(super) fn time_to_cancel(timeout: SignedDuration) -> SignedDuration {
    timeout.clamp(TIME_TO_CANCEL, LONGEST) - HEADROOM
}

impl Job {
    /// Ends the job as GitHub or a person wants it: clean-up steps have this much time.
    pub(super) fn cancel(&mut self, reason: StopReason, time: SignedDuration, now: Timestamp) -> Vec<Effect> {
        match (&self.phase, self.stopping.map(|it| it.means)) {
            (_, Some(Means::Asked(_) | Means::LastDeletion | Means::Later)) => Vec::new(),
            (Phase::Running, Some(Means::Deletion)) => self.delete_soon(reason),
            (Phase::Running, None) if self.gone_by.is_some() => self.delete_soon(reason),
            (Phase::Starting | Phase::Running, None) if self.listens && self.gone_by.is_none() => {
                self.ask(reason, time, now)
            }
            (_, Some(Means::Deletion)) => Vec::new(),
            (_, None) => self.stop(reason, now),
        }
    }

    /// Ends the worker, or the job at once when there is no worker yet.
    pub(super) fn stop(&mut self, reason: StopReason, now: Timestamp) -> Vec<Effect> {
        if self.stopping.is_some() {
            return Vec::new();
        }
        match self.phase {
            Phase::Starting | Phase::Running => self.delete(reason),
            // Without its lock the job ends for what kept it from starting.
            Phase::Replacing if reason == StopReason::LockLost => self.replacement_overdue(now),
            // W3 is under way: what comes of it is stopped, and nothing is tried again.
            Phase::Creating { .. } if self.is_placing_now() => {
                self.stopping = Some(Stopping { reason, means: Means::Later });
                Vec::new()
            }
            _ => self.finish_without_pod(stopped(reason), now),
        }
    }

    /// There is a pod now for what was decided before.
    pub(super) fn stop_pod_that_came(&mut self) -> Vec<Effect> {
        match self.stopping {
            Some(Stopping { reason, means: Means::Later }) => self.delete(reason),
            _ => Vec::new(),
        }
    }

    fn ask(&mut self, reason: StopReason, time: SignedDuration, now: Timestamp) -> Vec<Effect> {
        let deadline = now + time + DEAF_AFTER;
        self.stopping = Some(Stopping { reason, means: Means::Asked(deadline) });
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let patience = if self.phase == Phase::Running { deadline } else { now + STARTED_AFTER_ALL };
        vec![
            Effect::Write(Write::AskToCancel(reason, seconds)),
            Effect::Wake(Timer::Cancel, patience),
            Effect::Report(Fact::Stopping(reason)),
        ]
    }

    fn delete(&mut self, reason: StopReason) -> Vec<Effect> {
        self.stopping = Some(Stopping { reason, means: Means::Deletion });
        vec![Effect::Write(Write::DeletePod(reason, None)), Effect::Report(Fact::Stopping(reason))]
    }

    fn delete_soon(&mut self, reason: StopReason) -> Vec<Effect> {
        self.stopping = Some(Stopping { reason, means: Means::LastDeletion });
        vec![
            Effect::Write(Write::DeletePod(reason, Some(SHORTENED_GRACE))),
            Effect::Report(Fact::Stopping(reason)),
        ]
    }

    /// A predecessor asked: its time counts anew, since nobody knows how much of it is left.
    pub(super) fn asked_before(&mut self, asked: crate::event::Asked, now: Timestamp) -> Option<Effect> {
        if self.stopping.is_some() {
            return None;
        }
        let deadline = now + SignedDuration::from_secs(asked.seconds.into()) + DEAF_AFTER;
        self.stopping = Some(Stopping { reason: asked.reason, means: Means::Asked(deadline) });
        Some(Effect::Wake(Timer::Cancel, deadline))
    }

    /// The worker was asked, and its time is over, or it has not started: then nothing is there that could be cleaned up.
    pub(super) fn cancel_due(&mut self, now: Timestamp) -> Vec<Effect> {
        let Some(Stopping { reason, means: Means::Asked(deadline) }) = self.stopping else {
            return Vec::new();
        };
        match self.phase {
            Phase::Starting => {
                self.stopping = Some(Stopping { reason, means: Means::Deletion });
                vec![Effect::Write(Write::DeletePod(reason, None))]
            }
            Phase::Running if now >= deadline => {
                self.stopping = Some(Stopping { reason, means: Means::LastDeletion });
                vec![Effect::Write(Write::DeletePod(reason, Some(LAST_GRACE)))]
            }
            Phase::Running => vec![Effect::Wake(Timer::Cancel, deadline)],
            _ => Vec::new(),
        }
    }
}

/// What a job comes to that is stopped before its worker can say anything.
pub(super) fn stopped(reason: StopReason) -> Outcome {
    let (result, reason) = outcome::stopped(reason);
    Outcome { result, reason, exit_code: None }
}
