//! The tenant controller's own series.

#![expect(missing_docs, reason = "the help text of each says it")]

use crate::{Label, NAMESPACE, RUNNER_GROUP, Series, Table};

/// Doubling from a second to half an hour and more: jobs are that different.
const JOB_SECONDS: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0];
/// The objectives stand at 15 s (p95) and 60 s (p99).
const POD_SECONDS: [f64; 10] = [0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0];
/// A decision is arithmetic over what is in memory: it should take no millisecond.
const DECISION_SECONDS: [f64; 8] = [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.1];

/// Why a job failed.
const FAILURE_REASONS: [&str; 26] = [
    "oom_killed",
    "oom_subprocess",
    "evicted_memory",
    "evicted_disk",
    "evicted_other",
    "preempted",
    "node_lost",
    "drained",
    "pod_deleted",
    "unschedulable",
    "node_rejected",
    "image_pull",
    "container_config",
    "init_container_failed",
    "quota_rejected",
    "pod_refused",
    "pod_not_created",
    "pending_deadline",
    "lifetime_exceeded",
    "lock_lost",
    "wrapper_error",
    "runner_error",
    "cancelled",
    "claim_lost",
    "payload_too_large",
    "unknown",
];

pub const ACTIVE_SESSIONS: Series = Series::gauge(
    "actions_gateway_active_sessions",
    "Long-poll sessions that listen for jobs, and whose polls GitHub answers.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const BUSY_SESSIONS: Series = Series::gauge(
    "actions_gateway_busy_sessions",
    "Long-poll sessions that stay open for the cancellation of a running job.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const REAP_BLOCKING_SIDECAR_PODS: Series = Series::gauge(
    "actions_gateway_reap_blocking_sidecar_pods",
    "Worker pods that a container keeps running though their runner has ended.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const RUNNER_VERSION_DAYS_LEFT: Series = Series::gauge(
    "actions_gateway_runner_version_days_left",
    "Whole days until GitHub gives no more jobs to the runner version that is reported; absent while GitHub names no date.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const JOBS_ACQUIRED: Series = Series::counter(
    "actions_gateway_jobs_acquired_total",
    "Jobs successfully acquired from the broker.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const JOB_ACQUISITION_ERRORS: Series = Series::counter(
    "actions_gateway_job_acquisition_errors_total",
    "Acquisition failures: already_claimed, delivery_window_expired, version_too_old, other.",
    &[
        NAMESPACE,
        Label::closed(
            "reason",
            "Why GitHub did not give the job.",
            &["already_claimed", "delivery_window_expired", "version_too_old", "other"],
        ),
    ],
);
pub const JOB_DURATION: Series = Series::histogram(
    "actions_gateway_job_duration_seconds",
    "Wall time from the acquisition to the worker pod's end.",
    &[NAMESPACE, RUNNER_GROUP],
    &JOB_SECONDS,
);
pub const POD_CREATION_LATENCY: Series = Series::histogram(
    "actions_gateway_pod_creation_latency_seconds",
    "Time from the acquisition to the worker pod being scheduled.",
    &[NAMESPACE],
    &POD_SECONDS,
);
pub const TOKEN_REFRESHES: Series = Series::counter(
    "actions_gateway_token_refreshes_total",
    "Successful refreshes of the installation token.",
    &[NAMESPACE],
);
pub const TOKEN_REFRESH_ERRORS: Series = Series::counter(
    "actions_gateway_token_refresh_errors_total",
    "Failed refreshes of the installation token.",
    &[NAMESPACE],
);
pub const RENEWJOB_ERRORS: Series = Series::counter(
    "actions_gateway_renewjob_errors_total",
    "Failed renewals of a job's lock.",
    &[NAMESPACE],
);
pub const EVICTION_RETRIES: Series = Series::counter(
    "actions_gateway_eviction_retries_total",
    "Jobs automatically re-queued after their worker was taken away.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const EVICTION_RETRIES_EXHAUSTED: Series = Series::counter(
    "actions_gateway_eviction_retries_exhausted_total",
    "Jobs whose re-run budget was spent: they need a manual re-run.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const WORKER_PODS_REAPED: Series = Series::counter(
    "actions_gateway_worker_pods_reaped_total",
    "Worker pods deleted by the lifecycle reaper.",
    &[
        NAMESPACE,
        RUNNER_GROUP,
        Label::closed(
            "reason",
            "Why the pod was deleted.",
            &["pending_deadline", "lifetime_exceeded", "completed_ttl", "orphaned"],
        ),
    ],
);
pub const MESSAGE_POLL_ERRORS: Series = Series::counter(
    "actions_gateway_message_poll_errors_total",
    "Failed polls: rate_limited, timeout, other. Empty polls and expired sessions are normal.",
    &[NAMESPACE, Label::closed("reason", "Why the poll failed.", &["rate_limited", "timeout", "other"])],
);
pub const BAD_MESSAGES: Series = Series::counter(
    "actions_gateway_bad_messages_total",
    "Messages of the broker that were dropped because they could not be used: body, decrypt, unsupported.",
    &[
        NAMESPACE,
        RUNNER_GROUP,
        Label::closed(
            "reason",
            "No body of its type, encrypted with another key, or of a service that is not supported.",
            &["body", "decrypt", "unsupported"],
        ),
    ],
);
pub const AGENT_RECYCLES: Series = Series::counter(
    "actions_gateway_agent_recycles_total",
    "Single-use agents registered anew: post_job, stale_session, startup, reconcile_repair.",
    &[
        NAMESPACE,
        RUNNER_GROUP,
        Label::closed(
            "trigger",
            "Why another one was needed.",
            &["post_job", "stale_session", "startup", "reconcile_repair"],
        ),
    ],
);
pub const AGENT_RECYCLE_ERRORS: Series = Series::counter(
    "actions_gateway_agent_recycle_errors_total",
    "Failed attempts to register an agent anew.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const ADMISSION_DECISIONS: Series = Series::counter(
    "actions_gateway_admission_decisions_total",
    "Answers to whether one more job may be claimed: admitted, draining, unasked, refused, throttled, ceiling, quota.",
    &[
        NAMESPACE,
        RUNNER_GROUP,
        Label::closed(
            "verdict",
            "Claimed, or what kept it queued at GitHub: the end of the controller, a dry run of the pod that is not answered yet or was refused, jobs that GitHub refused to assign, the group's bound or a ResourceQuota.",
            &["admitted", "draining", "unasked", "refused", "throttled", "ceiling", "quota"],
        ),
    ],
);
pub const ADMISSION_DECISION: Series = Series::histogram(
    "actions_gateway_admission_decision_seconds",
    "Time to decide whether one more job may be claimed.",
    &[NAMESPACE, RUNNER_GROUP],
    &DECISION_SECONDS,
);
pub const JOBS_RUNNING: Series = Series::gauge(
    "actions_gateway_jobs_running",
    "Jobs whose runner container runs.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const WORKER_UTILISATION: Series = Series::gauge(
    "actions_gateway_worker_utilisation_ratio",
    "Acquired jobs that are not over, as a share of the most that maxWorkers or priorityTiers let be; absent without such a bound.",
    &[NAMESPACE, RUNNER_GROUP],
);
pub const JOBS_FINISHED: Series = Series::counter(
    "actions_gateway_jobs_finished_total",
    "Jobs that are over, by result.",
    &[
        NAMESPACE,
        RUNNER_GROUP,
        Label::closed(
            "result",
            "The result in `status.result` of the RunnerJob.",
            &["succeeded", "failed", "cancelled", "skipped", "duplicate"],
        ),
    ],
);
pub const JOB_FAILURES: Series = Series::counter(
    "actions_gateway_job_failures_total",
    "Jobs that failed otherwise than by their own doing, by reason and by who can mend it.",
    &[
        NAMESPACE,
        RUNNER_GROUP,
        Label::closed("reason", "The failure reason.", &FAILURE_REASONS),
        Label::closed("class", "Who can mend it.", &["user", "infra"]),
    ],
);
pub const ABANDONED_RUN_FORCE_CANCELS: Series = Series::counter(
    "actions_gateway_abandoned_run_force_cancels_total",
    "Runs ended at GitHub because a job of theirs was claimed and could never start.",
    &[
        NAMESPACE,
        RUNNER_GROUP,
        Label::closed("outcome", "What came of it.", &["cancelled", "identity_unknown", "error"]),
    ],
);
pub const JOB_COMPLETIONS: Series = Series::counter(
    "actions_gateway_job_completions_total",
    "Ends of jobs told to GitHub in the runner's place: accepted, gone, refused, error.",
    &[
        NAMESPACE,
        RUNNER_GROUP,
        Label::closed("outcome", "GitHub's answer.", &["accepted", "gone", "refused", "error"]),
    ],
);

/// All of them.
pub const ALL: Table = &[
    &ACTIVE_SESSIONS,
    &BUSY_SESSIONS,
    &REAP_BLOCKING_SIDECAR_PODS,
    &RUNNER_VERSION_DAYS_LEFT,
    &JOBS_ACQUIRED,
    &JOB_ACQUISITION_ERRORS,
    &JOB_DURATION,
    &POD_CREATION_LATENCY,
    &TOKEN_REFRESHES,
    &TOKEN_REFRESH_ERRORS,
    &RENEWJOB_ERRORS,
    &EVICTION_RETRIES,
    &EVICTION_RETRIES_EXHAUSTED,
    &WORKER_PODS_REAPED,
    &MESSAGE_POLL_ERRORS,
    &BAD_MESSAGES,
    &AGENT_RECYCLES,
    &AGENT_RECYCLE_ERRORS,
    &ADMISSION_DECISIONS,
    &ADMISSION_DECISION,
    &JOBS_RUNNING,
    &WORKER_UTILISATION,
    &JOBS_FINISHED,
    &JOB_FAILURES,
    &ABANDONED_RUN_FORCE_CANCELS,
    &JOB_COMPLETIONS,
];
