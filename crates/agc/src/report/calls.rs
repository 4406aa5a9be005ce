//! What came of calls to GitHub, and of pods that were deleted, apart from the job's own machine.

use api::StopReason;
use github::run_service::Completed;

use super::Reporter;
use super::outcomes::{AcquisitionError, ForceCancel};

impl Reporter {
    /// GitHub did not give the job.
    pub fn not_acquired(&self, error: AcquisitionError) {
        self.metrics.acquisition_errors.with_label_values(&[self.namespace.as_str(), error.as_str()]).inc();
    }

    /// GitHub was told how a job ended, in its runner's place.
    pub fn completion_told(&self, group: &str, told: &Completed) {
        let labels = [self.namespace.as_str(), group, told.as_str()];
        self.metrics.job_completions.with_label_values(&labels).inc();
    }

    /// GitHub was asked to end a run, a job of which could never start.
    pub fn run_force_cancelled(&self, group: &str, outcome: ForceCancel) {
        let labels = [self.namespace.as_str(), group, outcome.as_str()];
        self.metrics.force_cancels.with_label_values(&labels).inc();
    }

    /// A worker pod was deleted that had taken too long, or whose time on show was over.
    pub fn pod_reaped(&self, group: &str, reason: StopReason) {
        let labels = [self.namespace.as_str(), group, reason.reaped_as()];
        self.metrics.pods_reaped.with_label_values(&labels).inc();
    }

    /// Hears of each attempt to get an installation token, and whether it succeeded.
    pub fn token_observer(&self) -> impl Fn(bool) + Send + Sync + use<> {
        let namespace = [self.namespace.as_str()];
        let succeeded = self.metrics.token_refreshes.with_label_values(&namespace);
        let failed = self.metrics.token_refresh_errors.with_label_values(&namespace);
        move |success| if success { succeeded.inc() } else { failed.inc() }
    }
}
