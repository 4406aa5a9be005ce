//! A job from the App's key to its conclusion.

use std::time::Duration;

use serde_json::json;

use crate::support::{Github, ONE_JOB};

const WAIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_job_goes_from_the_app_key_to_success() {
    let github = Github::start().await;
    let run = github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session, claim) = runner.claim().await;

    let seen = github.control().run(run.run_id).unwrap();
    assert_eq!((seen.status, seen.jobs[0].runner_name.as_deref()), ("in_progress", Some("one")));
    assert!(seen.jobs[0].started_at.is_none());
    claim.renew(&github).expect(200).await;
    claim.start(&github).await;
    claim.complete(&github, "succeeded").expect(204).await;

    let done =
        github.control().wait_for_run(run.run_id, WAIT, |run| run.status == "completed").await.unwrap();
    assert_eq!(done.conclusion, Some("success"));
    for _ in 0..3 {
        assert!(runner.poll(&token, &session, "Online").expect(200).await.body.is_empty());
    }
    runner.poll(&token, &session, "Online").expect(401).await;
    github.assert_no_violation();
    github.server.shutdown().await;
}

#[tokio::test]
async fn a_held_poll_wakes_at_once_when_a_job_comes() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let poll = runner.poll(&token, &session, "Online").send();
    let submit = async {
        while github.control().state().sessions[0].parked == 0 {
            tokio::task::yield_now().await;
        }
        github.run(ONE_JOB)
    };
    // The hold is 50 s: only a wake-up lets this end in time.
    let (reply, _) = tokio::time::timeout(WAIT, async { tokio::join!(poll, submit) }).await.unwrap();
    assert_eq!((reply.status, reply.json()["messageType"].clone()), (200, json!("RunnerJobRequest")));
}
