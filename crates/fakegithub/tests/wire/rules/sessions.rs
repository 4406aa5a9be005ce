//! B1 and B4 (protocol §4.1, §4.2, §4.6): broker sessions.

use std::collections::BTreeMap;

use fakegithub::{Fault, Lever};
use serde_json::json;

use crate::support::{Github, ONE_JOB, Runner};

/// The request of the protocol's example.
fn create(runner: &Runner<'_>, token: &str) -> String {
    format!(
        "POST {}session HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         Accept: application/json\n\
         Content-Type: application/json; charset=utf-8\n\
         User-Agent: demo-gateway/0.1\n\
         \n\
         {{\"sessionId\":\"00000000-0000-0000-0000-000000000000\",\n \
         \"ownerName\":\"gw-pod-0 (PID: 1)\",\n \
         \"agent\":{{\"id\":{},\"name\":\"{}\",\"version\":\"2.337.0\",\"osDescription\":\"Linux 6.8\",\n          \
         \"ephemeral\":null,\"status\":0,\"provisioningState\":null}},\n \
         \"useFipsEncryption\":false}}",
        runner.broker, runner.id, runner.name
    )
}

fn delete(runner: &Runner<'_>, token: &str) -> String {
    format!(
        "DELETE {}session HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         User-Agent: demo-gateway/0.1\n",
        runner.broker
    )
}

/// The good request with one piece in place of another is refused as breaking a rule.
async fn refused(piece: &str, other: &str, rule: &str) {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let good = create(&runner, &runner.token().await);
    let piece = piece.replace("AGENT", &runner.id.to_string());
    assert!(good.contains(&piece), "{piece}");
    let answer =
        github.refuses(&good.replace(&piece, other), 400, "actions-broker-listener", rule).await.json();
    assert_eq!(answer["statusCode"], 400);
    assert!(github.control().state().sessions.is_empty());
}

#[tokio::test]
async fn accepts_a_valid_session() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let answer = github.takes(&create(&runner, &runner.token().await), 200).await.json();
    assert_eq!(answer["sessionId"].as_str().unwrap().len(), 36);
    assert_eq!(
        (&answer["ownerName"], &answer["agent"]["id"]),
        (&json!("gw-pod-0 (PID: 1)"), &json!(runner.id))
    );
    assert!(answer.get("encryptionKey").is_none(), "the live broker has none");
}

#[tokio::test]
async fn accepts_a_session_without_what_is_optional() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let short = create(&runner, &runner.token().await)
        .replace("\"sessionId\":\"00000000-0000-0000-0000-000000000000\",", "")
        .replace(",\"osDescription\":\"Linux 6.8\"", "")
        .replace(",\n          \"ephemeral\":null,\"status\":0,\"provisioningState\":null", "");
    assert!(!short.contains("provisioningState") && !short.contains("osDescription"));
    github.takes(&short, 200).await;
}

#[tokio::test]
async fn refuses_a_session_id_that_is_none() {
    refused("\"00000000-0000-0000-0000-000000000000\"", "7", "sessionId").await;
}

#[tokio::test]
async fn refuses_a_session_without_owner() {
    refused("\"ownerName\":\"gw-pod-0 (PID: 1)\",", "", "ownerName").await;
}

#[tokio::test]
async fn refuses_a_session_without_agent() {
    refused("\"agent\":", "\"runner\":", "\"runner\"").await;
}

#[tokio::test]
async fn refuses_an_agent_id_of_zero() {
    refused("\"id\":AGENT", "\"id\":0", "agent.id").await;
}

#[tokio::test]
async fn refuses_an_agent_id_in_quotes() {
    refused("\"id\":AGENT", "\"id\":\"31001\"", "agent.id").await;
}

#[tokio::test]
async fn refuses_another_agent_name() {
    refused("\"name\":\"one\"", "\"name\":\"two\"", "agent.name").await;
}

#[tokio::test]
async fn refuses_an_agent_without_version() {
    refused("\"version\":\"2.337.0\",", "", "version").await;
}

#[tokio::test]
async fn refuses_a_version_that_is_not_a_release() {
    refused("2.337.0", "latest", "version").await;
}

#[tokio::test]
async fn refuses_a_session_without_fips_answer() {
    refused(",\n \"useFipsEncryption\":false", "", "useFipsEncryption").await;
}

#[tokio::test]
async fn refuses_a_key_it_does_not_know() {
    refused("\"status\":0", "\"labels\":[]", "agent.labels").await;
}

