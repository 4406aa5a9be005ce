//! What can be made to go wrong at one endpoint, for one account or runner (protocol §4.1, §11.3).

use fakegithub::Lever;
use serde_json::{Value, json};

use crate::support::{Github, ONE_JOB};

async fn impatient() -> Github {
    let github = Github::start().await;
    github.control().pull(Lever::PollHold { seconds: 0.05 }).unwrap();
    github
}

#[tokio::test]
async fn a_bare_status_has_no_body_and_no_type() {
    let github = impatient().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    github.pull(json!({"lever": "fail", "endpoint": "B2", "account": "acme", "status": 403}));
    let bare = runner.poll(&token, &session, "Online").expect(403).await;
    assert_eq!((bare.body.len(), bare.headers.get("content-type")), (0, None));
    runner.poll(&token, &session, "Online").expect(202).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn an_error_can_come_from_somewhere_else_and_contradict_its_status() {
    let github = impatient().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let body =
        json!({"source": "proxy", "errorKind": "RunnerNotFound", "statusCode": 409, "errorMessage": "x"});
    github.pull(json!({"lever": "fail", "endpoint": "B2", "agent": "one", "status": 400, "body": body}));
    assert_eq!(runner.poll(&token, &session, "Online").expect(400).await.json(), body);
}

#[tokio::test]
async fn sessions_of_one_account_can_be_refused_until_the_fault_is_taken_back() {
    let github = impatient().await;
    let (one, two) = (github.runner("one").await, github.runner("two").await);
    let token = one.token().await;
    for status in [403, 404, 410] {
        let endless =
            json!({"lever": "fail", "endpoint": "B1", "agent": "one", "status": status, "count": 1_000_000});
        github.pull(endless);
        for _ in 0..3 {
            one.create_session(&token).expect(status).await;
        }
        github.pull(json!({"lever": "clear-faults", "endpoint": "B1", "agent": "two"}));
        one.create_session(&token).expect(status).await;
        github.pull(json!({"lever": "clear-faults", "endpoint": "B1", "agent": "ONE"}));
    }
    two.session().await;
    one.session().await;
    github.pull(json!({"lever": "fail", "endpoint": "B2", "account": "other", "count": 9, "status": 500}));
    github.pull(json!({"lever": "clear-faults", "account": "acme"}));
    assert_eq!(github.control().faults().len(), 1, "that of the other account");
    github.pull(json!({"lever": "clear-faults"}));
    assert!(github.control().faults().is_empty());
    github.assert_no_violation();
}

#[tokio::test]
async fn the_job_message_alone_can_begin_with_a_byte_order_mark() {
    let github = impatient().await;
    github.run(ONE_JOB);
    let fault = json!({"lever": "fail", "endpoint": "X1", "effect": "byte-order-mark", "account": "acme"});
    github.pull(fault);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    let marked = runner.acquire(&token, &offer).expect(200).await;
    let message = marked.body.strip_prefix(b"\xef\xbb\xbf").expect("a mark");
    let message: Value = serde_json::from_slice(message).unwrap();
    assert_eq!(message["messageType"], "RunnerJobRequest");
    assert_eq!(marked.header("content-length"), marked.body.len().to_string());
    github.assert_no_violation();
}

#[tokio::test]
async fn one_mark_is_enough() {
    let github = impatient().await;
    github.control().pull(Lever::ByteOrderMark { on: true }).unwrap();
    github.pull(json!({"lever": "fail", "endpoint": "M1", "effect": "byte-order-mark"}));
    let body = github.get("/meta").expect(200).await.body;
    assert!(body.starts_with(b"\xef\xbb\xbf{"));
}

#[tokio::test]
async fn variables_of_job_messages_are_set_and_left_out() {
    let github = impatient().await;
    let sdk = "system.github.results_upload_with_sdk";
    github.pull(json!({"lever": "message-variables", "variables": {"a": "1", "b": "2"}}));
    github.pull(json!({"lever": "message-variables", "variables": {"b": "3", sdk: null}, "account": "acme"}));
    github.pull(json!({"lever": "message-variables", "variables": {"a": "4"}, "account": "other"}));
    github.pull(json!({"lever": "message-variables", "variables": {"c": "5"}, "account": "acme"}));
    github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    let variables = &claim.message["variables"];
    let of = |name: &str| variables[name]["value"].as_str().map(str::to_owned).unwrap_or_default();
    assert_eq!(["a", "b", "c", sdk].map(of), ["1", "3", "5", ""]);
    assert!(variables.get(sdk).is_none() && variables.get("github_token").is_some());
}
