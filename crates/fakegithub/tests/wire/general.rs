//! What holds for every endpoint, and for faults.

use fakegithub::{Effect, Fault, Lever, RateForm};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Github, ONE_JOB};

#[tokio::test]
async fn an_unknown_route_is_refused_in_the_dialect_of_its_neighbours() {
    let github = Github::start().await;
    let cases = [
        (Method::GET, "/api/v3/nothing", "message"),
        (Method::POST, "/meta", "message"),
        (Method::GET, "/broker/sessions", "errorKind"),
        (Method::POST, "/run-service/1/finishjob", "errorMessage"),
        (Method::POST, "/results/twirp/a/b", "msg"),
    ];
    for (method, path, key) in cases {
        let reply = github.request(method, path).expect(404).await.json();
        assert!(reply[key].is_string(), "{path}: {reply}");
        github.assert_violation("unknown route");
    }
}

#[tokio::test]
async fn a_request_without_user_agent_is_refused() {
    let github = Github::start().await;
    for (method, path) in
        [(Method::GET, "/meta"), (Method::GET, "/broker/message"), (Method::POST, "/run-service/1/renewjob")]
    {
        let reply = github.request(method, path).without("user-agent").expect(403).await;
        assert!(reply.header("content-type").starts_with("text/plain"));
        github.assert_violation("no User-Agent");
    }
}

#[tokio::test]
async fn the_rest_api_checks_what_is_accepted_and_which_version_is_meant() {
    let github = Github::start().await;
    for accept in ["application/vnd.github+json", "application/json", "application/vnd.github.v3+json, */*"] {
        github.get("/meta").header("accept", accept).expect(200).await;
    }
    github.get("/meta").header("x-github-api-version", "2022-11-28").expect(200).await;
    github.assert_no_violation();
    github.get("/meta").header("accept", "text/html").expect(415).await;
    github.assert_violation("text/html");
    github.get("/meta").header("x-github-api-version", "2019-01-01").expect(400).await;
    github.assert_violation("X-GitHub-Api-Version");
}

#[tokio::test]
async fn meta_is_conditional_and_can_be_replaced() {
    let github = Github::start().await;
    let first = github.get("/api/v3/meta").expect(200).await;
    assert!(first.json()["actions"].is_array());
    let etag = first.header("etag").to_owned();
    let unchanged = github.get("/meta").header("if-none-match", &etag).expect(304).await;
    assert!(unchanged.body.is_empty() && unchanged.header("etag") == etag);
    github.get("/meta").bearer(&github.installation_token().await).expect(200).await;
    github.get("/meta").bearer(&github.app_jwt()).expect(200).await;
    github.assert_no_violation();
    github.get("/meta").bearer("ghs_nobody").expect(401).await;
    github.control().pull(Lever::Meta { body: json!({"actions": ["127.0.0.0/8"]}) }).unwrap();
    let changed = github.get("/meta").header("if-none-match", &etag).expect(200).await;
    assert_eq!(changed.json()["actions"][0], "127.0.0.0/8");
    assert_ne!(changed.header("etag"), etag);
}

#[tokio::test]
async fn a_slash_too_many_is_forgiven_and_lengths_are_exact() {
    let github = Github::start().await;
    let reply = github.get("//api/v3//meta").expect(200).await;
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    assert!(reply.header("content-type") == "application/json; charset=utf-8");
    assert!(reply.headers.contains_key("x-github-request-id"));
    github.assert_no_violation();
}

#[tokio::test]
async fn the_clock_of_the_server_shows_in_its_answers() {
    let github = Github::start().await;
    let today = github.get("/meta").expect(200).await.header("date").to_owned();
    github.control().pull(Lever::ClockOffset { seconds: 400 * 86_400 }).unwrap();
    assert_ne!(github.get("/meta").expect(200).await.header("date")[..16], today[..16]);
}

