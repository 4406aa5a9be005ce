//! The series that every controller serves, under the names that dashboards for controller-runtime know.

use std::time::Duration;

use http::{Method, StatusCode};
use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use runtime::metrics::{counter_vec, gauge_vec, histogram_vec};
use signals::controller;
use tokio::time::Instant;

/// `rest_client_requests_total{code,method,host}`.
#[derive(Debug, Clone)]
pub struct RestMetrics {
    requests: IntCounterVec,
}

/// What is known of reconciles and of leadership.
#[derive(Debug, Clone)]
pub struct ControllerMetrics {
    reconciles: IntCounterVec,
    errors: IntCounterVec,
    seconds: HistogramVec,
    active: IntGaugeVec,
    errors_by_resource: IntCounterVec,
    leader: IntGaugeVec,
}

/// How a reconcile ended; the words are controller-runtime's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Nothing to do until something changes.
    Success,
    /// To be looked at again at a known time.
    RequeueAfter,
    /// It failed.
    Error,
}

/// One reconcile under way. Dropping it without [`Timer::finish`] (a cancelled reconcile) counts nothing but
/// ends its being active.
#[derive(Debug)]
pub struct Timer {
    metrics: ControllerMetrics,
    controller: &'static str,
    started: Instant,
}

impl RestMetrics {
    /// Registers the series.
    ///
    /// # Errors
    /// It is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let requests = counter_vec(registry, &controller::REST_CLIENT_REQUESTS)?;
        Ok(RestMetrics { requests })
    }

    /// One request is over; no status means that there was no answer.
    pub fn observe(&self, method: &Method, host: &str, status: Option<StatusCode>) {
        let code = status.as_ref().map_or("<error>", StatusCode::as_str);
        self.requests.with_label_values(&[code, method.as_str(), host]).inc();
    }
}

impl ControllerMetrics {
    /// Registers the series.
    ///
    /// # Errors
    /// They are registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        Ok(ControllerMetrics {
            reconciles: counter_vec(registry, &controller::RECONCILES)?,
            errors: counter_vec(registry, &controller::RECONCILE_ERRORS)?,
            seconds: histogram_vec(registry, &controller::RECONCILE_TIME)?,
            active: gauge_vec(registry, &controller::ACTIVE_WORKERS)?,
            errors_by_resource: counter_vec(registry, &controller::RECONCILE_ERRORS_BY_RESOURCE)?,
            leader: gauge_vec(registry, &controller::LEADER)?,
        })
    }

    /// A reconcile begins.
    pub fn start(&self, controller: &'static str) -> Timer {
        self.active.with_label_values(&[controller]).inc();
        Timer { metrics: self.clone(), controller, started: Instant::now() }
    }

    /// A reconcile of `resource` (`namespace/name`) failed.
    pub fn failed(&self, controller: &str, resource: &str) {
        self.errors.with_label_values(&[controller]).inc();
        self.errors_by_resource.with_label_values(&[controller, resource]).inc();
    }

    /// The object is gone: so is its series.
    pub fn forget(&self, controller: &str, resource: &str) {
        // An error says that there was none.
        let _ = self.errors_by_resource.remove_label_values(&[controller, resource]);
    }

    /// The gauge of one lease, for [`crate::lease::Elector`].
    pub fn leader(&self, lease: &str) -> IntGauge {
        self.leader.with_label_values(&[lease])
    }
}

impl ReconcileResult {
    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            ReconcileResult::Success => "success",
            ReconcileResult::RequeueAfter => "requeue_after",
            ReconcileResult::Error => "error",
        }
    }
}

impl Timer {
    /// The reconcile is over. Says how long it took.
    pub fn finish(self, result: ReconcileResult) -> Duration {
        let took = self.started.elapsed();
        self.metrics.reconciles.with_label_values(&[self.controller, result.as_str()]).inc();
        self.metrics.seconds.with_label_values(&[self.controller]).observe(took.as_secs_f64());
        took
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.metrics.active.with_label_values(&[self.controller]).dec();
    }
}

#[cfg(test)]
mod tests;
