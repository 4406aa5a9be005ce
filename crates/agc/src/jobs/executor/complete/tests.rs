use api::FailureReason;
use api::runner_job::Phase;
use github_proto::rest::{self, RunJob};
use job::Outcome;
use serde_json::{Value, json};

use super::*;
use crate::jobs::memory::tests::snapshot;

fn jobs(list: Value) -> Vec<RunJob> {
    let body = json!({ "total_count": 1, "jobs": list }).to_string();
    let reply =
        http::Response::builder().header("content-type", "application/json").body(body.into()).unwrap();
    rest::decode_run_jobs(&reply).unwrap().items
}

fn job(runner: Option<&str>, status: &str, steps: &[&str]) -> Value {
    let steps: Vec<Value> = steps
        .iter()
        .enumerate()
        .map(|(number, status)| json!({ "name": "step", "number": number + 1, "status": status, "conclusion": null }))
        .collect();
    let conclusion = if status == "completed" { json!("failure") } else { Value::Null };
    json!({ "id": 1, "name": "build", "run_attempt": 1, "status": status, "conclusion": conclusion, "runner_name": runner, "steps": steps })
}

const OURS: Option<&str> = Some("blue-0-1");

#[test]
fn a_report_that_github_took_needs_nothing_more() {
    assert_eq!(judge(&jobs(json!([job(OURS, "completed", &[])])), "blue-0-1"), Seen::Over);
}

#[test]
fn a_run_of_which_nothing_has_run_may_be_ended() {
    let list = json!([job(OURS, "in_progress", &[]), job(None, "queued", &[])]);
    assert_eq!(judge(&jobs(list), "blue-0-1"), Seen::NothingRan);
}

#[test]
fn a_run_with_a_step_that_began_is_left_alone() {
    for other in
        [job(Some("other"), "in_progress", &["in_progress"]), job(Some("other"), "completed", &["completed"])]
    {
        let list = json!([job(OURS, "in_progress", &[]), other]);
        assert_eq!(judge(&jobs(list.clone()), "blue-0-1"), Seen::SomethingRan, "{list}");
    }
}

#[test]
fn the_annotation_says_the_reason_its_remedy_and_the_clusters_words() {
    let outcome = Some(Outcome::failed(FailureReason::ImagePull));
    let seen = JobSnapshot {
        cluster_words: Some("ErrImagePull: manifest unknown".into()),
        ..snapshot(Phase::Failed, outcome)
    };
    insta::assert_snapshot!(annotation("team-a", &seen), @r"
    image_pull: The registry refused the image, its name is malformed, or it may not be pulled and is not there. Correct the image's name, or the credentials for its registry.
    Kubernetes says: ErrImagePull: manifest unknown
    RunnerJob team-a/blue-0123456789, pod pod
    ");
}
