//! Cancelled jobs: who is told what, how long they may take, and how they end (protocol §5.6).

use fakegithub::{Lever, RunView};
use serde_json::{Value, json};

use crate::support::runner::Claim;
use crate::support::{Github, ONE_JOB, Runner};

/// The body of a cancellation that a busy poll gets.
async fn told(runner: &Runner<'_>, token: &str, session: &str) -> Value {
    let message = runner.poll(token, session, "Busy").expect(200).await.json();
    assert_eq!(message["messageType"], "JobCancellation");
    serde_json::from_str(message["body"].as_str().unwrap()).unwrap()
}

/// A server with short holds, and a run whose job is claimed and started.
async fn running(github: &Github) -> (RunView, Runner<'_>, String, String, Claim) {
    github.control().pull(Lever::PollHold { seconds: 0.05 }).unwrap();
    let run = github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session, claim) = runner.claim().await;
    claim.start(github).await;
    (run, runner, token, session, claim)
}

fn concluded(github: &Github, run: &RunView) -> Option<&'static str> {
    github.control().run(run.run_id).unwrap().conclusion
}

#[tokio::test]
async fn a_cancellation_is_delivered_once_whatever_the_session_polls_as() {
    for status in ["Busy", "Online", "Offline"] {
        let github = Github::start().await;
        let (run, runner, token, session, _) = running(&github).await;
        github.control().cancel_run(run.run_id).unwrap();
        github.control().cancel_run(run.run_id).unwrap();
        runner.poll(&token, &session, status).expect(200).await;
        runner.poll(&token, &session, status).expect(202).await;
    }
}

#[tokio::test]
async fn a_failed_completion_of_a_cancelled_job_is_taken_as_it_is() {
    let github = Github::start().await;
    let (run, _, _, _, claim) = running(&github).await;
    github.control().cancel_run(run.run_id).unwrap();
    assert_eq!(concluded(&github, &run), None, "it has time to end");
    claim.complete(&github, "failed").expect(204).await;
    assert_eq!(concluded(&github, &run), Some("failure"));
}

#[tokio::test]
async fn a_cancelled_job_that_does_not_end_is_cancelled_when_its_time_is_over() {
    let github = Github::start().await;
    let (run, ..) = running(&github).await;
    github.pull(json!({"lever": "job-cancellation", "timeout": "00:00:10"}));
    github.control().cancel_run(run.run_id).unwrap();
    github.pull(json!({"lever": "clock-offset", "seconds": 11}));
    let over = github
        .control()
        .wait_for_run(run.run_id, std::time::Duration::from_secs(20), |run| run.status == "completed");
    let job = over.await.unwrap().jobs.remove(0);
    assert_eq!((job.conclusion, job.completion), (Some("cancelled"), None));
}

#[tokio::test]
async fn the_timeout_is_sent_word_for_word_and_as_often_as_asked() {
    let github = Github::start().await;
    github.pull(json!({"lever": "job-cancellation", "timeout": "00:00:00", "times": 1, "account": "other"}));
    github.pull(json!({"lever": "job-cancellation", "timeout": "1.02:03:04", "times": 2, "account": "acme"}));
    let (run, runner, token, session, claim) = running(&github).await;
    github.control().cancel_run(run.run_id).unwrap();
    for _ in 0..2 {
        assert_eq!(
            told(&runner, &token, &session).await,
            json!({"jobId": claim.job, "timeout": "1.02:03:04"})
        );
    }
    runner.poll(&token, &session, "Busy").expect(202).await;
}

#[tokio::test]
async fn a_cancellation_can_name_another_job_or_never_come() {
    let github = Github::start().await;
    github.pull(json!({"lever": "job-cancellation", "send": "unknown-job"}));
    let (run, runner, token, session, claim) = running(&github).await;
    github.control().cancel_run(run.run_id).unwrap();
    assert_ne!(told(&runner, &token, &session).await["jobId"], claim.job.as_str());

    let github = Github::start().await;
    github.pull(json!({"lever": "job-cancellation", "send": "never"}));
    let (run, runner, token, session, _) = running(&github).await;
    github.control().cancel_run(run.run_id).unwrap();
    runner.poll(&token, &session, "Busy").expect(202).await;
}

#[tokio::test]
async fn a_cancellation_waits_for_the_session_that_is_opened_again() {
    let github = Github::start().await;
    let (run, runner, _, _, claim) = running(&github).await;
    github.control().pull(Lever::DropSession { agent: "one".into() }).unwrap();
    github.control().cancel_run(run.run_id).unwrap();
    let (token, session) = runner.session().await;
    assert_eq!(told(&runner, &token, &session).await["jobId"], claim.job.as_str());
    runner.poll(&token, &session, "Busy").expect(202).await;
}

#[tokio::test]
async fn a_job_that_runs_for_longer_than_it_may_is_cancelled() {
    let github = Github::start().await;
    let workflow = ONE_JOB.replace("    steps:", "    timeout-minutes: 1\n    steps:");
    let run = github.run(&workflow);
    let runner = github.runner("one").await;
    let (token, session, claim) = runner.claim().await;
    claim.start(&github).await;
    github.pull(json!({"lever": "clock-offset", "seconds": 61}));
    assert_eq!(told(&runner, &token, &session).await["jobId"], claim.job.as_str());
    claim.complete(&github, "canceled").expect(204).await;
    let job = github.control().run(run.run_id).unwrap().jobs.remove(0);
    assert_eq!((job.conclusion, job.completion.as_deref()), (Some("cancelled"), Some("canceled")));
    assert_eq!((job.annotations.len(), job.annotations[0].level.as_str()), (1, "failure"));
    assert!(job.annotations[0].message.contains("maximum execution time of 1 minutes"));
    github.assert_no_violation();
}
