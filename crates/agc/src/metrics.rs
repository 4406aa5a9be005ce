//! The controller's own series.

use github_proto::message::MessageError;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec, Registry};
use runtime::metrics::{counter_vec, gauge_vec, histogram_vec};
use signals::agc as series;

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
        Ok(Self {
            active_sessions: gauge_vec(registry, &series::ACTIVE_SESSIONS)?,
            runner_version_days_left: gauge_vec(registry, &series::RUNNER_VERSION_DAYS_LEFT)?,
            busy_sessions: gauge_vec(registry, &series::BUSY_SESSIONS)?,
            jobs_acquired: counter_vec(registry, &series::JOBS_ACQUIRED)?,
            acquisition_errors: counter_vec(registry, &series::JOB_ACQUISITION_ERRORS)?,
            job_duration: histogram_vec(registry, &series::JOB_DURATION)?,
            pod_creation_latency: histogram_vec(registry, &series::POD_CREATION_LATENCY)?,
            token_refreshes: counter_vec(registry, &series::TOKEN_REFRESHES)?,
            token_refresh_errors: counter_vec(registry, &series::TOKEN_REFRESH_ERRORS)?,
            renewjob_errors: counter_vec(registry, &series::RENEWJOB_ERRORS)?,
            eviction_retries: counter_vec(registry, &series::EVICTION_RETRIES)?,
            eviction_retries_exhausted: counter_vec(registry, &series::EVICTION_RETRIES_EXHAUSTED)?,
            pods_reaped: counter_vec(registry, &series::WORKER_PODS_REAPED)?,
            poll_errors: counter_vec(registry, &series::MESSAGE_POLL_ERRORS)?,
            bad_messages: counter_vec(registry, &series::BAD_MESSAGES)?,
            agent_recycles: counter_vec(registry, &series::AGENT_RECYCLES)?,
            agent_recycle_errors: counter_vec(registry, &series::AGENT_RECYCLE_ERRORS)?,
            admission_decisions: counter_vec(registry, &series::ADMISSION_DECISIONS)?,
            jobs_finished: counter_vec(registry, &series::JOBS_FINISHED)?,
            job_failures: counter_vec(registry, &series::JOB_FAILURES)?,
            force_cancels: counter_vec(registry, &series::ABANDONED_RUN_FORCE_CANCELS)?,
            job_completions: counter_vec(registry, &series::JOB_COMPLETIONS)?,
        })
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
