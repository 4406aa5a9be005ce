//! X1 (protocol §5.1, §5.2): claiming a job.

use fakegithub::{Effect, Fault, Lever, Repeat};
use serde_json::json;

use crate::support::runner::Offer;
use crate::support::{Github, ONE_JOB, Runner};

/// The request of the protocol's example.
fn acquire(offer: &Offer, token: &str) -> String {
    format!(
        "POST {}acquirejob HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         Accept: application/json\n\
         Content-Type: application/json; charset=utf-8\n\
         User-Agent: demo-gateway/0.1\n\
         \n\
         {{\"jobMessageId\":\"{}\",\"runnerOS\":\"Linux\",\"billingOwnerId\":\"{}\"}}",
        offer.run_service, offer.request, offer.billing_owner
    )
}

/// A runner with a job on offer, and its token.
async fn offered(github: &Github) -> (Runner<'_>, String, Offer) {
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    (runner, token, offer)
}

/// The good request with one piece in place of another is refused as breaking a rule, and claims nothing.
async fn refused(piece: &str, other: &str, rule: &str) {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    let good = acquire(&offer, &token);
    let piece = piece.replace("REQUEST", &offer.request);
    assert!(good.contains(&piece), "{piece}");
    let answer = github.refuses(&good.replace(&piece, other), 400, "actions-run-service", rule).await.json();
    assert_eq!(answer["statusCode"], 400);
    github.takes(&good, 200).await;
}

#[tokio::test]
async fn accepts_a_valid_acquisition() {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    let answer = github.takes(&acquire(&offer, &token), 200).await;
    let message = answer.json();
    assert_eq!(answer.header("x-plan-id"), message["plan"]["planId"].as_str());
    assert_eq!(message["resources"]["endpoints"][0]["name"], "SystemVssConnection");
    let job = github.control().state().jobs.remove(0);
    assert_eq!((job.status, job.runner_name.as_deref(), job.claims), ("in_progress", Some("one"), 1));
}

#[tokio::test]
async fn accepts_a_doubled_slash() {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    github.takes(&acquire(&offer, &token).replace("/acquirejob", "//acquirejob"), 200).await;
}

#[tokio::test]
async fn refuses_a_claim_without_message_id() {
    refused("\"jobMessageId\":\"REQUEST\",", "", "jobMessageId").await;
}

#[tokio::test]
async fn refuses_a_message_id_that_is_not_a_guid() {
    refused("REQUEST", "9000000000000101", "jobMessageId").await;
}

#[tokio::test]
async fn refuses_another_system() {
    refused("\"Linux\"", "\"linux\"", "runnerOS").await;
}

#[tokio::test]
async fn refuses_a_claim_that_does_not_echo_who_pays() {
    refused("U_FAKEOWNER", "U_SOMEBODY", "billingOwnerId").await;
}

#[tokio::test]
async fn refuses_a_key_it_does_not_know() {
    refused("\"runnerOS\"", "\"planId\":\"x\",\"runnerOS\"", "\"planId\"").await;
}

#[tokio::test]
async fn refuses_a_parameter() {
    refused("acquirejob HTTP", "acquirejob?api-version=1 HTTP", "\"api-version\" is not a parameter").await;
}

#[tokio::test]
async fn refuses_a_body_that_is_not_json() {
    refused("{\"jobMessageId\"", "\"jobMessageId\"", "not a JSON object").await;
}

#[tokio::test]
async fn refuses_another_content_type() {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    let request = acquire(&offer, &token).replace("application/json; charset=utf-8", "text/plain");
    github.refuses(&request, 415, "actions-run-service", "content type").await;
}

#[tokio::test]
async fn refuses_an_installation_token() {
    let github = Github::start().await;
    let (_, _, offer) = offered(&github).await;
    let token = github.installation_token().await;
    github
        .refuses(&acquire(&offer, &token), 401, "Not authorized", "'installation' where one of kind 'runner'")
        .await;
}