#[tokio::test]
async fn a_fault_strikes_the_requests_it_names() {
    let github = Github::start().await;
    let fault =
        Fault::new("M1").times(2).answering(503).with_body(json!("busy")).with_header("retry-after", "7");
    github.control().fail(Fault { skip: 1, ..fault });
    github.get("/meta").expect(200).await;
    for _ in 0..2 {
        let struck = github.get("/meta").expect(503).await;
        assert_eq!((struck.header("retry-after"), &struck.body[..]), ("7", &b"busy"[..]));
        assert!(struck.header("content-type").starts_with("text/plain"));
    }
    github.get("/meta").expect(200).await;
    assert!(github.control().faults().is_empty());
}

#[tokio::test]
async fn a_fault_can_be_one_accounts_alone() {
    let github = Github::start().await;
    let strangers =
        Fault { account: Some("somebody-else".into()), ..Fault::new("*").times(99).answering(503) };
    github.control().fail(strangers);
    github.run(ONE_JOB);
    github.runner("one").await.claim().await;
    assert_eq!(github.control().faults().len(), 1, "a stranger's fault has struck");
    github.control().reset();

    // Each call of the way is the account's: by its path, its installation, its client id, or whose token it carries.
    for endpoint in ["A2", "R3", "O1", "B1", "B2", "X1"] {
        let ours = Fault { account: Some("ACME".into()), ..Fault::new(endpoint) };
        github.control().fail(ours);
    }
    github.run(ONE_JOB);
    github.runner("two").await.claim().await;
    assert!(github.control().faults().is_empty(), "{:?}", github.control().faults());
    let asked = github.control().requests(0);
    let of_account = |it: &&fakegithub::Request| it.account.as_deref() == Some("acme");
    assert_eq!(asked.iter().filter(of_account).count(), asked.len(), "{asked:#?}");
}

#[tokio::test]
async fn an_answer_can_be_lost_before_and_after_it_counts() {
    let github = Github::start().await;
    let run = github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    github.control().fail(Fault { effect: Effect::Reset, ..Fault::new("X1") });
    assert!(runner.acquire(&token, &offer).try_send().await.is_none());
    assert_eq!(github.control().run(run.run_id).unwrap().status, "queued");

    github.control().fail(Fault { effect: Effect::Reset, after_commit: true, ..Fault::new("X1") });
    assert!(runner.acquire(&token, &offer).try_send().await.is_none());
    assert_eq!(github.control().run(run.run_id).unwrap().status, "in_progress");
    let lost = github
        .control()
        .requests(0)
        .into_iter()
        .filter(|it| it.endpoint == Some("X1") && it.status.is_none());
    assert_eq!(lost.count(), 2);
}

#[tokio::test]
async fn an_answer_can_be_withheld_or_cut_short() {
    let github = Github::start().await;
    github.control().pull(Lever::BlackHolePoll { count: 1, agent: Some("one".into()) }).unwrap();
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    github.run(ONE_JOB);
    let poll = runner.poll(&token, &session, "Online").send();
    let silence = tokio::time::timeout(std::time::Duration::from_millis(300), poll).await;
    assert!(silence.is_err(), "a job waits, and yet nothing comes");
    runner.offer(&token, &session).await;

    github.control().fail(Fault { effect: Effect::Truncate, ..Fault::new("M1") });
    assert!(github.get("/meta").try_send().await.is_none());
}

#[tokio::test]
async fn rate_limits_come_in_every_form() {
    let github = Github::start().await;
    let cases = [
        (RateForm::Primary403, 403, Some("x-ratelimit-reset")),
        (RateForm::Primary429, 429, Some("x-ratelimit-reset")),
        (RateForm::Secondary403, 403, Some("retry-after")),
        (RateForm::Secondary429, 429, Some("retry-after")),
        (RateForm::SecondaryBare, 403, None),
    ];
    for (form, status, header) in cases {
        let retry_after = Some("7".to_owned());
        let lever = Lever::RateLimit {
            endpoint: "M1".into(),
            account: None,
            form,
            count: 1,
            retry_after,
            reset_after: Some(30),
        };
        github.control().pull(lever).unwrap();
        let reply = github.get("/meta").expect(status).await;
        assert!(header.is_none_or(|name| reply.headers.contains_key(name)), "{form:?}");
        assert!(reply.json()["message"].as_str().unwrap().contains("rate limit"));
    }
}

