//! The spans of a job.

use runtime::telemetry::root_span;
use tracing::{Span, info_span};

use super::Reporter;
use crate::jobs::acquired::AcquiredJob;
use crate::runner_group::group::GroupId;

/// The spans of one job: a root, and the wait for its end.
#[derive(Debug, Default)]
pub struct JobTrace {
    pub(super) root: Option<Span>,
    pub(super) wait: Option<Span>,
}

impl JobTrace {
    /// The pod is made: what is left is to wait.
    pub fn wait(&mut self) {
        self.wait = Some(info_span!(parent: &self.root(), "waitForCompletion"));
    }

    /// The root span; a disabled one before the claim.
    #[must_use]
    pub fn root(&self) -> Span {
        self.root.clone().unwrap_or_else(Span::none)
    }
}

impl Reporter {
    /// Begins the spans of a claimed job: `active` others of its group hold a slot, and with it the group stands at its bound
    /// if `ceiling_held`.
    #[must_use]
    pub fn trace(
        &self,
        group: &GroupId,
        claim: &AcquiredJob,
        active: u32,
        ceiling_held: bool,
        priority_class: Option<&str>,
    ) -> JobTrace {
        let pod = job::naming::pod(&group.name, &claim.run.plan_id, &claim.run.job_id);
        let root = root_span(claim.ids, || {
            info_span!(
                parent: None,
                "Provisioner.provision",
                runnergroup.namespace = self.namespace,
                runnergroup.name = group.name,
                plan.id = claim.run.plan_id,
                pod.name = pod,
                active_pods = active,
                ceiling.held = ceiling_held,
                priority_class,
                pod.phase = tracing::field::Empty,
                pod.reason = tracing::field::Empty,
                duration_seconds = tracing::field::Empty,
            )
        });
        // Counted before the claim, and so before there was a trace to put it in.
        info_span!(parent: &root, "countActivePods", active_pods = active).in_scope(|| {});
        JobTrace { root: Some(root), wait: None }
    }
}
