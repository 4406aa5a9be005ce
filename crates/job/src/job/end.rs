//! How a job ends: GitHub told where nobody else will, its end written down step by step.

use jiff::Timestamp;

use super::{Job, Phase};
use crate::effect::{Effect, Fact, Slot, Step, Unreported, Write};
use crate::outcome::Outcome;
use api::FailureReason;
use api::runner_job::JobResult;

impl Job {
    /// Whether GitHub must be told, because the runner did not and nobody else will. Not so where GitHub itself ended the
    /// job, forgot it, or has another claim of it.
    fn unreported(&self, outcome: &Outcome) -> Option<Unreported> {
        let gone = matches!(outcome.reason, Some(FailureReason::LockLost | FailureReason::ClaimLost));
        let known = gone || outcome.result == JobResult::Duplicate || self.cancelled_by_github;
        if known || self.times.acquired.is_none() {
            return None;
        }
        match self.times.started.is_some() || self.vanished {
            true => Some(Unreported::Died),
            false => Some(Unreported::NeverStarted),
        }
    }

    pub(super) fn finish_without_pod(&mut self, outcome: Outcome, now: Timestamp) -> Vec<Effect> {
        let tell = self.unreported(&outcome).map(Step::CompleteJob);
        // W6 comes last: no pod with our finalizer tells a successor that more is to do.
        let rest = [Step::DeletePayload, Step::ReplaceAgent, Step::PatchComplete];
        self.finish(outcome, tell.into_iter().chain(rest).collect(), now)
    }

    /// `reported`: whether the runner told GitHub how it ended.
    pub(super) fn finish_with_pod(
        &mut self,
        outcome: Outcome,
        reported: bool,
        now: Timestamp,
    ) -> Vec<Effect> {
        let unreported = self.unreported(&outcome).filter(|_| !reported);
        let rest = [Step::PatchComplete, Step::DeletePayload, Step::ReplaceAgent, Step::ReleasePod];
        self.finish(outcome, unreported.map(Step::CompleteJob).into_iter().chain(rest).collect(), now)
    }

    fn finish(&mut self, outcome: Outcome, steps: Vec<Step>, now: Timestamp) -> Vec<Effect> {
        self.retry = None;
        self.times.finished = Some(now);
        let took = now.duration_since(self.times.acquired.unwrap_or(now));
        let mut effects: Vec<Effect> = steps.first().map(|it| it.effect()).into_iter().collect();
        effects.push(Effect::Slot(Slot::GiveBack));
        effects.push(Effect::Report(Fact::Finished(outcome.clone(), took)));
        self.phase = Phase::Finished(outcome, steps);
        effects
    }

    pub(super) fn step_done(&mut self, done: Step) -> Vec<Effect> {
        let Phase::Finished(outcome, steps) = &mut self.phase else { return Vec::new() };
        if steps.first() != Some(&done) {
            return Vec::new();
        }
        steps.remove(0);
        if let Some(next) = steps.first() {
            return vec![next.effect()];
        }
        self.phase = Phase::Settled(outcome.clone());
        let release = self.deletion_requested.then_some(Effect::Write(Write::ReleaseRunnerJob));
        [Effect::Report(Fact::Settled)].into_iter().chain(release).collect()
    }
}
