//! Who is offered which job, how often, and what reaches a busy runner.

use std::collections::BTreeSet;

use fakegithub::Lever;
use serde_json::{Value, json};

use crate::support::runner::{Claim, Offer};
use crate::support::{Github, ONE_JOB};

/// A server whose timers are those of the protocol, but for a short hold.
async fn impatient() -> Github {
    let github = Github::start().await;
    github.control().pull(Lever::PollHold { seconds: 0.2 }).unwrap();
    github
}

#[tokio::test]
async fn an_unclaimed_job_comes_again_with_a_new_message_id_and_the_same_request_id() {
    let github = Github::start_fast(20.0).await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let mut offers = Vec::new();
    for _ in 0..3 {
        offers.push(runner.offer(&token, &session).await);
    }
    let ids: BTreeSet<i64> = offers.iter().map(|offer| offer.message_id).collect();
    let requests: BTreeSet<&str> = offers.iter().map(|offer| offer.request.as_str()).collect();
    assert_eq!((ids.len(), requests.len()), (3, 1));
    assert!(ids.iter().all(|id| *id > 1 << 53), "ids that a double cannot hold");
    github.assert_no_violation();
}

#[tokio::test]
async fn a_job_is_offered_to_one_session_that_has_all_its_labels() {
    let github = impatient().await;
    let (unfit, fit, late) = (
        github.runner_with("unfit", &["self-hosted"]).await,
        github.runner_with("fit", &["SELF-HOSTED", "linux", "gpu"]).await,
        github.runner("late").await,
    );
    let ((unfit_token, unfit_session), (token, session)) = (unfit.session().await, fit.session().await);
    let (late_token, late_session) = late.session().await;
    github.run(ONE_JOB);
    fit.offer(&token, &session).await;
    unfit.poll(&unfit_token, &unfit_session, "Online").expect(202).await;
    late.poll(&late_token, &late_session, "Online").expect(202).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_runner_of_another_repository_is_not_asked() {
    let github = impatient().await;
    let token = github.installation_token().await;
    let body = json!({"name": "r", "runner_group_id": 1, "labels": ["self-hosted", "linux"]});
    let path = "/repos/acme/other/actions/runners/generate-jitconfig";
    let reply = github.post(path).bearer(&token).json(&body).expect(201).await.json();
    let runner = crate::support::Runner::decode(&github, &reply);
    let (token, session) = runner.session().await;
    github.run(ONE_JOB);
    runner.poll(&token, &session, "Online").expect(202).await;
    github.run(&ONE_JOB.replace("acme/demo", "acme/other"));
    runner.offer(&token, &session).await;
}

#[tokio::test]
async fn a_busy_poll_gets_no_job() {
    let github = impatient().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    runner.poll(&token, &session, "Busy").expect(202).await;
    runner.poll(&token, &session, "Offline").expect(202).await;
    runner.offer(&token, &session).await;
}

#[tokio::test]
async fn a_session_that_ends_gives_its_offer_to_another() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let (one, two) = (github.runner("one").await, github.runner("two").await);
    let (token, session) = one.session().await;
    let offer = one.offer(&token, &session).await;
    github.delete(&format!("{}session", one.broker)).bearer(&token).expect(204).await;
    let (two_token, two_session) = two.session().await;
    let other = two.offer(&two_token, &two_session).await;
    assert_ne!(offer.request, other.request);
    one.acquire(&token, &offer).expect(404).await;
    two.acquire(&two_token, &other).expect(200).await;
    github.assert_no_violation();
}

/// Two sessions that are both offered the one job.
async fn fanned_out(github: &Github) -> [(String, String, Offer); 2] {
    github.control().pull(Lever::FanOut { sessions: 2 }).unwrap();
    github.run(ONE_JOB);
    let mut both = Vec::new();
    for name in ["one", "two"] {
        let runner = github.runner(name).await;
        let (token, session) = runner.session().await;
        let offer = runner.offer(&token, &session).await;
        both.push((token, session, offer));
    }
    both.try_into().unwrap()
}

fn acquire_body(offer: &Offer) -> Value {
    json!({"jobMessageId": offer.request, "runnerOS": "Linux", "billingOwnerId": offer.billing_owner})
}

#[tokio::test]
async fn siblings_of_a_fan_out_claim_the_same_job() {
    let github = Github::start().await;
    let both = fanned_out(&github).await;
    assert_ne!(both[0].2.request, both[1].2.request);
    let mut claims = Vec::new();
    for (token, _, offer) in &both {
        let url = format!("{}acquirejob", offer.run_service);
        claims
            .push(Claim::read(&github.post(&url).bearer(token).json(&acquire_body(offer)).expect(200).await));
    }
    assert_eq!((&claims[0].plan, &claims[0].job), (&claims[1].plan, &claims[1].job));
    assert_eq!(github.control().state().jobs[0].claims, 2);
    // The loser's record is pinned until the winner's job ends.
    assert!(github.control().state().agents.iter().all(|agent| agent.job.is_some()));
    claims[0].complete(&github, "succeeded").expect(204).await;
    assert!(github.control().state().agents.iter().all(|agent| agent.fate == "consumed"));
    github.assert_no_violation();
}

#[tokio::test]
async fn siblings_can_be_made_to_lose() {
    let github = Github::start().await;
    github.control().pull(Lever::Siblings { claim: Some(false), equal_request_ids: Some(true) }).unwrap();
    let both = fanned_out(&github).await;
    assert_eq!(both[0].2.request, both[1].2.request);
    for ((token, _, offer), status) in both.iter().zip([200, 409]) {
        let url = format!("{}acquirejob", offer.run_service);
        github.post(&url).bearer(token).json(&acquire_body(offer)).expect(status).await;
    }
    github.assert_no_violation();
}

#[tokio::test]
async fn a_cancellation_reaches_the_busy_session() {
    let github = Github::start().await;
    let run = github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session, claim) = runner.claim().await;
    github.control().cancel_run(run.run_id).unwrap();
    let message = runner.poll(&token, &session, "Busy").expect(200).await.json();
    assert_eq!(message["messageType"], "JobCancellation");
    let body: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"jobId": claim.job, "timeout": "00:05:00"}));
    claim.renew(&github).expect(200).await;
    claim.complete(&github, "canceled").expect(204).await;
    assert_eq!(github.control().run(run.run_id).unwrap().conclusion, Some("cancelled"));
    claim.renew(&github).expect(404).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn the_grace_of_a_cancellation_follows_the_time_factor() {
    let github = Github::start_fast(50.0).await;
    let run = github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session, _) = runner.claim().await;
    github.control().cancel_run(run.run_id).unwrap();
    let message = runner.poll(&token, &session, "Busy").expect(200).await.json();
    assert!(message["body"].as_str().unwrap().contains("\"00:00:06\""), "{message}");
}

#[tokio::test]
async fn any_message_can_be_sent_and_only_cancellations_reach_a_busy_poll() {
    let github = impatient().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let lever =
        Lever::SendMessage { agent: "one".into(), message_type: "Surprise".into(), body: json!({"a": 1}) };
    github.control().pull(lever).unwrap();
    runner.poll(&token, &session, "Busy").expect(202).await;
    let message = runner.poll(&token, &session, "Online").expect(200).await.json();
    assert_eq!((&message["messageType"], &message["body"]), (&json!("Surprise"), &json!("{\"a\":1}")));
}
