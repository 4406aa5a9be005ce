//! A job from the App's key to its conclusion.

use std::time::Duration;

use fakegithub::{Config, Error, Server};
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

#[tokio::test]
async fn many_runners_at_once_claim_each_job_once() {
    const MANY: usize = 40;
    let github = Github::start().await;
    let runs: Vec<u64> = (0..MANY).map(|_| github.run(ONE_JOB).run_id).collect();
    let work = (0..MANY).map(|number| {
        let github = &github;
        async move {
            let (_, _, claim) = github.runner(&format!("runner-{number}")).await.claim().await;
            claim.complete(github, "succeeded").expect(204).await;
            claim.job
        }
    });
    let claimed: std::collections::BTreeSet<String> =
        futures::future::join_all(work).await.into_iter().collect();
    assert_eq!(claimed.len(), MANY);
    for run in runs {
        let run = github.control().run(run).unwrap();
        assert_eq!((run.conclusion, run.jobs[0].claims), (Some("success"), 1));
    }
    github.assert_no_violation();
}

#[tokio::test]
async fn a_held_poll_is_answered_when_the_server_stops() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let poll = runner.poll(&token, &session, "Online").send();
    let stop = async {
        while github.control().state().sessions[0].parked == 0 {
            tokio::task::yield_now().await;
        }
        github.server.stop();
    };
    assert_eq!(tokio::join!(poll, stop).0.status, 202);
}

#[tokio::test]
async fn an_invalid_configuration_does_not_start() {
    for url in ["http://github.test", "https://github.test/acme", "https://user@github.test"] {
        let config = Config { public_url: Some(url.parse().unwrap()), ..Config::default() };
        assert!(matches!(Server::start(config).await, Err(Error::PublicUrl)), "{url}");
    }
    for time_factor in [0.0, -1.0, f64::NAN] {
        let config = Config { time_factor, ..Config::default() };
        assert!(matches!(Server::start(config).await, Err(Error::TimeFactor)), "{time_factor}");
    }
}
