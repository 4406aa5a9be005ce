//! Labels, annotations and finalizers that our programs write and select by.

/// The API group, and the prefix of every key below.
pub const GROUP: &str = "actions-gateway.github.com";

/// Namespace label, set by the platform: `"true"` lets the GMC provision a gateway there.
pub const TENANT: &str = "actions-gateway.github.com/tenant";
/// Namespace label, set by the platform: `allowed` lets a gateway choose the `privileged` profile.
pub const PRIVILEGED_PROFILE: &str = "actions-gateway.github.com/privileged-profile";
/// Pod label that policies select by: [`AGC`], `proxy` or [`WORKER`].
pub const COMPONENT: &str = "actions-gateway.github.com/component";
/// The value of [`COMPONENT`] on the tenant's controller.
pub const AGC: &str = "agc";
/// The value of [`COMPONENT`] on workers.
pub const WORKER: &str = "worker";
/// Name of the gateway that an object belongs to.
pub const GATEWAY: &str = "actions-gateway.github.com/gateway";
/// Name of the RunnerGroup that an object belongs to.
pub const RUNNER_GROUP: &str = "actions-gateway.github.com/runner-group";
/// Name of the RunnerJob that a pod or Secret belongs to.
pub const RUNNER_JOB: &str = "actions-gateway.github.com/runner-job";
/// The recommended label that says who manages an object; with [`MANAGED_BY_VALUE`] it marks Secrets as ours.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`] on everything that our programs make.
pub const MANAGED_BY_VALUE: &str = "actions-gateway";

/// Keeps a worker pod, or a RunnerJob, until its result has been written down.
pub const FINALIZER_JOB: &str = "actions-gateway.github.com/job";
/// Keeps an ActionsGateway until its children are gone, in order.
pub const FINALIZER_GATEWAY: &str = "actions-gateway.github.com/gmc-cleanup";
/// Keeps a RunnerGroup until its agents are gone at GitHub.
pub const FINALIZER_GROUP: &str = "actions-gateway.github.com/agentpool-cleanup";

/// Annotation: id of the workflow run.
pub const RUN_ID: &str = "actions-gateway.github.com/run-id";
/// Annotation: attempt of the workflow run.
pub const RUN_ATTEMPT: &str = "actions-gateway.github.com/run-attempt";
/// Annotation: `owner/name` of the repository.
pub const REPOSITORY: &str = "actions-gateway.github.com/repository";
/// Annotation: display name of the job.
pub const JOB_NAME: &str = "actions-gateway.github.com/job-name";
/// Annotation: name of the workflow.
pub const WORKFLOW: &str = "actions-gateway.github.com/workflow";
/// Annotation: why the job failed, a word of the closed list.
pub const FAILURE_REASON: &str = "actions-gateway.github.com/failure-reason";
/// Annotation: why we deleted the pod, written before the deletion.
pub const DELETION_REASON: &str = "actions-gateway.github.com/deletion-reason";
/// Annotation: trace id of the run attempt, 32 hex digits.
pub const TRACE_ID: &str = "actions-gateway.github.com/trace-id";

/// The label selector of the pods of one component.
#[must_use]
pub fn component(name: &str) -> String {
    format!("{COMPONENT}={name}")
}

/// The label selector of everything that our programs make.
#[must_use]
pub fn ours() -> String {
    format!("{MANAGED_BY}={MANAGED_BY_VALUE}")
}
