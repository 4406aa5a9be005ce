//! B2 and B3 (protocol §4.3 to §4.5): polls and acknowledgements.

use fakegithub::{Effect, Fault, Lever, TokenKind};
use serde_json::{Value, json};

use crate::support::{Github, ONE_JOB, Runner};

/// The request of the protocol's example.
fn poll(runner: &Runner<'_>, token: &str, session: &str) -> String {
    format!(
        "GET {}message?sessionId={session}&status=Online&runnerVersion=2.337.0&os=Linux&architecture=X64&disableUpdate=true HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         Accept: application/json\n\
         User-Agent: demo-gateway/0.1\n",
        runner.broker
    )
}

fn acknowledge(runner: &Runner<'_>, token: &str, session: &str, request: &str) -> String {
    format!(
        "POST {}acknowledge?sessionId={session}&status=Online&runnerVersion=2.337.0&os=Linux&architecture=X64 HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         Content-Type: application/json; charset=utf-8\n\
         User-Agent: demo-gateway/0.1\n\
         \n\
         {{\"runnerRequestId\":\"{request}\"}}",
        runner.broker
    )
}

/// A server whose polls are held for a moment only.
async fn start() -> Github {
    let github = Github::start().await;
    github.control().pull(Lever::PollHold { seconds: 0.05 }).unwrap();
    github
}

/// The good request with one piece in place of another is refused as breaking a rule.
async fn refused(piece: &str, other: &str, rule: &str) {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let good = poll(&runner, &token, &session);
    let piece = piece.replace("SESSION", &session);
    assert!(good.contains(&piece), "{piece}");
    github.refuses(&good.replace(&piece, other), 400, "actions-broker-listener", rule).await;
}

/// The good request with one piece in place of another is held like any other.
async fn accepted(piece: &str, other: &str) {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let answer = github.takes(&poll(&runner, &token, &session).replace(piece, other), 202).await;
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn accepts_a_poll_and_answers_with_a_job() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    github.run(ONE_JOB);
    let message = github.takes(&poll(&runner, &token, &session), 200).await.json();
    assert_eq!(message["messageType"], "RunnerJobRequest");
    assert!(message["messageId"].as_i64().unwrap() > 1 << 53, "more than a double can hold");
    let body: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["id"], json!(message["messageId"].to_string()));
    assert_eq!(
        (&body["should_acknowledge"], &body["billing_owner_id"]),
        (&json!(true), &json!("U_FAKEOWNER"))
    );
    assert!(body["run_service_url"].as_str().unwrap().ends_with('/'));
}

#[tokio::test]
async fn accepts_a_poll_and_answers_202_when_there_is_nothing() {
    accepted("Online", "Online").await;
}

#[tokio::test]
async fn accepts_a_status_in_any_case() {
    for status in ["online", "Busy", "busy", "Offline"] {
        accepted("status=Online", &format!("status={status}")).await;
    }
}

#[tokio::test]
async fn refuses_another_status() {
    refused("status=Online", "status=Idle", "status").await;
}

#[tokio::test]
async fn refuses_a_session_id_that_is_not_a_guid() {
    refused("sessionId=SESSION", "sessionId=mine", "sessionId").await;
}

#[tokio::test]
async fn refuses_a_poll_without_session_id() {
    refused("sessionId=SESSION&", "", "sessionId").await;
}

#[tokio::test]
async fn accepts_the_systems_and_architectures_of_the_runner() {
    for (piece, other) in
        [("os=Linux", "os=macOS"), ("os=Linux", "os=Windows"), ("=X64", "=ARM64"), ("=X64", "=ARM")]
    {
        accepted(piece, other).await;
    }
}

#[tokio::test]
async fn refuses_another_system() {
    refused("os=Linux", "os=plan9", "os must be").await;
}

#[tokio::test]
async fn refuses_another_architecture() {
    refused("architecture=X64", "architecture=amd64", "architecture must be").await;
}

#[tokio::test]
async fn refuses_a_poll_that_does_not_say_whether_it_updates() {
    refused("&disableUpdate=true", "", "disableUpdate").await;
}

#[tokio::test]
async fn refuses_a_version_that_is_not_a_release() {
    refused("runnerVersion=2.337.0", "runnerVersion=v2", "version").await;
}

#[tokio::test]
async fn refuses_the_last_message_id_of_the_old_protocol() {
    refused("&os=Linux", "&os=Linux&lastMessageId=0", "\"lastMessageId\"").await;
}

#[tokio::test]
async fn refuses_a_parameter_that_is_there_twice() {
    refused("&os=Linux", "&os=Linux&os=Windows", "\"os\" is there twice").await;
}

#[tokio::test]
async fn refuses_a_body() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let good = poll(&runner, &token, &session);
    let request = format!("{}\nContent-Type: application/json\n\n{{}}", good.trim_end());
    github.refuses(&request, 400, "takes no body", "takes no body").await;
}

