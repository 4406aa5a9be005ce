//! What is decided about taking jobs.

use std::time::Duration;

use admission::Verdict;
use api::events::Reason;

use super::Reporter;
use crate::runner_group::group::GroupId;

impl Reporter {
    /// Whether an offered job may be claimed was asked, and answered within this time.
    pub fn admission(&self, group: &GroupId, verdict: &Verdict, took: Duration) {
        self.count_decision(group, verdict);
        let labels = [self.namespace.as_str(), group.name.as_str()];
        self.metrics.admission_decision.with_label_values(&labels).observe(took.as_secs_f64());
        if !verdict.is_admitted() {
            tracing::debug!(runner_group = group.name, verdict = verdict.as_str(), "a job stays queued");
        }
    }

    /// The group takes no job any more: said once, however long it lasts. While it takes none, no offer comes that could be
    /// declined: the change is the decision that counts.
    pub fn withheld(&self, group: &GroupId, verdict: &Verdict) {
        self.count_decision(group, verdict);
        let (name, why) = (group.name.as_str(), verdict.to_string());
        let said = match verdict {
            Verdict::Refused { message } => Some((Reason::WorkerPodsRefused, message.as_str())),
            Verdict::Quota { .. } => Some((Reason::WorkerQuotaReached, why.as_str())),
            Verdict::Ceiling { .. } => Some((Reason::WorkerCeilingReached, why.as_str())),
            Verdict::Admitted { .. } | Verdict::Draining | Verdict::Throttled | Verdict::Unasked => None,
        };
        match said {
            Some((Reason::WorkerPodsRefused, _)) => {
                tracing::warn!(runner_group = name, verdict = why, "jobs stay queued");
            }
            Some(_) => tracing::info!(runner_group = name, verdict = why, "jobs stay queued"),
            None => tracing::debug!(runner_group = name, verdict = why, "jobs stay queued"),
        }
        if let Some((reason, note)) = said {
            self.events.say_about(group.reference.clone(), reason, format!("jobs stay queued: {note}"));
        }
    }

    /// The group takes jobs again.
    pub fn listens_again(&self, group: &GroupId) {
        tracing::info!(runner_group = group.name, "listening for jobs again");
    }

    /// So many jobs of the group are claimed and not over, and so many of them run; `ceiling` bounds the former.
    pub fn load(&self, group: &str, running: usize, active: usize, ceiling: Option<u32>) {
        let labels = [self.namespace.as_str(), group];
        self.metrics.jobs_running.with_label_values(&labels).set(i64::try_from(running).unwrap_or(i64::MAX));
        match ceiling {
            Some(ceiling) => {
                let share = active as f64 / f64::from(ceiling.max(1));
                self.metrics.worker_utilisation.with_label_values(&labels).set(share);
            }
            // An error says that there was none.
            None => drop(self.metrics.worker_utilisation.remove_label_values(&labels)),
        }
    }

    fn count_decision(&self, group: &GroupId, verdict: &Verdict) {
        let labels = [self.namespace.as_str(), group.name.as_str(), verdict.as_str()];
        self.metrics.admission_decisions.with_label_values(&labels).inc();
    }
}