#[tokio::test]
async fn other_levers_of_one_call_work_too() {
    let github = Github::start().await;
    github.control().pull(Lever::SessionConflict { count: 1, agent: None }).unwrap();
    let runner = github.runner("one").await;
    let token = runner.token().await;
    runner.create_session(&token).expect(409).await;
    runner.create_session(&token).expect(200).await;
    github.control().pull(Lever::RefuseRerun { count: 1, text: "Not today".into() }).unwrap();
    let installation = github.installation_token().await;
    let path = "/repos/acme/demo/actions/runs/1/rerun-failed-jobs";
    let refused = github.post(path).bearer(&installation).expect(403).await.json();
    assert_eq!(refused["message"], "Not today");
    github.control().pull(Lever::ByteOrderMark { on: true }).unwrap();
    assert!(github.get("/meta").expect(200).await.body.starts_with(b"\xef\xbb\xbf{"));
    github.control().reset();
    assert!(github.get("/meta").expect(200).await.body.starts_with(b"{"));
    github.control().pull(Lever::StripConnection { on: true }).unwrap();
    github.run(ONE_JOB);
    let two = github.runner("two").await;
    let (token, session) = two.session().await;
    let offer = two.offer(&token, &session).await;
    let message = two.acquire(&token, &offer).expect(200).await.json();
    assert_eq!(message["resources"]["endpoints"], json!([]));
    github.control().pull(Lever::ConsumeRecord { agent: "one".into() }).unwrap();
    assert!(github.control().pull(Lever::ConsumeRecord { agent: "one".into() }).is_err());
    let run = github.run(ONE_JOB);
    let lever = Lever::ForceConclude { run_id: run.run_id, conclusion: "failure".into() };
    github.control().pull(lever).unwrap();
    assert_eq!(github.control().run(run.run_id).unwrap().conclusion, Some("failure"));
    github.assert_no_violation();
}

#[tokio::test]
async fn requests_are_recorded_without_their_secrets() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    github.control().pull(Lever::PollHold { seconds: 0.01 }).unwrap();
    runner.poll(&token, &session, "Online").expect(202).await;
    let requests = github.control().requests(0);
    let ids: Vec<_> =
        requests.iter().map(|request| (request.endpoint, request.token, request.status)).collect();
    assert_eq!(
        ids,
        [
            (Some("A2"), "app-jwt", Some(201)),
            (Some("R3"), "installation", Some(201)),
            (Some("O1"), "none", Some(200)),
            (Some("B1"), "runner", Some(200)),
            (Some("B2"), "runner", Some(202)),
        ]
    );
    assert_eq!(requests[4].agent.as_deref(), Some("one"));
    assert_eq!(requests[0].body_sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let text = serde_json::to_string(&requests).unwrap();
    assert!(!text.contains(&token) && !text.contains(&session), "{text}");
    assert_eq!(github.control().requests(4).len(), 1);
    let shown: Value = serde_json::to_value(&requests[1]).unwrap();
    assert!(shown["headers"].as_array().unwrap().contains(&json!("authorization")));
}

#[tokio::test]
async fn framing_slashes_and_token_lengths_vary_by_lever() {
    let github = Github::start().await;
    github.control().pull(Lever::Chunked { on: true }).unwrap();
    let reply = github.get("/meta").expect(200).await;
    assert!(!reply.headers.contains_key("content-length") && reply.json().is_object());
    github.control().pull(Lever::TokenLength { characters: 2000 }).unwrap();
    let token = github.installation_token().await;
    assert_eq!(token.len(), 2004);
    github.get("/rate_limit").bearer(&token).expect(200).await;
    github.control().pull(Lever::TrailingSlash { on: false }).unwrap();
    github.run(ONE_JOB);
    let mut runner = github.runner("one").await;
    assert!(runner.broker.ends_with("/broker"));
    runner.broker += "/";
    let (token, session) = runner.session().await;
    assert!(!runner.offer(&token, &session).await.run_service.ends_with('/'));
    github.assert_no_violation();
}
