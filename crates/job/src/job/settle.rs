//! How a job ends: GitHub told where nobody else will, its end written down, and what it left behind removed.
//!
//! Completing and cleaning up are two lists of [`Step`]s. They are taken one after the other, in the order that a
//! successor can read off the cluster. A step may be put off, and is asked for again; a call that GitHub refuses for good
//! is kept as a dead letter until a person decides.

use std::collections::VecDeque;
use std::time::Duration;

use api::FailureReason;
use api::runner_job::JobResult;
use backoff::Backoff;
use jiff::Timestamp;

use super::{Job, Phase};
use crate::effect::{Effect, Fact, Kept, Slot, Step, Timer, Unreported, Write};
use crate::event::{StepOutcome, Verdict};
use crate::outcome::Outcome;

/// Between two looks at a run that is not over, and so cannot be run again: jobs last minutes or hours.
const PUT_OFF: Backoff =
    Backoff::Doubling { first: Duration::from_secs(30), longest: Duration::from_secs(300) };

/// What is left to do about a job that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// In this order; the first is under way, or waits for its next try.
    steps: VecDeque<Step>,
    /// How often the first was put off.
    put_off: u32,
    /// A call that GitHub refused.
    dead_letter: Option<DeadLetter>,
}

/// A call that GitHub refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeadLetter {
    /// The call.
    pub call: Kept,
    /// What a person decided; `None` until somebody does.
    pub verdict: Option<Verdict>,
}

impl Settlement {
    pub(super) fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), put_off: 0, dead_letter: None }
    }

    /// The same, with a call that GitHub refused.
    pub(super) fn with(self, letter: DeadLetter) -> Self {
        Self { dead_letter: Some(letter), ..self }
    }

    /// The step that is under way, or waits.
    #[must_use]
    pub fn next(&self) -> Option<Step> {
        self.steps.front().copied()
    }

    /// Whether the job is not complete, because it is to be run again.
    #[must_use]
    pub fn awaits_rerun(&self) -> bool {
        self.steps.contains(&Step::RerunFailedJobs)
    }

    /// Whether the next step waits for something outside, for minutes or hours.
    #[must_use]
    pub fn is_put_off(&self) -> bool {
        self.put_off > 0
    }

    pub(super) fn dead_letter(&self) -> Option<DeadLetter> {
        self.dead_letter
    }

    fn effect(&self) -> Option<Effect> {
        self.next().map(Step::effect)
    }
}

impl Job {
    /// Whether GitHub must be told, because the runner did not and nobody else will. Not so where GitHub itself ended the
    /// job, forgot it, or has another claim of it.
    fn unreported(&self, outcome: &Outcome) -> Option<Unreported> {
        let gone = self.lock.is_lost()
            || matches!(outcome.reason, Some(FailureReason::LockLost | FailureReason::ClaimLost));
        let known = gone || outcome.result == JobResult::Duplicate || self.cancelled_by_github;
        if known || self.times.acquired.is_none() {
            return None;
        }
        match self.times.started.is_some() || self.vanished {
            true => Some(Unreported::Died),
            false => Some(Unreported::NeverStarted),
        }
    }

    /// Whether the job is run again: the cluster took its worker, and nobody wanted it to end.
    fn is_rerun(&self, outcome: &Outcome) -> bool {
        let taken = outcome.reason.is_some_and(is_taken_by_the_cluster);
        self.policy.reruns && taken && !self.cancelled_by_github && !self.deletion_requested
    }

    pub(super) fn finish_without_pod(&mut self, outcome: Outcome, now: Timestamp) -> Vec<Effect> {
        let tell = self.unreported(&outcome).map(Step::CompleteJob);
        // Without its payload no pod starts that comes of an unanswered W3; a successor that finds it creates the pod.
        let remove_pod = self.may_have_pod().then_some(Step::RemovePod);
        let clean_up = [Step::DeletePayload].into_iter().chain(remove_pod).chain([Step::ReplaceAgent]);
        // W6 comes last: no pod with our finalizer tells a successor that more is to do.
        let complete = match self.is_rerun(&outcome) {
            true => &[Step::PatchAwaitingRerun, Step::RerunFailedJobs, Step::PatchComplete][..],
            false => &[Step::PatchComplete],
        };
        let steps = tell.into_iter().chain(clean_up).chain(complete.iter().copied());
        self.finish(outcome, Settlement::of(steps), now)
    }

    /// `reported`: whether the runner told GitHub how it ended.
    pub(super) fn finish_with_pod(
        &mut self,
        outcome: Outcome,
        reported: bool,
        now: Timestamp,
    ) -> Vec<Effect> {
        let tell = self.unreported(&outcome).filter(|_| !reported).map(Step::CompleteJob);
        let clean_up = [Step::DeletePayload, Step::ReplaceAgent, Step::ReleasePod];
        // What the pod tells is written down before it is let go.
        let (write, rerun) = match self.is_rerun(&outcome) {
            true => (Step::PatchAwaitingRerun, &[Step::RerunFailedJobs, Step::PatchComplete][..]),
            false => (Step::PatchComplete, &[][..]),
        };
        let steps = tell.into_iter().chain([write]).chain(clean_up).chain(rerun.iter().copied());
        self.finish(outcome, Settlement::of(steps), now)
    }

