//! From the claim to the pod: W2 and W3, what hinders them, and who is told of it.

use jiff::{SignedDuration, Timestamp};

use super::stop::stopped;
use super::{Job, Phase, WRITE};
use crate::effect::{Effect, Fact, Slot, Timer, Write};
use crate::event::PodRefusal;
use crate::outcome::Outcome;
use crate::waiting::Waiting;
use api::StopReason;

/// A job that gets its pod sooner than this has nobody wonder where it is.
const TELL_AFTER: SignedDuration = SignedDuration::from_secs(2);
/// How far the placing of a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Placing {
    /// How often a quota refused the payload or the pod.
    quota_refusals: u32,
    /// What came of the last try.
    hindrance: Option<Waiting>,
    /// Whether a W3 had no usable answer, so that a pod may come of it.
    unanswered: bool,
    payload_stored: bool,
    /// Whether it has lasted so long that people are told.
    overdue: bool,
    /// What they were told.
    told: Option<Waiting>,
}

impl Job {
    /// What the job waits for that has no pod, or waited for to its end; `None` when nothing hindered it.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        let unhindered = match self.phase {
            Phase::Storing { .. } => Some(Waiting::Secret),
            Phase::Creating { .. } => Some(Waiting::Pod),
            _ => self.placing.told,
        };
        self.placing.hindrance.or(unhindered)
    }

    /// Whether the payload Secret was stored.
    #[must_use]
    pub fn payload_stored(&self) -> bool {
        self.placing.payload_stored
    }

    /// Whether the API server refused its pod, and its next try waits for [`Event::PodsAdmitted`](crate::Event).
    #[must_use]
    pub fn awaits_admission(&self) -> bool {
        matches!(self.phase, Phase::Creating { held: true, .. })
    }

    /// Whether one of the writes between claim and pod is under way, rather than waiting for its next try.
    #[must_use]
    pub fn is_placing_now(&self) -> bool {
        self.is_being_placed() && self.retry.is_none() && !self.awaits_admission()
    }

    pub(super) fn is_being_placed(&self) -> bool {
        matches!(self.phase, Phase::Storing { .. } | Phase::Creating { .. })
    }

    /// Whether a pod may stand, or come yet, of which no answer told.
    pub(super) fn may_have_pod(&self) -> bool {
        matches!(self.phase, Phase::Creating { .. }) && (self.placing.unanswered || self.is_placing_now())
    }

    /// When people are told that it waits, and when it has waited in vain.
    pub(super) fn placing_timers(&self, now: Timestamp) -> [Effect; 2] {
        [
            Effect::Wake(Timer::TellWaiting, now + TELL_AFTER),
            Effect::Wake(Timer::Placing, self.placing_deadline()),
        ]
    }

    fn placing_deadline(&self) -> Timestamp {
        let acquired = self.times.acquired.unwrap_or(Timestamp::MAX);
        acquired.saturating_add(self.policy.pending_deadline).unwrap_or(Timestamp::MAX)
    }

    /// As a predecessor told.
    pub(super) fn placing_found(&mut self, waiting: Option<Waiting>) {
        self.placing.hindrance = waiting;
        self.placing.told = waiting;
    }

    pub(super) fn payload_is_stored(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = self.create_pod();
        // What hindered the payload does not hinder the pod. What does is said when it has had its time.
        self.placing.hindrance = None;
        if std::mem::take(&mut self.placing.overdue) {
            effects.push(Effect::Wake(Timer::TellWaiting, now + TELL_AFTER));
        }
        effects
    }

    pub(super) fn create_pod(&mut self) -> Vec<Effect> {
        self.retry = None;
        self.placing.payload_stored = true;
        self.enter(Phase::Creating { attempt: 1, held: false }, [Effect::Write(Write::CreatePod)])
    }

    /// There is a pod: nothing is waited for, and nothing is missing.
    pub(super) fn placed(&mut self) {
        self.placing = Placing { payload_stored: true, ..Placing::default() };
    }

    pub(super) fn payload_store_failed(&mut self, attempt: u32, now: Timestamp) -> Vec<Effect> {
        let next = (Timer::StorePayload, now + WRITE.after(attempt, self.seed));
        self.hindered(Waiting::Secret, Phase::Storing { attempt: attempt + 1 }, Some(next), now)
    }

    pub(super) fn payload_over_quota(&mut self, now: Timestamp) -> Vec<Effect> {
        self.over_quota(Phase::Storing { attempt: 1 }, Timer::StorePayload, now)
    }

    pub(super) fn pod_refused(&mut self, refusal: PodRefusal, now: Timestamp) -> Vec<Effect> {
        match refusal {
            PodRefusal::Duplicate => {
                let stopped = self.stopping.map(|it| stopped(it.reason));
                self.finish_without_pod(stopped.unwrap_or(Outcome::duplicate()), now)
            }
            PodRefusal::Quota => {
                self.over_quota(Phase::Creating { attempt: 1, held: false }, Timer::CreatePod, now)
            }
            PodRefusal::Invalid => {
                let held = Phase::Creating { attempt: 1, held: true };
                let mut effects = self.hindered(Waiting::Admission, held, None, now);
                effects.push(Effect::Slot(Slot::Break));
                effects
            }
        }
    }

    pub(super) fn pod_create_failed(&mut self, attempt: u32, now: Timestamp) -> Vec<Effect> {
        self.placing.unanswered = true;
        let next = (Timer::CreatePod, now + WRITE.after(attempt, self.seed));
        let again = Phase::Creating { attempt: attempt + 1, held: false };
        let mut effects = self.hindered(Waiting::Pod, again, Some(next), now);
        // It may be a moment's trouble. Then this job's next try closes the breaker, in a second; else each job that is
        // claimed until it is clear would be one too many.
        effects.push(Effect::Slot(Slot::Break));
        effects
    }

    /// The group's pods are taken again, and it is this job's turn.
    pub(super) fn pods_admitted(&mut self) -> Vec<Effect> {
        self.enter(Phase::Creating { attempt: 1, held: false }, [Effect::Write(Write::CreatePod)])
    }

    fn over_quota(&mut self, again: Phase, timer: Timer, now: Timestamp) -> Vec<Effect> {
        self.placing.quota_refusals += 1;
        if self.placing.quota_refusals > self.policy.quota_retries {
            self.placing.hindrance = Some(Waiting::Quota);
            return self.finish_without_pod(self.unplaced(), now);
        }
        self.hindered(Waiting::Quota, again, Some((timer, now + self.policy.quota_delay)), now)
    }

    /// A try failed for this. The next comes at its time, or when what is waited for comes; none does for a job that is
    /// being stopped, or has waited for too long.
    fn hindered(
        &mut self,
        by: Waiting,
        again: Phase,
        next: Option<(Timer, Timestamp)>,
        now: Timestamp,
    ) -> Vec<Effect> {
        self.placing.hindrance = Some(by);
        if self.stopping.is_some() || now >= self.placing_deadline() {
            return self.finish_without_pod(self.unplaced(), now);
        }
        self.phase = again;
        let mut effects = next.map(|(timer, at)| self.again(timer, at)).unwrap_or_default();
        effects.push(Effect::Report(Fact::NotPlaced(by)));
        effects.extend(self.tell_waiting());
        effects
    }

    /// Says what the job waits for, unless that was said, or is not worth it yet.
    fn tell_waiting(&mut self) -> Vec<Effect> {
        let waiting = self.waiting().filter(|it| self.placing.overdue && self.placing.told != Some(*it));
        let Some(waiting) = waiting else { return Vec::new() };
        self.placing.told = Some(waiting);
        vec![Effect::Write(Write::PatchWaiting), Effect::Report(Fact::Waiting(waiting))]
    }

    pub(super) fn placing_timer_due(&mut self, timer: Timer, now: Timestamp) -> Vec<Effect> {
        match timer {
            Timer::TellWaiting => {
                self.placing.overdue = true;
                self.tell_waiting()
            }
            // While a write is under way its answer decides: it may be the pod.
            Timer::Placing if now >= self.placing_deadline() && !self.is_placing_now() => {
                self.finish_without_pod(self.unplaced(), now)
            }
            _ => Vec::new(),
        }
    }

    /// What a job comes to that gets no pod: what it was stopped for, else what hindered it. One that nothing has hindered
    /// yet is not hindered by us.
    pub(super) fn unplaced(&self) -> Outcome {
        let hindrance = self.placing.hindrance.or(self.waiting().filter(|_| self.placing.overdue));
        match (self.stopping, hindrance) {
            (Some(stopping), _) => stopped(stopping.reason),
            (None, Some(waiting)) => Outcome::failed(waiting.failure()),
            (None, None) => stopped(StopReason::LockLost),
        }
    }
}