#[tokio::test]
async fn refuses_a_parameter() {
    refused("session HTTP", "session?api-version=1 HTTP", "\"api-version\"").await;
}

#[tokio::test]
async fn refuses_other_tokens() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let installation = github.installation_token().await;
    let rule = "'installation' where one of kind 'runner'";
    github.refuses(&create(&runner, &installation), 401, "actions-broker-listener", rule).await;
    let none = create(&runner, "x").replace("Authorization: Bearer x\n", "");
    github.refuses(&none, 401, "actions-broker-listener", "no Authorization").await;
}

#[tokio::test]
async fn denies_an_unknown_token() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    github.denies(&create(&runner, "FAKE.RUNNER.TOKEN"), 401, "actions-broker-listener").await;
    github.takes(&create(&runner, &runner.token().await), 200).await;
}

#[tokio::test]
async fn accepts_a_version_that_is_no_longer_served() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let good = create(&runner, &runner.token().await);
    github.pull(json!({"lever": "served-versions", "versions": {"2.335.1": "2020-01-01T00:00:00Z"}}));
    github.takes(&good.replace("2.337.0", "2.335.1"), 200).await;
}

#[tokio::test]
async fn denies_a_version_that_is_no_longer_served_when_asked_to() {
    let github = Github::start().await;
    github.pull(json!({"lever": "session-refuses-versions", "on": true, "account": "acme"}));
    let runner = github.runner("one").await;
    let good = create(&runner, &runner.token().await);
    let text = "runner version 2.335.1 is too old, the minimum version is 2.337.0";
    let old = ["2.333.1", "2.334.0", "2.335.0", "2.335.1", "2.336.0"].map(|it| (it, "2020-01-01T00:00:00Z"));
    github.pull(json!({"lever": "served-versions", "versions": BTreeMap::from(old)}));
    let answer = github.denies(&good.replace("2.337.0", "2.335.1"), 400, text).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    github.takes(&good, 200).await;
}

#[tokio::test]
async fn denies_a_second_session_until_the_first_is_gone() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let token = runner.token().await;
    github.takes(&create(&runner, &token), 200).await;
    // The limit is the agent's: another token of it does not help.
    let again = github.denies(&create(&runner, &runner.token().await), 409, "SessionConflict").await.json();
    assert_eq!((&again["source"], &again["statusCode"]), (&json!("actions-broker-listener"), &json!(409)));
    github.takes(&delete(&runner, &token), 204).await;
    github.takes(&create(&runner, &token), 200).await;
}

#[tokio::test]
async fn accepts_a_session_of_a_busy_record_whose_session_is_gone() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, _, _) = runner.claim().await;
    github.denies(&create(&runner, &token), 409, "SessionConflict").await;
    github.control().pull(Lever::DropSession { agent: "one".into() }).unwrap();
    github.takes(&create(&runner, &token), 200).await;
}

#[tokio::test]
async fn denies_a_session_of_a_consumed_record() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let token = runner.token().await;
    github.control().pull(Lever::ConsumeRecord { agent: "one".into() }).unwrap();
    github.denies(&create(&runner, &token), 401, "actions-broker-listener").await;
    github.denies(&delete(&runner, &token), 401, "actions-broker-listener").await;
}

#[tokio::test]
async fn denies_as_a_fault_says_and_takes_the_same_request_afterwards() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let good = create(&runner, &runner.token().await);
    for status in [403, 429, 500, 503] {
        github.control().fail(Fault::new("B1").answering(status));
        github.denies(&good, status, "").await;
    }
    github.takes(&good, 200).await;
}

#[tokio::test]
async fn accepts_a_deletion_by_token_alone() {
    let github = Github::start().await;
    let (one, two) = (github.runner("one").await, github.runner("two").await);
    let (token, _) = one.session().await;
    two.session().await;
    github.takes(&delete(&one, &token), 204).await;
    let left: Vec<String> = github.control().state().sessions.into_iter().map(|it| it.agent).collect();
    assert_eq!(left, ["two"]);
    github.denies(&delete(&one, &token), 404, "RunnerSessionInvalid").await;
}

#[tokio::test]
async fn refuses_a_deletion_that_names_a_session() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let named = delete(&runner, &token).replace("session HTTP", &format!("session?sessionId={session} HTTP"));
    github.refuses(&named, 400, "sessionId", "\"sessionId\" is not a parameter").await;
    let path = delete(&runner, &token).replace("session HTTP", &format!("session/{session} HTTP"));
    github.refuses(&path, 404, "Not Found", "unknown route").await;
    assert_eq!(github.control().state().sessions.len(), 1);
}
