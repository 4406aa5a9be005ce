//! The controller's own series. Names, labels and buckets are the contract with dashboards and alerts: a test holds
//! them against a frozen list.

use github_proto::message::MessageError;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec, Registry};
use runtime::metrics::{histogram_vec, int_counter_vec, int_gauge_vec};

/// Doubling from a second to half an hour and more: jobs are that different.
const JOB_SECONDS: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0];
/// The objectives stand at 15 s (p95) and 60 s (p99).
const POD_SECONDS: [f64; 10] = [0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0];

/// Why a message was dropped: no body of its type, or encrypted with another key.
const BAD_BODY: &str = "body";
const BAD_CIPHER: &str = "decrypt";
const UNSUPPORTED: &str = "unsupported";

/// What the controller counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) active_sessions: IntGaugeVec,
    pub(crate) runner_version_days_left: IntGaugeVec,
    pub(crate) busy_sessions: IntGaugeVec,
    pub(crate) jobs_acquired: IntCounterVec,
    pub(crate) acquisition_errors: IntCounterVec,
    pub(crate) job_duration: HistogramVec,
    pub(crate) pod_creation_latency: HistogramVec,
    pub(crate) token_refreshes: IntCounterVec,
    pub(crate) token_refresh_errors: IntCounterVec,
    pub(crate) renewjob_errors: IntCounterVec,
    pub(crate) eviction_retries: IntCounterVec,
    pub(crate) eviction_retries_exhausted: IntCounterVec,
    pub(crate) pods_reaped: IntCounterVec,
    pub(crate) poll_errors: IntCounterVec,
    pub(crate) bad_messages: IntCounterVec,
    pub(crate) agent_recycles: IntCounterVec,
    pub(crate) agent_recycle_errors: IntCounterVec,
    pub(crate) admission_decisions: IntCounterVec,
    pub(crate) jobs_finished: IntCounterVec,
    pub(crate) job_failures: IntCounterVec,
    pub(crate) force_cancels: IntCounterVec,
    pub(crate) job_completions: IntCounterVec,
}

