use strum::IntoEnumIterator as _;

use super::*;

#[test]
fn the_reasons_are_a_closed_list() {
    let words: Vec<_> = FailureReason::iter().map(FailureReason::as_str).collect();
    assert_eq!(
        words.join(" "),
        "oom_killed oom_subprocess evicted_memory evicted_disk evicted_other preempted node_lost drained pod_deleted unschedulable node_rejected image_pull container_config init_container_failed quota_rejected pod_refused pod_not_created pending_deadline lifetime_exceeded lock_lost wrapper_error runner_error cancelled claim_lost payload_too_large unknown"
    );
}

/// The page is written from the enum: a change shows in its diff.
#[test]
fn the_reference_page_is_up_to_date() {
    let rows: String = FailureReason::iter()
        .map(|it| {
            format!("| `{}` | {} | {} | {} |\n", it.as_str(), it.class().as_str(), it.meaning(), it.remedy())
        })
        .collect();
    let page = format!(
        "<!-- Written by a test of crates/api from its enum of reasons. -->\n\n# Failure reasons\n\n\
        A job that did not fail by its own doing carries one of these words: in `status.failureReason` of its RunnerJob, in the\n\
        annotation `actions-gateway.github.com/failure-reason` of its pod, in `actions_gateway_job_failures_total`, in the Event,\n\
        the log line and the span. A plain failure, such as a failed test, carries none. Class `user` is for whoever writes the\n\
        workflow or the pod template, `infra` for whoever runs the cluster or the gateway.\n\n\
        | Reason | Class | What happened | What to do |\n|---|---|---|---|\n{rows}"
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/failure-reasons.md");
    if std::fs::read_to_string(path).ok().as_deref() != Some(page.as_str()) {
        std::fs::write(path, page).unwrap();
        panic!("docs/reference/failure-reasons.md was out of date and is written anew");
    }
}
