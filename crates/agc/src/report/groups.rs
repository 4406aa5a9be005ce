//! What happens to a group as a whole.

use api::RunnerGroup;
use api::events::Reason;
use k8s_openapi::api::core::v1::ObjectReference;

use super::Reporter;
use super::outcomes::BAD_MESSAGES;

impl Reporter {
    /// The group is there: its series show at zero, so that an alert on them has something to look at before the first
    /// job.
    pub fn group_introduced(&self, group: &str) {
        let labels = [self.namespace.as_str(), group];
        for series in [
            &self.metrics.active_sessions,
            &self.metrics.busy_sessions,
            &self.metrics.jobs_running,
            &self.metrics.reap_blocking_sidecar_pods,
        ] {
            series.with_label_values(&labels);
        }
        for series in [
            &self.metrics.jobs_acquired,
            &self.metrics.eviction_retries,
            &self.metrics.eviction_retries_exhausted,
            &self.metrics.agent_recycle_errors,
        ] {
            series.with_label_values(&labels);
        }
        for reason in BAD_MESSAGES {
            self.metrics.bad_messages.with_label_values(&[labels[0], group, reason]);
        }
    }

    /// The group is gone, and its gauges go with it: at zero they would alert for ever.
    pub fn group_gone(&self, group: &str) {
        let gauges = [
            &self.metrics.active_sessions,
            &self.metrics.busy_sessions,
            &self.metrics.jobs_running,
            &self.metrics.reap_blocking_sidecar_pods,
            &self.metrics.runner_version_days_left,
        ];
        for series in gauges {
            // An error says that there was none.
            let _ = series.remove_label_values(&[self.namespace.as_str(), group]);
        }
        let _ = self.metrics.worker_utilisation.remove_label_values(&[self.namespace.as_str(), group]);
    }

    /// So many worker pods of the group are kept running by a container, though their runner has ended.
    pub fn pods_outlived(&self, group: &str, pods: usize) {
        let labels = [self.namespace.as_str(), group];
        let pods = i64::try_from(pods).unwrap_or(i64::MAX);
        self.metrics.reap_blocking_sidecar_pods.with_label_values(&labels).set(pods);
    }

    /// So many days are left to the version that the group reports, if GitHub has named them.
    pub fn version_days_left(&self, group: &str, days: Option<i64>) {
        let labels = [self.namespace.as_str(), group];
        match days {
            Some(days) => self.metrics.runner_version_days_left.with_label_values(&labels).set(days),
            // An error says that there was none.
            None => drop(self.metrics.runner_version_days_left.remove_label_values(&labels)),
        }
    }

    /// The version that the group reports ends soon; `note` says when, and what to do.
    pub fn version_ends(&self, group: ObjectReference, note: String) {
        self.events.say_about(group, Reason::RunnerVersionEnding, note);
    }

    /// The group was cleaned up, and these runners stay registered at GitHub.
    pub fn runners_left(&self, group: &RunnerGroup, runners: &[String]) {
        let note = format!("failed to delete runners at GitHub: {}", runners.join(", "));
        self.events.say(group, Reason::AgentDeregistrationFailed, note);
    }
}
