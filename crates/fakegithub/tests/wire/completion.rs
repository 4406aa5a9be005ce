//! What comes of `completejob` (protocol §5.4): for a job that started, one that never did, and one that is over.

use fakegithub::JobView;
use serde_json::{Value, json};

use crate::support::runner::Claim;
use crate::support::{Github, ONE_JOB};

async fn claimed(github: &Github) -> (u64, Claim) {
    let run = github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    (run.run_id, claim)
}

fn job(github: &Github, run: u64) -> JobView {
    github.control().run(run).unwrap().jobs.remove(0)
}

/// J5's only job.
async fn shown(github: &Github, run: u64) -> Value {
    let path = format!("/api/v3/repos/acme/demo/actions/runs/{run}/jobs");
    github.get(&path).bearer(&github.installation_token().await).expect(200).await.json()["jobs"][0].clone()
}

#[tokio::test]
async fn the_first_report_wins_and_a_second_one_is_not_found() {
    let github = Github::start().await;
    let (run, claim) = claimed(&github).await;
    claim.start(&github).await;
    claim.complete(&github, "succeeded").expect(204).await;
    let late = claim.complete(&github, "failed").expect(404).await.json();
    assert_eq!((&late["source"], &late["statusCode"]), (&json!("actions-run-service"), &json!(404)));
    let job = job(&github, run);
    assert_eq!((job.conclusion, job.completion.as_deref()), (Some("success"), Some("succeeded")));
    github.assert_no_violation();
}

#[tokio::test]
async fn a_crash_report_ends_its_job_and_says_why() {
    let github = Github::start().await;
    let (run, claim) = claimed(&github).await;
    claim.start(&github).await;
    let mut body = claim.ids();
    body["conclusion"] = json!("failed");
    body["annotations"] = json!([{"level": "failure", "message": "out of memory"}]);
    body["billingOwnerId"] = json!("U_FAKEOWNER");
    claim.complete(&github, "failed").json(&body).expect(204).await;
    let job = job(&github, run);
    assert_eq!((job.conclusion, job.completed_at.is_some()), (Some("failure"), true));
    let annotation = &job.annotations[0];
    assert_eq!((annotation.level.as_str(), annotation.message.as_str()), ("failure", "out of memory"));
    assert_eq!((annotation.step, job.annotations.len()), (None, 1));
    github.assert_no_violation();
}

#[tokio::test]
async fn annotations_of_steps_are_shown_with_their_step() {
    let github = Github::start().await;
    let (run, claim) = claimed(&github).await;
    claim.start(&github).await;
    let mut body = claim.ids();
    body["conclusion"] = json!("succeeded");
    let annotation = json!({"level": "warning", "message": "careful", "title": "Look", "startLine": 3});
    body["stepResults"] = json!([{"number": 2, "name": "Make", "annotations": [annotation]}]);
    claim.complete(&github, "succeeded").json(&body).expect(204).await;
    let annotation = job(&github, run).annotations.remove(0);
    assert_eq!((annotation.step, annotation.title.as_deref()), (Some(2), Some("Look")));
}

#[tokio::test]
async fn the_rest_api_tells_whether_a_claimed_job_has_started() {
    let github = Github::start().await;
    let (run, claim) = claimed(&github).await;
    let before = shown(&github, run).await;
    assert_eq!(
        (&before["status"], &before["steps"], &before["conclusion"]),
        (&json!("in_progress"), &json!([]), &Value::Null)
    );
    assert!(before["started_at"].is_string(), "the claim starts the job of the REST API");
    claim.start(&github).await;
    assert_eq!(shown(&github, run).await["steps"][0]["name"], "Set up job");
}

#[tokio::test]
async fn a_job_that_never_started_concludes_with_what_is_sent() {
    let github = Github::start().await;
    let (run, claim) = claimed(&github).await;
    claim.complete(&github, "failed").expect(204).await;
    assert_eq!(job(&github, run).conclusion, Some("failure"));
}

#[tokio::test]
async fn a_completion_of_what_never_started_can_be_refused() {
    let github = Github::start().await;
    github.pull(json!({"lever": "unstarted-completion", "effect": "refused", "account": "acme"}));
    let (run, claim) = claimed(&github).await;
    let refused = claim.complete(&github, "failed").expect(401).await.json();
    assert_eq!(refused["errorMessage"], "Not authorized for this job");
    assert_eq!(job(&github, run).status, "in_progress");
    github.assert_no_violation();
    claim.start(&github).await;
    claim.complete(&github, "failed").expect(204).await;
}

#[tokio::test]
async fn a_completion_of_what_never_started_can_have_no_effect() {
    let github = Github::start().await;
    github.pull(json!({"lever": "unstarted-completion", "effect": "refused", "account": "other"}));
    github.pull(json!({"lever": "unstarted-completion", "effect": "no-effect"}));
    let (run, claim) = claimed(&github).await;
    claim.complete(&github, "failed").expect(204).await;
    let view = github.control().run(run).unwrap();
    assert_eq!((view.status, view.jobs[0].status), ("in_progress", "in_progress"));
}

#[tokio::test]
async fn a_run_can_succeed_though_its_job_never_completed() {
    let github = Github::start().await;
    github.pull(json!({"lever": "unstarted-completion", "effect": "false-green"}));
    let (run, claim) = claimed(&github).await;
    claim.complete(&github, "failed").expect(204).await;
    let view = github.control().run(run).unwrap();
    assert_eq!((view.status, view.conclusion), ("completed", Some("success")));
    let token = github.installation_token().await;
    let path = format!("/api/v3/repos/acme/demo/actions/runs/{run}");
    let refused = github.post(&format!("{path}/rerun-failed-jobs")).bearer(&token).expect(403).await.json();
    assert_eq!(refused["message"], "This workflow run cannot be retried");
    let shown = shown(&github, run).await;
    assert_eq!((&shown["status"], &shown["conclusion"]), (&json!("in_progress"), &Value::Null));
}

#[tokio::test]
async fn a_run_whose_worker_vanished_concludes_when_its_lock_lapses() {
    let github = Github::start().await;
    let (run, claim) = claimed(&github).await;
    claim.start(&github).await;
    github.pull(json!({"lever": "clock-offset", "seconds": 590}));
    claim.renew(&github).expect(200).await;
    github.pull(json!({"lever": "clock-offset", "seconds": 1180}));
    assert_eq!(job(&github, run).status, "in_progress");
    github.pull(json!({"lever": "clock-offset", "seconds": 1200}));
    let over = |run: &fakegithub::RunView| run.status == "completed";
    let view = github.control().wait_for_run(run, std::time::Duration::from_secs(20), over).await.unwrap();
    assert_eq!((view.conclusion, view.jobs[0].completion.as_deref()), (Some("failure"), None));
    claim.complete(&github, "succeeded").expect(404).await;
}
