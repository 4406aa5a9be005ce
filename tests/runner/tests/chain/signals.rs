//! Signals to the worker (protocol §6.4), sent by what it runs.

use crate::recorded::{Played, play};
use crate::transcript::Transcript;

/// How a job of these steps ends: exit code, conclusion, and each step's.
async fn end(steps: &str, frame: Option<i32>) -> (i32, String, Vec<String>) {
    let workflow = format!("repository: acme/demo\njobs: {{x: {{runs-on: linux, steps: [{steps}]}}}}");
    let Played { code, calls, message } = play(&workflow, |_| {}, frame).await;
    let seen = Transcript::seen(&calls, &message);
    let report = &seen.0.last().unwrap().body;
    let steps = report.list("stepResults").iter().map(|it| it.text("conclusion").to_owned()).collect();
    (code, report.text("conclusion").to_owned(), steps)
}

fn ended(code: i32, conclusion: &str, steps: &[&str]) -> (i32, String, Vec<String>) {
    (code, conclusion.to_owned(), steps.iter().map(|it| (*it).to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_does_nothing() {
    let expected = ended(100, "succeeded", &["succeeded", "succeeded", "succeeded", "succeeded"]);
    assert_eq!(end("{run: 'kill -INT $PPID; sleep 0.1'}, {run: 'true'}", None).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_is_a_shutdown() {
    let expected = ended(102, "failed", &["succeeded", "canceled", "skipped", "succeeded"]);
    let steps = "{run: 'kill -TERM $PPID; while :; do sleep 0.1; done'}, {if: always(), run: 'true'}";
    assert_eq!(end(steps, None).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_after_a_cancellation_ends_the_evaluation_of_conditions_and_changes_no_result() {
    let expected = ended(103, "canceled", &["succeeded", "canceled", "succeeded", "skipped", "succeeded"]);
    let steps = "{run: 'while :; do sleep 0.1; done'}, {if: always(), run: 'kill -TERM $PPID; sleep 0.1'},
        {if: always(), run: 'true'}";
    assert_eq!(end(steps, Some(2)).await, expected);
}