    fn finish(&mut self, outcome: Outcome, settlement: Settlement, now: Timestamp) -> Vec<Effect> {
        self.retry = None;
        self.times.finished = Some(now);
        let took = now.duration_since(self.times.acquired.unwrap_or(now));
        let mut effects: Vec<Effect> = settlement.effect().into_iter().collect();
        effects.push(Effect::Slot(Slot::GiveBack));
        effects.push(Effect::Report(Fact::Finished(outcome.clone(), took)));
        self.phase = Phase::Finished(outcome, settlement);
        effects
    }

    pub(super) fn step_taken(&mut self, step: Step, came: StepOutcome, now: Timestamp) -> Vec<Effect> {
        let Phase::Finished(_, settlement) = &mut self.phase else { return Vec::new() };
        if settlement.next() != Some(step) || self.retry.is_some() {
            return Vec::new(); // a repeat or a straggler
        }
        match came {
            StepOutcome::Done => {}
            StepOutcome::PutOff => {
                settlement.put_off += 1;
                let pause = PUT_OFF.after(settlement.put_off, self.seed);
                return self.again(Timer::Step, now + pause);
            }
            StepOutcome::Refused => {
                if let Some(call) = step.kept() {
                    settlement.dead_letter = Some(DeadLetter { call, verdict: None });
                }
            }
        }
        settlement.put_off = 0;
        settlement.steps.pop_front();
        self.go_on()
    }

    /// The next step; or none is left, and the job is settled but for a call that GitHub refuses.
    pub(super) fn go_on(&mut self) -> Vec<Effect> {
        let Phase::Finished(outcome, settlement) = &self.phase else { return Vec::new() };
        if let Some(effect) = settlement.effect() {
            return vec![effect];
        }
        if let Some(letter) = settlement.dead_letter.filter(|it| it.verdict.is_none())
            && !self.deletion_requested
        {
            self.phase = Phase::DeadLetter(outcome.clone(), letter.call);
            return vec![Effect::Report(Fact::Refused(letter.call))];
        }
        self.phase = Phase::Settled(outcome.clone());
        let release = self.deletion_requested.then_some(Effect::Write(Write::ReleaseRunnerJob));
        [Effect::Report(Fact::Settled)].into_iter().chain(release).collect()
    }

    /// The step that was put off is due.
    pub(super) fn step_due(&self) -> Option<Effect> {
        match &self.phase {
            Phase::Finished(_, settlement) => settlement.effect(),
            _ => None,
        }
    }

    /// A person says what becomes of a call that GitHub refused.
    pub(super) fn decided(&mut self, verdict: Verdict) -> Vec<Effect> {
        let Phase::DeadLetter(outcome, call) = &self.phase else { return Vec::new() };
        let call = *call;
        let again = (verdict == Verdict::Retry).then_some(Step::from(call));
        let steps = again.into_iter().chain([Step::PatchComplete]);
        let settlement = Settlement::of(steps).with(DeadLetter { call, verdict: Some(verdict) });
        self.phase = Phase::Finished(outcome.clone(), settlement);
        self.go_on()
    }

    /// Somebody deleted the `RunnerJob` of a job that is over: it is not run again, and no letter is kept for it.
    pub(super) fn deleted_when_over(&mut self) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Settled(_) => vec![Effect::Write(Write::ReleaseRunnerJob)],
            Phase::DeadLetter(outcome, _) => {
                self.phase = Phase::Settled(outcome.clone());
                vec![Effect::Report(Fact::Settled), Effect::Write(Write::ReleaseRunnerJob)]
            }
            Phase::Finished(_, settlement) => {
                let waits = settlement.next() == Some(Step::RerunFailedJobs) && settlement.is_put_off();
                settlement.steps.retain(|it| *it != Step::RerunFailedJobs);
                if !waits {
                    return Vec::new();
                }
                settlement.put_off = 0;
                self.retry = None;
                self.go_on()
            }
            _ => Vec::new(),
        }
    }
}

/// The causes that have nothing to do with the job: its worker was there, and the cluster took it.
fn is_taken_by_the_cluster(reason: FailureReason) -> bool {
    matches!(
        reason,
        FailureReason::EvictedMemory
            | FailureReason::EvictedDisk
            | FailureReason::EvictedOther
            | FailureReason::Preempted
            | FailureReason::Drained
            | FailureReason::NodeLost
            | FailureReason::PodDeleted
    )
}
