use admission::Verdict;
use api::runner_job::JobResult;
use api::{FailureClass, FailureReason, StopReason};
use github::run_service::Completed;
use github::session::PollError;
use job::listeners::Trigger;
use operator::metrics::{ControllerMetrics, ReconcileResult, RestMetrics};
use prometheus::core::{Metric, MetricVec, MetricVecBuilder};
use signals::Series;
use strum::IntoEnumIterator as _;

use super::*;
use crate::report::outcomes::{AcquisitionError, BAD_MESSAGES, ForceCancel};

/// Gives the family a value, so that it shows.
fn touch<B: MetricVecBuilder>(family: &MetricVec<B>, series: &Series)
where
    B::M: Metric,
{
    family.with_label_values(&vec!["x"; series.labels.len()]);
}

fn touch_all(metrics: &Metrics) {
    let Metrics {
        active_sessions,
        runner_version_days_left,
        reap_blocking_sidecar_pods,
        busy_sessions,
        jobs_acquired,
        acquisition_errors,
        job_duration,
        pod_creation_latency,
        token_refreshes,
        token_refresh_errors,
        renewjob_errors,
        eviction_retries,
        eviction_retries_exhausted,
        pods_reaped,
        poll_errors,
        bad_messages,
        agent_recycles,
        agent_recycle_errors,
        admission_decisions,
        admission_decision,
        jobs_running,
        worker_utilisation,
        jobs_finished,
        job_failures,
        force_cancels,
        job_completions,
    } = metrics;
    touch(active_sessions, &series::ACTIVE_SESSIONS);
    touch(runner_version_days_left, &series::RUNNER_VERSION_DAYS_LEFT);
    touch(reap_blocking_sidecar_pods, &series::REAP_BLOCKING_SIDECAR_PODS);
    touch(busy_sessions, &series::BUSY_SESSIONS);
    touch(jobs_acquired, &series::JOBS_ACQUIRED);
    touch(acquisition_errors, &series::JOB_ACQUISITION_ERRORS);
    touch(job_duration, &series::JOB_DURATION);
    touch(pod_creation_latency, &series::POD_CREATION_LATENCY);
    touch(token_refreshes, &series::TOKEN_REFRESHES);
    touch(token_refresh_errors, &series::TOKEN_REFRESH_ERRORS);
    touch(renewjob_errors, &series::RENEWJOB_ERRORS);
    touch(eviction_retries, &series::EVICTION_RETRIES);
    touch(eviction_retries_exhausted, &series::EVICTION_RETRIES_EXHAUSTED);
    touch(pods_reaped, &series::WORKER_PODS_REAPED);
    touch(poll_errors, &series::MESSAGE_POLL_ERRORS);
    touch(bad_messages, &series::BAD_MESSAGES);
    touch(agent_recycles, &series::AGENT_RECYCLES);
    touch(agent_recycle_errors, &series::AGENT_RECYCLE_ERRORS);
    touch(admission_decisions, &series::ADMISSION_DECISIONS);
    touch(admission_decision, &series::ADMISSION_DECISION);
    touch(jobs_running, &series::JOBS_RUNNING);
    touch(worker_utilisation, &series::WORKER_UTILISATION);
    touch(jobs_finished, &series::JOBS_FINISHED);
    touch(job_failures, &series::JOB_FAILURES);
    touch(force_cancels, &series::ABANDONED_RUN_FORCE_CANCELS);
    touch(job_completions, &series::JOB_COMPLETIONS);
}

#[tokio::test]
async fn what_the_program_serves_is_what_the_table_says() {
    let registry = runtime::metrics::registry("agc").unwrap();
    touch_all(&Metrics::register(&registry).unwrap());
    let metrics = ControllerMetrics::register(&registry).unwrap();
    metrics.start("runnergroup").finish(ReconcileResult::Success);
    metrics.failed("runnergroup", "team-a/blue");
    metrics.leader("agc").set(1);
    RestMetrics::register(&registry).unwrap().observe(&http::Method::GET, "api", None);
    let table = signals::program("agc").unwrap().series();
    assert_eq!(runtime::metrics::differences(&registry, table), [] as [String; 0]);
}

/// Label by label, the words of an enum are those of the table.
#[test]
fn the_words_of_the_table_are_those_of_the_program() {
    let check = |series: &Series, label: &str, words: Vec<&str>| {
        let values = series.label(label).unwrap().values;
        assert_eq!(words, values, "{} {label}", series.name);
    };
    check(&series::JOB_FAILURES, "reason", FailureReason::iter().map(FailureReason::as_str).collect());
    check(&series::JOB_FAILURES, "class", FailureClass::iter().map(FailureClass::as_str).collect());
    check(&series::JOBS_FINISHED, "result", JobResult::iter().map(JobResult::as_str).collect());
    check(&series::AGENT_RECYCLES, "trigger", Trigger::iter().map(Trigger::as_str).collect());
    let errors = [PollError::RateLimited, PollError::Timeout, PollError::Other];
    check(&series::MESSAGE_POLL_ERRORS, "reason", errors.map(PollError::as_str).to_vec());
    let verdicts = [
        Verdict::Admitted { priority_class: None },
        Verdict::Draining,
        Verdict::Unasked,
        Verdict::Refused { message: String::new() },
        Verdict::Throttled,
        Verdict::Ceiling { active: 1, limit: 1 },
        Verdict::Quota { name: String::new(), resource: String::new(), used: 0, hard: 0, needed: 1 },
    ];
    let words = verdicts.iter().map(Verdict::as_str).collect();
    check(&series::ADMISSION_DECISIONS, "verdict", words);
    let reaped = [
        StopReason::PendingDeadline,
        StopReason::LifetimeExceeded,
        StopReason::CompletedTtl,
        StopReason::Orphaned,
    ];
    check(&series::WORKER_PODS_REAPED, "reason", reaped.map(StopReason::as_str).to_vec());
    let counted_with = [StopReason::Outlived, StopReason::Unschedulable].map(StopReason::reaped_as);
    assert_eq!(counted_with, ["completed_ttl", "pending_deadline"]);
    check(
        &series::JOB_ACQUISITION_ERRORS,
        "reason",
        AcquisitionError::iter().map(AcquisitionError::as_str).collect(),
    );
    check(
        &series::ABANDONED_RUN_FORCE_CANCELS,
        "outcome",
        ForceCancel::iter().map(ForceCancel::as_str).collect(),
    );
    let told = [Completed::Accepted, Completed::Gone, Completed::Refused, Completed::GaveUp(String::new())];
    check(&series::JOB_COMPLETIONS, "outcome", told.iter().map(Completed::as_str).collect());
    check(&series::BAD_MESSAGES, "reason", BAD_MESSAGES.to_vec());
}