impl Metrics {
    /// Registers every series.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let group = ["namespace", "runner_group"];
        let counter = |name: &str, help: &str, labels: &[&str]| {
            int_counter_vec(registry, &format!("actions_gateway_{name}"), help, labels)
        };
        let gauge = |name: &str, help: &str| {
            int_gauge_vec(registry, &format!("actions_gateway_{name}"), help, &group)
        };
        Ok(Self {
            active_sessions: gauge("active_sessions", "Long-poll sessions that listen for jobs.")?,
            runner_version_days_left: gauge(
                "runner_version_days_left",
                "Whole days until GitHub gives no more jobs to the runner version that is reported; absent while GitHub names no date.",
            )?,
            busy_sessions: gauge(
                "busy_sessions",
                "Long-poll sessions that stay open for the cancellation of a running job.",
            )?,
            jobs_acquired: counter(
                "jobs_acquired_total",
                "Jobs successfully acquired from the broker.",
                &group,
            )?,
            acquisition_errors: counter(
                "job_acquisition_errors_total",
                "Acquisition failures: already_claimed, delivery_window_expired, version_too_old, other.",
                &["namespace", "reason"],
            )?,
            job_duration: histogram_vec(
                registry,
                "actions_gateway_job_duration_seconds",
                "Wall time from the acquisition to the worker pod's end.",
                &JOB_SECONDS,
                &group,
            )?,
            pod_creation_latency: histogram_vec(
                registry,
                "actions_gateway_pod_creation_latency_seconds",
                "Time from the acquisition to the worker pod being scheduled.",
                &POD_SECONDS,
                &["namespace"],
            )?,
            token_refreshes: counter(
                "token_refreshes_total",
                "Successful refreshes of the installation token.",
                &["namespace"],
            )?,
            token_refresh_errors: counter(
                "token_refresh_errors_total",
                "Failed refreshes of the installation token.",
                &["namespace"],
            )?,
            renewjob_errors: counter(
                "renewjob_errors_total",
                "Failed renewals of a job's lock.",
                &["namespace"],
            )?,
            eviction_retries: counter(
                "eviction_retries_total",
                "Jobs automatically re-queued after their worker was taken away.",
                &group,
            )?,
            eviction_retries_exhausted: counter(
                "eviction_retries_exhausted_total",
                "Jobs whose re-run budget was spent: they need a manual re-run.",
                &group,
            )?,
            pods_reaped: counter(
                "worker_pods_reaped_total",
                "Worker pods deleted by the lifecycle reaper.",
                &["namespace", "runner_group", "reason"],
            )?,
            poll_errors: counter(
                "message_poll_errors_total",
                "Failed polls: rate_limited, timeout, other. Empty polls and expired sessions are normal.",
                &["namespace", "reason"],
            )?,
            bad_messages: counter(
                "bad_messages_total",
                "Messages of the broker that were dropped because they could not be used: body, decrypt, unsupported.",
                &["namespace", "runner_group", "reason"],
            )?,
            agent_recycles: counter(
                "agent_recycles_total",
                "Single-use agents registered anew: post_job, stale_session, startup, reconcile_repair.",
                &["namespace", "runner_group", "trigger"],
            )?,
            agent_recycle_errors: counter(
                "agent_recycle_errors_total",
                "Failed attempts to register an agent anew.",
                &group,
            )?,
            admission_decisions: counter(
                "admission_decisions_total",
                "Answers to whether one more job may be claimed: admitted, ceiling, quota.",
                &["namespace", "runner_group", "verdict"],
            )?,
            jobs_finished: counter(
                "jobs_finished_total",
                "Jobs that are over, by result.",
                &["namespace", "runner_group", "result"],
            )?,
            job_failures: counter(
                "job_failures_total",
                "Jobs that failed otherwise than by their own doing, by reason and by who can mend it.",
                &["namespace", "runner_group", "reason", "class"],
            )?,
            force_cancels: counter(
                "abandoned_run_force_cancels_total",
                "Runs ended at GitHub because a job of theirs was claimed and could never start.",
                &["namespace", "runner_group", "outcome"],
            )?,
            job_completions: counter(
                "job_completions_total",
                "Ends of jobs told to GitHub in the runner's place: accepted, gone, refused, error.",
                &["namespace", "runner_group", "outcome"],
            )?,
        })
    }

    /// Counts attempts to get an installation token: whether each succeeded.
    pub fn token_observer(&self, namespace: &str) -> impl Fn(bool) + Send + Sync + use<> {
        let succeeded = self.token_refreshes.with_label_values(&[namespace]);
        let failed = self.token_refresh_errors.with_label_values(&[namespace]);
        move |success| if success { succeeded.inc() } else { failed.inc() }
    }

    /// Shows the series of a group at zero, so that an alert on them has something to look at before the first job.
    pub fn introduce(&self, namespace: &str, group: &str) {
        for series in [&self.active_sessions, &self.busy_sessions] {
            series.with_label_values(&[namespace, group]);
        }
        for series in [
            &self.jobs_acquired,
            &self.eviction_retries,
            &self.eviction_retries_exhausted,
            &self.agent_recycle_errors,
        ] {
            series.with_label_values(&[namespace, group]);
        }
        for reason in [BAD_BODY, BAD_CIPHER, UNSUPPORTED] {
            self.bad_messages.with_label_values(&[namespace, group, reason]);
        }
    }

    /// Shows the days that a group's version has left, if GitHub has named them.
    pub(crate) fn show_days_left(&self, namespace: &str, group: &str, days: Option<i64>) {
        match days {
            Some(days) => self.runner_version_days_left.with_label_values(&[namespace, group]).set(days),
            // An error says that there was none.
            None => drop(self.runner_version_days_left.remove_label_values(&[namespace, group])),
        }
    }

    /// Counts a message that was dropped.
    pub(crate) fn bad_message(&self, namespace: &str, group: &str, error: &MessageError) {
        let reason = match error {
            MessageError::Body(_) => BAD_BODY,
            MessageError::Decrypt => BAD_CIPHER,
            MessageError::Unsupported => UNSUPPORTED,
        };
        self.bad_messages.with_label_values(&[namespace, group, reason]).inc();
    }

    /// Takes the series of a deleted group away: a gauge at zero would alert for ever.
    pub fn forget(&self, namespace: &str, group: &str) {
        for series in [&self.active_sessions, &self.busy_sessions, &self.runner_version_days_left] {
            // An error says that there was none.
            let _ = series.remove_label_values(&[namespace, group]);
        }
    }
}

#[cfg(test)]
mod tests;
