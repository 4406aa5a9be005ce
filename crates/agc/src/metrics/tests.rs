use super::*;

/// Name, type and labels of what the observability page promises of this program.
const PROMISED: &str = "
active_sessions GAUGE namespace,runner_group
agent_recycle_errors_total COUNTER namespace,runner_group
agent_recycles_total COUNTER namespace,runner_group,trigger
eviction_retries_exhausted_total COUNTER namespace,runner_group
eviction_retries_total COUNTER namespace,runner_group
job_acquisition_errors_total COUNTER namespace,reason
job_duration_seconds HISTOGRAM namespace,runner_group
jobs_acquired_total COUNTER namespace,runner_group
message_poll_errors_total COUNTER namespace,reason
pod_creation_latency_seconds HISTOGRAM namespace
renewjob_errors_total COUNTER namespace
token_refresh_errors_total COUNTER namespace
token_refreshes_total COUNTER namespace
worker_pods_reaped_total COUNTER namespace,runner_group,reason
";

const OURS: &str = "
abandoned_run_force_cancels_total COUNTER namespace,runner_group,outcome
admission_decisions_total COUNTER namespace,runner_group,verdict
bad_messages_total COUNTER namespace,runner_group,reason
busy_sessions GAUGE namespace,runner_group
job_completions_total COUNTER namespace,runner_group,outcome
job_failures_total COUNTER namespace,runner_group,reason,class
jobs_finished_total COUNTER namespace,runner_group,result
runner_version_days_left GAUGE namespace,runner_group
";

fn described(series: &impl prometheus::core::Collector, kind: &str) -> String {
    let description = series.desc()[0];
    let name = description.fq_name.trim_start_matches("actions_gateway_");
    format!("{name} {kind} {}", description.variable_labels.join(","))
}

fn all(metrics: &Metrics) -> Vec<String> {
    let Metrics {
        active_sessions,
        runner_version_days_left,
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
        jobs_finished,
        job_failures,
        force_cancels,
        job_completions,
    } = metrics;
    let gauges = [active_sessions, busy_sessions, runner_version_days_left].map(|it| described(it, "GAUGE"));
    let histograms = [job_duration, pod_creation_latency].map(|it| described(it, "HISTOGRAM"));
    let counters = [
        jobs_acquired,
        acquisition_errors,
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
        jobs_finished,
        job_failures,
        force_cancels,
        job_completions,
    ]
    .map(|it| described(it, "COUNTER"));
    let mut all: Vec<String> = gauges.into_iter().chain(histograms).chain(counters).collect();
    all.sort();
    all
}

#[test]
fn the_series_are_the_promised_ones_and_the_listed_ones_of_ours() {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let mut listed: Vec<&str> = PROMISED.lines().chain(OURS.lines()).filter(|it| !it.is_empty()).collect();
    listed.sort_unstable();
    assert_eq!(all(&metrics), listed);
}

#[test]
fn a_group_without_a_job_has_series_and_a_deleted_one_has_no_session_gauge() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let gauge = "actions_gateway_active_sessions{namespace=\"a\",runner_group=\"blue\"} 0";
    metrics.introduce("a", "blue");
    assert!(runtime::metrics::render(&registry).unwrap().contains(gauge));
    metrics.show_days_left("a", "blue", Some(-1));
    let days = "actions_gateway_runner_version_days_left{namespace=\"a\",runner_group=\"blue\"} -1";
    assert!(runtime::metrics::render(&registry).unwrap().contains(days));
    metrics.forget("a", "blue");
    assert!(!runtime::metrics::render(&registry).unwrap().contains("runner_version_days_left{"));
    assert!(!runtime::metrics::render(&registry).unwrap().contains(gauge));
}