#[tokio::test]
async fn denies_a_token_that_has_expired() {
    let github = Github::start().await;
    let (runner, token, offer) = offered(&github).await;
    github.control().pull(Lever::ExpireTokens { kind: fakegithub::TokenKind::Runner }).unwrap();
    github.denies(&acquire(&offer, &token), 401, "actions-run-service").await;
    github.takes(&acquire(&offer, &runner.token().await), 200).await;
}

#[tokio::test]
async fn denies_a_job_that_is_unknown() {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    let unknown = acquire(&offer, &token).replace(&offer.request, "a1a1a1a1-0000-4000-8000-00000000fa4e");
    let answer = github.denies(&unknown, 404, "actions-run-service").await.json();
    assert_eq!(answer["statusCode"], 404);
}

#[tokio::test]
async fn denies_a_job_that_is_finished() {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    let run = github.control().runs()[0].run_id;
    github.control().cancel_run(run).unwrap();
    github.denies(&acquire(&offer, &token), 404, "actions-run-service").await;
}

#[tokio::test]
async fn denies_an_offer_whose_window_is_over() {
    for (seconds, status) in [(110, 200), (121, 404)] {
        let github = Github::start().await;
        let (_, token, offer) = offered(&github).await;
        github.control().pull(Lever::ClockOffset { seconds }).unwrap();
        github.takes(&acquire(&offer, &token), status).await;
    }
}

#[tokio::test]
async fn denies_a_claim_that_another_was_quicker_with() {
    let github = Github::start().await;
    github.control().pull(Lever::FanOut { sessions: 2 }).unwrap();
    github.control().pull(Lever::Siblings { claim: Some(false), equal_request_ids: None }).unwrap();
    github.run(ONE_JOB);
    let (one, two) = (github.runner("one").await, github.runner("two").await);
    let (token, session) = one.session().await;
    let (late_token, late_session) = two.session().await;
    let (quick, late) = (one.offer(&token, &session).await, two.offer(&late_token, &late_session).await);
    github.takes(&acquire(&quick, &token), 200).await;
    let answer = github.denies(&acquire(&late, &late_token), 409, "already acquired").await.json();
    assert_eq!((&answer["source"], &answer["statusCode"]), (&json!("actions-run-service"), &json!(409)));
}

#[tokio::test]
async fn denies_a_repeated_claim_or_answers_it_again() {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    let first = github.takes(&acquire(&offer, &token), 200).await;
    github.denies(&acquire(&offer, &token), 409, "already acquired").await;
    github.control().pull(Lever::RepeatedAcquire { answer: Repeat::Same, account: None }).unwrap();
    assert_eq!(github.takes(&acquire(&offer, &token), 200).await.body, first.body);
}

#[tokio::test]
async fn denies_with_the_code_in_the_body_whatever_the_status_is() {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    for (status, code) in [(422, 422), (400, 409), (200, 404)] {
        let body = json!({"source": "actions-run-service", "statusCode": code, "errorMessage": "synthetic"});
        github.control().fail(Fault::new("X1").answering(status).with_body(body));
        let answer = github.denies(&acquire(&offer, &token), status, "synthetic").await;
        assert_eq!(answer.json()["statusCode"], code);
    }
    github.takes(&acquire(&offer, &token), 200).await;
}

#[tokio::test]
async fn denies_for_a_while_and_takes_the_same_claim_afterwards() {
    let github = Github::start().await;
    let (_, token, offer) = offered(&github).await;
    for status in [429, 500, 502, 503] {
        github.control().fail(Fault::new("X1").answering(status));
        github.denies(&acquire(&offer, &token), status, "").await;
    }
    github.takes(&acquire(&offer, &token), 200).await;
}

#[tokio::test]
async fn commits_a_claim_whose_answer_is_lost() {
    let github = Github::start().await;
    let (runner, token, offer) = offered(&github).await;
    github.control().fail(Fault { effect: Effect::Reset, after_commit: true, ..Fault::new("X1") });
    assert!(runner.acquire(&token, &offer).try_send().await.is_none());
    github.denies(&acquire(&offer, &token), 409, "already acquired").await;
    assert_eq!(github.control().state().jobs[0].status, "in_progress");
}
