//! The controller's own series.

use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry};
use runtime::metrics::{counter_vec, gauge_vec, histogram_vec, ratio_vec};
use signals::agc as series;

/// What the controller counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(super) active_sessions: IntGaugeVec,
    pub(super) runner_version_days_left: IntGaugeVec,
    pub(super) reap_blocking_sidecar_pods: IntGaugeVec,
    pub(super) busy_sessions: IntGaugeVec,
    pub(super) jobs_acquired: IntCounterVec,
    pub(super) acquisition_errors: IntCounterVec,
    pub(super) job_duration: HistogramVec,
    pub(super) pod_creation_latency: HistogramVec,
    pub(super) token_refreshes: IntCounterVec,
    pub(super) token_refresh_errors: IntCounterVec,
    pub(super) renewjob_errors: IntCounterVec,
    pub(super) eviction_retries: IntCounterVec,
    pub(super) eviction_retries_exhausted: IntCounterVec,
    pub(super) pods_reaped: IntCounterVec,
    pub(super) poll_errors: IntCounterVec,
    pub(super) bad_messages: IntCounterVec,
    pub(super) agent_recycles: IntCounterVec,
    pub(super) agent_recycle_errors: IntCounterVec,
    pub(super) admission_decisions: IntCounterVec,
    pub(super) admission_decision: HistogramVec,
    pub(super) jobs_running: IntGaugeVec,
    pub(super) worker_utilisation: GaugeVec,
    pub(super) jobs_finished: IntCounterVec,
    pub(super) job_failures: IntCounterVec,
    pub(super) force_cancels: IntCounterVec,
    pub(super) job_completions: IntCounterVec,
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
            reap_blocking_sidecar_pods: gauge_vec(registry, &series::REAP_BLOCKING_SIDECAR_PODS)?,
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
            admission_decision: histogram_vec(registry, &series::ADMISSION_DECISION)?,
            jobs_running: gauge_vec(registry, &series::JOBS_RUNNING)?,
            worker_utilisation: ratio_vec(registry, &series::WORKER_UTILISATION)?,
            jobs_finished: counter_vec(registry, &series::JOBS_FINISHED)?,
            job_failures: counter_vec(registry, &series::JOB_FAILURES)?,
            force_cancels: counter_vec(registry, &series::ABANDONED_RUN_FORCE_CANCELS)?,
            job_completions: counter_vec(registry, &series::JOB_COMPLETIONS)?,
        })
    }
}

#[cfg(test)]
mod tests;
