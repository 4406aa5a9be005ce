//! What a job makes of its pod: from its creation to its end.

use jiff::{SignedDuration, Timestamp};

use super::{Job, Phase};
use crate::effect::{Effect, Fact, Timer, Write};
use crate::event::{PodStage, PodView};
use crate::outcome::{Disruption, Ending};
use api::StopReason;

/// A job shorter than this goes without the `Running` write.
const MARK_RUNNING_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// What the kubelet gets beyond the lifetime that it enforces itself, before we do.
const LIFETIME_SLACK: SignedDuration = SignedDuration::from_secs(60);
/// What a deletion gets beyond its grace, before the pod counts as lost with its node.
const DELETION_SLACK: SignedDuration = SignedDuration::from_secs(30);

impl Job {
    pub(super) fn pod_created(&mut self, now: Timestamp) -> Vec<Effect> {
        self.retry = None;
        self.placed();
        self.times.pod_created = Some(now);
        self.listens = true;
        self.phase = Phase::Starting;
        let mut effects = vec![
            Effect::Write(Write::PatchAcquired),
            Effect::Wake(Timer::Pending, self.pending_deadline(now)),
        ];
        effects.extend(self.stop_pod_that_came());
        effects
    }

    /// The watch was faster than the POST's answer, or the answer was lost.
    pub(super) fn pod_adopted(&mut self, view: PodView, now: Timestamp) -> Vec<Effect> {
        let mut effects = self.pod_created(now);
        effects.extend(self.look_at_pod(view, now));
        effects
    }

    pub(super) fn look_at_pod(&mut self, view: PodView, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.disruption = view.disruption.or(self.disruption);
        self.listens = view.listens;
        if let Some(scheduled) = view.scheduled
            && self.times.scheduled.is_none()
        {
            self.times.scheduled = Some(scheduled);
            effects.push(Effect::Report(Fact::Scheduled(self.since_claim(scheduled))));
        }
        if let Some(gone_by) = view.gone_by
            && self.gone_by != view.gone_by
        {
            self.gone_by = view.gone_by;
            effects.push(Effect::Wake(Timer::Vanish, gone_by + DELETION_SLACK));
        }
        if let Some(asked) = view.asked
            && !matches!(view.stage, PodStage::Ended(_))
        {
            effects.extend(self.asked_before(asked, now));
        }
        effects.extend(match view.stage {
            PodStage::Pending(failure) if self.phase == Phase::Starting => {
                self.note_start_failure(failure, now)
            }
            PodStage::Running { since } if self.phase == Phase::Starting => self.started(since, view.created),
            PodStage::Ended(ending) if self.is_replaced(&ending, now) => self.replace_pod(),
            PodStage::Ended(ending) => self.ended(ending, now),
            PodStage::Pending(_) | PodStage::Running { .. } => Vec::new(),
        });
        effects
    }

    fn started(&mut self, since: Timestamp, created: Timestamp) -> Vec<Effect> {
        let known = self.times.started.replace(since).is_some();
        self.phase = Phase::Running;
        let mut effects = vec![Effect::Wake(Timer::MarkRunning, since + MARK_RUNNING_AFTER)];
        if let Some(lifetime) = self.policy.lifetime {
            effects.push(Effect::Wake(Timer::Lifetime, created + lifetime + LIFETIME_SLACK));
        }
        if !known {
            effects.push(Effect::Report(Fact::Started(self.since_claim(since))));
        }
        effects
    }

    fn ended(&mut self, ending: Ending, now: Timestamp) -> Vec<Effect> {
        if ending.exit_code.is_some() && !ending.cannot_run {
            self.times.started.get_or_insert(ending.at);
        }
        let stamp = ending.stamp.or(self.stopping.map(|it| it.reason));
        let disruption = ending.disruption.or(self.disruption);
        let reported = ending.report.reached_github();
        let rejected = ending.rejected && self.times.started.is_none();
        let outcome = Ending { stamp, disruption, rejected, ..ending }.conclude();
        self.finish_with_pod(outcome, reported, now)
    }

    pub(super) fn pod_gone(&mut self, now: Timestamp) -> Vec<Effect> {
        self.vanished = true;
        let stamp = self.stopping.map(|it| it.reason);
        let ending = Ending { stamp, disruption: self.disruption, ..Ending::vanished(now) };
        self.finish_without_pod(ending.conclude(), now)
    }

    pub(super) fn pod_timer_due(&mut self, timer: Timer, now: Timestamp) -> Vec<Effect> {
        match timer {
            Timer::Pending if self.phase == Phase::Starting => self.stop(self.overdue(), now),
            Timer::StartFailure if self.phase == Phase::Starting => self.start_failure_due(now),
            Timer::TellHindrance if self.phase == Phase::Starting => self.tell_hindrance(now),
            Timer::Cancel => self.cancel_due(now),
            Timer::Lifetime if self.phase == Phase::Running => self.stop(StopReason::LifetimeExceeded, now),
            // The kubelet would have said something by now: it is not there any more.
            Timer::Vanish if self.gone_by.is_some_and(|it| now >= it + DELETION_SLACK) => {
                let disruption = self.disruption.or(Some(Disruption::NodeLost));
                self.ended(Ending { disruption, ..Ending::vanished(now) }, now)
            }
            _ => Vec::new(),
        }
    }

    fn since_claim(&self, at: Timestamp) -> SignedDuration {
        at.duration_since(self.times.acquired.unwrap_or(at)).max(SignedDuration::ZERO)
    }
}
