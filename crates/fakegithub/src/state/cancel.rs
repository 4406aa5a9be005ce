//! Cancelling jobs: by a person, and for running too long (protocol §5.6, §7.3).

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::State;
use super::runs::{Annotation, CancelError, Run};
use crate::settings::{Cancellation, CancellationTo};
use crate::timespan;

impl State {
    /// A person cancels a run: claimed jobs are told and have time to end.
    pub(crate) fn cancel(&mut self, run_id: u64, now: Timestamp) -> Result<(), CancelError> {
        for id in self.unfinished(run_id)? {
            self.cancel_job(id, now);
        }
        Ok(())
    }

    /// Cancels a job that has run for longer than its `timeout-minutes`.
    pub(super) fn cancel_overdue(&mut self, id: u64, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let (Some(minutes), Some(started)) = (job.plan.spec.timeout_minutes, job.started) else { return };
        let limit = self.settings.timers.scaled(SignedDuration::from_mins(i64::from(minutes)));
        if job.life.has_started() != Some(true) || job.life.is_cancelling() || started + limit > now {
            return;
        }
        let runner = job.runner.as_ref().map_or("", |(_, name)| name);
        job.annotations.push(Annotation {
            level: "failure".into(),
            message: format!(
                "The job running on runner {runner} has exceeded the maximum execution time of {minutes} minutes."
            ),
            title: None,
            step: None,
        });
        self.cancel_job(id, now);
    }

    fn cancel_job(&mut self, id: u64, now: Timestamp) {
        let account = self.run_of_job(id).map_or("", Run::owner);
        let cancellation = self.settings.choices.job_cancellation.of(account).clone();
        let timers = &self.settings.timers;
        let wait = cancellation.timeout.as_ref().map_or(timers.grace(), |(_, wait)| timers.scaled(*wait));
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.life.cancel(wait, now) {
            self.tell_cancellation(id, &cancellation);
        }
        self.after_change(id, now);
    }

    /// Sends `JobCancellation` to the owner's session, whatever it polls as.
    fn tell_cancellation(&mut self, id: u64, cancellation: &Cancellation) {
        let grace = self.settings.timers.grace();
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(owner) = job.life.claims.first().map(|claim| claim.agent) else { return };
        let named = match cancellation.send {
            CancellationTo::Owner => job.guid,
            CancellationTo::UnknownJob => self.ids.guid(),
            CancellationTo::Never => return,
        };
        let timeout = match &cancellation.timeout {
            Some((text, _)) => text.clone(),
            None => timespan::write(grace),
        };
        let body = json!({"jobId": named, "timeout": timeout});
        for _ in 0..cancellation.times {
            self.send_or_keep(owner, "JobCancellation", &body);
        }
    }
}
