//! A pod that a node rejected before anything of it ran: the job gets one other, of the same name.

use jiff::Timestamp;

use super::start::Told;
use super::{Job, Phase};
use crate::effect::{Effect, Fact, Write};
use crate::outcome::{Ending, Outcome};
use api::FailureReason;

impl Job {
    /// Until when the pod has to start. The time for a second one counts from the claim.
    pub(super) fn pending_deadline(&self, now: Timestamp) -> Timestamp {
        let claimed = self.times.acquired.filter(|_| self.rejected);
        claimed.unwrap_or(now) + self.policy.pending_deadline
    }

    /// Whether the job gets another pod for this one: certainly nothing ran, it is the first, nobody wants it to end, and
    /// there is time.
    pub(super) fn is_replaced(&self, ending: &Ending, now: Timestamp) -> bool {
        let in_time = self.times.acquired.is_some_and(|it| now < it + self.policy.pending_deadline);
        let wanted = self.stopping.is_none() && ending.stamp.is_none();
        let never_ran = self.phase == Phase::Starting && self.times.started.is_none();
        ending.rejected && never_ran && wanted && in_time && !self.rejected
    }

    /// That it is rejected is written before it is deleted: who finds it gone then knows that nothing ran.
    pub(super) fn replace_pod(&mut self) -> Vec<Effect> {
        self.rejected = true;
        let write = Effect::Write(Write::PatchRejected);
        [write, Effect::Report(Fact::PodRejected)].into_iter().chain(self.remove_rejected_pod()).collect()
    }

    /// Nothing that was seen of it holds for the next one.
    pub(super) fn remove_rejected_pod(&mut self) -> [Effect; 1] {
        self.phase = Phase::Replacing;
        self.start_failure = None;
        self.told = Told::default();
        self.gone_by = None;
        self.disruption = None;
        [Effect::Write(Write::RemoveRejectedPod)]
    }

    pub(super) fn create_next_pod(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = self.create_pod();
        effects.extend(self.placing_timers(now));
        effects
    }

    pub(super) fn replacement_overdue(&mut self, now: Timestamp) -> Vec<Effect> {
        self.finish_without_pod(Outcome::failed(FailureReason::NodeRejected), now)
    }
}