#[tokio::test]
async fn refuses_the_token_of_the_job() {
    let github = start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (_, session, claim) = runner.claim().await;
    let request = poll(&runner, &claim.token, &session);
    github.refuses(&request, 401, "actions-broker-listener", "'job' where one of kind 'runner'").await;
}

#[tokio::test]
async fn denies_a_version_below_the_minimum() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let old = poll(&runner, &token, &session).replace("2.337.0", "2.328.0");
    let answer = github.denies(&old, 403, "RunnerVersionTooOld").await.json();
    assert_eq!((&answer["source"], &answer["statusCode"]), (&json!("actions-broker-listener"), &json!(403)));
}

#[tokio::test]
async fn denies_a_version_from_its_date_on() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let good = poll(&runner, &token, &session);
    let served = |end| github.pull(json!({"lever": "served-versions", "versions": {"2.337.0": end}}));
    served("2999-01-01T00:00:00Z");
    github.takes(&good, 202).await;
    served("2020-01-01T00:00:00Z");
    github.denies(&good, 403, "runner version v2.337.0 is deprecated").await.saying("RunnerVersionTooOld");
    // The official one is told to update itself instead.
    github.takes(&good.replace("disableUpdate=true", "disableUpdate=false"), 202).await;
    github.takes(&good.replace("2.337.0", "2.338.0"), 202).await;
}

#[tokio::test]
async fn denies_an_expired_token_and_takes_a_fresh_one_in_the_same_session() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    github.control().pull(Lever::ExpireTokens { kind: TokenKind::Runner }).unwrap();
    github.denies(&poll(&runner, &token, &session), 401, "Unauthorized").await;
    github.takes(&poll(&runner, &runner.token().await, &session), 202).await;
}

#[tokio::test]
async fn denies_a_session_that_was_forgotten() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    github.control().pull(Lever::DropSession { agent: "one".into() }).unwrap();
    github.denies(&poll(&runner, &token, &session), 404, "RunnerSessionInvalid").await;
}

#[tokio::test]
async fn denies_the_session_of_another_runner() {
    let github = start().await;
    let (one, two) = (github.runner("one").await, github.runner("two").await);
    let (token, _) = one.session().await;
    let (_, session) = two.session().await;
    github.denies(&poll(&one, &token, &session), 404, "RunnerSessionInvalid").await;
}

#[tokio::test]
async fn denies_a_deleted_record() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let installation = github.installation_token().await;
    let path = format!("/orgs/acme/actions/runners/{}", runner.id);
    github.delete(&path).bearer(&installation).expect(204).await;
    github.denies(&poll(&runner, &token, &session), 404, "RunnerNotFound").await;
}

#[tokio::test]
async fn answers_a_consumed_record_with_three_empty_200s_then_401() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    github.control().pull(Lever::ConsumeRecord { agent: "one".into() }).unwrap();
    for _ in 0..3 {
        assert!(github.takes(&poll(&runner, &token, &session), 200).await.body.is_empty());
    }
    for _ in 0..2 {
        github.denies(&poll(&runner, &token, &session), 401, "Unauthorized").await;
    }
}

#[tokio::test]
async fn denies_as_a_fault_says_and_takes_the_same_request_afterwards() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    for status in [204, 403, 410, 429, 500, 502, 503] {
        github.control().fail(Fault::new("B2").answering(status));
        github.denies(&poll(&runner, &token, &session), status, "").await;
    }
    github.takes(&poll(&runner, &token, &session), 202).await;
}

#[tokio::test]
async fn cuts_a_message_in_half_when_asked_and_delivers_it_again() {
    let github = start().await;
    github.control().pull(Lever::Redelivery { seconds: 0.02 }).unwrap();
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    github.control().fail(Fault { effect: Effect::Truncate, ..Fault::new("B2") });
    assert!(runner.poll(&token, &session, "Online").try_send().await.is_none(), "half a body is none");
    github.takes(&poll(&runner, &token, &session), 200).await;
}

#[tokio::test]
async fn accepts_an_acknowledgement_of_what_was_offered() {
    let github = start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    let answer = github.takes(&acknowledge(&runner, &token, &session, &offer.request), 200).await;
    assert!(answer.body.is_empty());
    // Acknowledged or not, the claim is what counts.
    runner.acquire(&token, &offer).expect(200).await;
}

#[tokio::test]
async fn denies_an_acknowledgement_of_an_unknown_request() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let unknown = "a1a1a1a1-0000-4000-8000-00000000fa4e";
    github.denies(&acknowledge(&runner, &token, &session, unknown), 404, "AcknowledgeJobNotFound").await;
}

#[tokio::test]
async fn refuses_an_acknowledgement_without_guid() {
    let github = start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let request = acknowledge(&runner, &token, &session, "7");
    github.refuses(&request, 400, "runnerRequestId", "runnerRequestId must be a GUID").await;
}
