//! How a job ends: its worker stopped, its run freed, its end written down step by step.

use jiff::Timestamp;

use super::{Job, Phase};
use crate::effect::{Effect, Fact, Step};
use crate::outcome::{FailureReason, JobResult, Outcome, StopReason};

impl Job {
    /// Ends the worker, or the job at once when there is no worker yet.
    pub(super) fn stop(&mut self, reason: StopReason, now: Timestamp) -> Vec<Effect> {
        if self.stopping.is_some() {
            return Vec::new();
        }
        match self.phase {
            Phase::Starting | Phase::Running => self.stop_worker(reason),
            // W3 is under way, or was not answered: a pod may come of it, and that pod must be stopped.
            Phase::Creating { attempt, .. } if self.retry.is_none() || attempt > 1 => {
                self.stopping = Some(reason);
                Vec::new()
            }
            _ => self.finish_without_pod(stopped(reason), now),
        }
    }

    pub(super) fn stop_worker(&mut self, reason: StopReason) -> Vec<Effect> {
        self.stopping = Some(reason);
        let mut effects = vec![Effect::StopWorker(reason), Effect::Report(Fact::Stopping(reason))];
        effects.extend(self.force_cancel(&stopped(reason)));
        effects
    }

    /// A job that was claimed and never started holds its run and its agent at GitHub until somebody ends the run.
    /// Not so when GitHub itself ended it, forgot it, or has another claim of it.
    pub(super) fn force_cancel(&mut self, outcome: &Outcome) -> Option<Effect> {
        let claimed = self.times.acquired.is_some();
        let ours_to_end = match (outcome.result, outcome.reason) {
            (_, Some(FailureReason::LockLost | FailureReason::ClaimLost)) => false,
            (JobResult::Failed, _) => true,
            (JobResult::Cancelled, _) => !self.cancelled_by_github,
            _ => false,
        };
        if !claimed || self.times.started.is_some() || self.run_left_alone || !ours_to_end {
            return None;
        }
        self.run_left_alone = true;
        Some(Effect::ForceCancel)
    }

    pub(super) fn finish_without_pod(&mut self, outcome: Outcome, now: Timestamp) -> Vec<Effect> {
        // W6 comes last: no pod with our finalizer tells a successor that more is to do.
        self.finish(outcome, vec![Step::DeletePayload, Step::ReplaceAgent, Step::WriteComplete], now)
    }

    pub(super) fn finish_with_pod(&mut self, outcome: Outcome, now: Timestamp) -> Vec<Effect> {
        self.finish(
            outcome,
            vec![Step::WriteComplete, Step::DeletePayload, Step::ReplaceAgent, Step::ReleasePod],
            now,
        )
    }

    pub(super) fn finish(&mut self, outcome: Outcome, steps: Vec<Step>, now: Timestamp) -> Vec<Effect> {
        self.retry = None;
        self.times.finished = Some(now);
        let took = now.duration_since(self.times.acquired.unwrap_or(now));
        let mut effects: Vec<Effect> = steps.first().map(|it| Effect::Settle(*it)).into_iter().collect();
        effects.push(Effect::ReleaseSlot);
        effects.extend(self.force_cancel(&outcome));
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
            return vec![Effect::Settle(*next)];
        }
        self.phase = Phase::Settled(outcome.clone());
        let release = self.deletion_requested.then_some(Effect::ReleaseRecord);
        [Effect::Report(Fact::Settled)].into_iter().chain(release).collect()
    }
}

/// What a job comes to that is stopped before its worker can say anything.
pub(super) fn stopped(reason: StopReason) -> Outcome {
    let (result, reason) = reason.outcome();
    Outcome { result, reason, exit_code: None }
}
