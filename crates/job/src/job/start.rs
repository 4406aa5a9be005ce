//! A pod that does not start: how long that is borne, and who is told.

use jiff::{SignedDuration, Timestamp};

use super::{Job, Phase};
use crate::effect::{Effect, Fact, Timer, Write};
use crate::event::StartFailure;
use api::StopReason;

/// What has passed by then nobody needs to hear of.
const TELL_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// What people were told of what hinders the start of a pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// What the status says.
    written: Option<StartFailure>,
    /// What an Event said last.
    said: Option<StartFailure>,
}

impl Job {
    /// Whether something has hindered the start of its pod for a while.
    #[must_use]
    pub fn is_hindered(&self) -> bool {
        self.phase == Phase::Starting && self.told.written.is_some()
    }

    pub(super) fn note_start_failure(
        &mut self,
        failure: Option<StartFailure>,
        now: Timestamp,
    ) -> Vec<Effect> {
        let before = self.start_failure.map(|it| it.0);
        let failure = match (failure, before) {
            // Why it backs off was seen before.
            (
                Some(StartFailure::PullBackOff),
                Some(StartFailure::ImagePull | StartFailure::Install | StartFailure::Passing),
            ) => before,
            _ => failure,
        };
        if before == failure {
            return Vec::new();
        }
        self.start_failure = failure.map(|it| (it, now));
        let Some(failure) = failure else { return self.tell_that_nothing_hinders() };
        match verdict(failure) {
            Some((SignedDuration::ZERO, reason)) => self.stop(reason, now),
            Some((patience, _)) => vec![
                Effect::Wake(Timer::StartFailure, now + patience),
                Effect::Wake(Timer::TellHindrance, now + TELL_AFTER),
            ],
            None => vec![Effect::Wake(Timer::TellHindrance, now + TELL_AFTER)],
        }
    }

    /// Why a pod is given up that did not start in time.
    pub(super) fn overdue(&self) -> StopReason {
        match self.start_failure {
            Some((StartFailure::Unschedulable, _)) => StopReason::Unschedulable,
            _ => StopReason::PendingDeadline,
        }
    }

    pub(super) fn start_failure_due(&mut self, now: Timestamp) -> Vec<Effect> {
        let verdict = self.start_failure.and_then(|(failure, since)| Some((verdict(failure)?, since)));
        match verdict {
            Some(((patience, reason), since)) if now >= since + patience => self.stop(reason, now),
            _ => Vec::new(),
        }
    }

    /// It has lasted: the status says so, and an Event unless the last one said the same.
    pub(super) fn tell_hindrance(&mut self, now: Timestamp) -> Vec<Effect> {
        let Some((failure, since)) = self.start_failure else { return Vec::new() };
        if now < since + TELL_AFTER || self.told.written == Some(failure) {
            return Vec::new();
        }
        let event = (self.told.said != Some(failure)).then_some(Effect::Report(Fact::Hindered));
        self.told = Told { written: Some(failure), said: Some(failure) };
        [Effect::Write(Write::PatchHindrance)].into_iter().chain(event).collect()
    }

    fn tell_that_nothing_hinders(&mut self) -> Vec<Effect> {
        let written = self.told.written.take();
        written.map(|_| Effect::Write(Write::PatchHindrance)).into_iter().collect()
    }
}

/// How long a pod may fail to start for this before it counts as one that never will, and what it is given up for. What
/// may pass has until the pending deadline.
fn verdict(failure: StartFailure) -> Option<(SignedDuration, StopReason)> {
    let seconds = SignedDuration::from_secs;
    match failure {
        StartFailure::ImageName => Some((SignedDuration::ZERO, StopReason::ImagePull)),
        // A tag that is pushed this very moment; a ConfigMap that another tool applies right after us.
        StartFailure::ImagePull => Some((seconds(40), StopReason::ImagePull)),
        StartFailure::ContainerConfig => Some((seconds(30), StopReason::ContainerConfig)),
        StartFailure::Install => Some((seconds(40), StopReason::InstallFailed)),
        StartFailure::Unschedulable | StartFailure::PullBackOff | StartFailure::Passing => None,
    }
}
