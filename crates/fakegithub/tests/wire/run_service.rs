//! X1 to X3.

use std::time::Duration;

use fakegithub::{Lever, Repeat};
use serde_json::{Value, json};

use crate::support::{Github, ONE_JOB};

const WAIT: Duration = Duration::from_secs(20);

fn entry<'a>(dictionary: &'a Value, key: &str) -> &'a Value {
    assert_eq!(dictionary["t"], 2);
    let found = dictionary["d"].as_array().unwrap().iter().find(|pair| pair["k"] == key);
    &found.unwrap_or_else(|| panic!("no {key}"))["v"]
}

#[tokio::test]
async fn the_job_message_says_all_that_a_worker_needs() {
    let github = Github::start().await;
    let workflow = "
repository: acme/demo
workflow: ci
secrets: {DEPLOY_KEY: hunter.2}
env: {LEVEL: 1}
jobs:
  build:
    runs-on: [self-hosted, linux]
    strategy: {matrix: {shard: [1, 2]}}
    env: {SHARD: '${{ matrix.shard }}'}
    steps:
      - {name: Make, run: make}
      - {run: 'echo ${{ matrix.shard }}', continue-on-error: true}
";
    let run = github.run(workflow);
    let runner = github.runner("one").await;
    let (_, _, claim) = runner.claim().await;
    let message = &claim.message;
    assert_eq!(message["messageType"], "RunnerJobRequest");
    assert_eq!((&message["jobDisplayName"], &message["jobName"]), (&json!("build (1)"), &json!("__default")));
    assert_eq!((&message["requestId"], &message["lockedUntil"]), (&json!(0), &json!("0001-01-01T00:00:00")));
    assert_eq!(claim.plan, run.plan_id);
    assert_eq!(claim.job, run.jobs[0].job_id);

    let variables = &message["variables"];
    assert_eq!(variables["system.github.job"]["value"], "build");
    assert_eq!(variables["DEPLOY_KEY"], json!({"value": "hunter.2", "isSecret": true}));
    let results = variables["system.github.results_endpoint"]["value"].as_str().unwrap();
    assert!(results.ends_with('/') && results.starts_with(github.server.base_url()));
    assert!(message["mask"].as_array().unwrap().contains(&json!({"type": "regex", "value": "hunter\\.2"})));

    let context = &message["contextData"];
    assert_eq!(entry(&context["github"], "run_id"), &json!(run.run_id.to_string()));
    assert_eq!(entry(&context["github"], "run_attempt"), "1");
    assert_eq!(entry(&context["github"], "repository"), "acme/demo");
    assert_eq!(entry(&context["matrix"], "shard"), 1);
    assert_eq!(
        message["environmentVariables"],
        json!([
            {"type": 2, "map": [{"Key": "LEVEL", "Value": "1"}]},
            {"type": 2, "map": [{"Key": "SHARD", "Value": {"type": 3, "expr": "matrix.shard"}}]},
        ])
    );
    let step = &message["steps"][0];
    assert_eq!((&step["type"], &step["contextName"]), (&json!("action"), &json!("__run")));
    assert_eq!((&step["displayNameToken"], &step["condition"]), (&json!("Make"), &json!("success()")));
    assert_eq!(step["inputs"], json!({"type": 2, "map": [{"Key": "script", "Value": "make"}]}));
    let second = &message["steps"][1];
    assert_eq!((&second["contextName"], &second["continueOnError"]), (&json!("__run_2"), &json!(true)));
    let script = json!({"type": 3, "expr": "format('echo {0}', matrix.shard)"});
    assert_eq!(second["inputs"]["map"][0]["Value"], script);
    github.assert_no_violation();
}

#[tokio::test]
async fn padding_makes_the_message_as_large_as_wanted() {
    let github = Github::start().await;
    github.run(&format!("payloadPadding: 300000\n{ONE_JOB}"));
    let (_, _, claim) = github.runner("one").await.claim().await;
    assert!(claim.message.to_string().len() > 300_000);
}

#[tokio::test]
async fn each_job_has_a_run_service_of_its_own() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    github.run(ONE_JOB);
    let (one, two) = (github.runner("one").await, github.runner("two").await);
    let (token, session) = one.session().await;
    let (two_token, two_session) = two.session().await;
    let (first, second) = (one.offer(&token, &session).await, two.offer(&two_token, &two_session).await);
    assert_ne!(first.run_service, second.run_service);
    let mut wrong = first.clone();
    wrong.run_service = second.run_service;
    let refused = one.acquire(&token, &wrong).expect(404).await.json();
    assert_eq!((&refused["source"], &refused["statusCode"]), (&json!("actions-run-service"), &json!(404)));
    // A doubled slash is forgiven.
    let mut doubled = first.clone();
    doubled.run_service += "/";
    one.acquire(&token, &doubled).expect(200).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_claim_is_refused_when_it_is_not_the_callers_or_not_well_formed() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let (one, two) = (github.runner("one").await, github.runner("two").await);
    let (token, session) = one.session().await;
    let (two_token, _) = two.session().await;
    let offer = one.offer(&token, &session).await;
    one.acquire(&two_token, &offer).expect(404).await;
    github.assert_no_violation();
    let url = format!("{}acquirejob", offer.run_service);
    let cases = [
        (
            json!({"jobMessageId": "x", "runnerOS": "Linux", "billingOwnerId": offer.billing_owner}),
            "jobMessageId",
        ),
        (
            json!({"jobMessageId": offer.request, "runnerOS": "linux", "billingOwnerId": offer.billing_owner}),
            "runnerOS",
        ),
        (json!({"jobMessageId": offer.request, "runnerOS": "Linux"}), "billingOwnerId"),
        (
            json!({"jobMessageId": offer.request, "runnerOS": "Linux", "billingOwnerId": offer.billing_owner, "x": 1}),
            "\"x\"",
        ),
    ];
    for (body, part) in cases {
        github.post(&url).bearer(&token).json(&body).expect(400).await;
        github.assert_violation(part);
    }
    let installation = github.installation_token().await;
    one.acquire(&installation, &offer).expect(401).await;
    github.assert_violation("'installation' where one of kind 'runner'");
    one.acquire(&token, &offer).expect(200).await;
}

#[tokio::test]
async fn a_repeated_claim_is_answered_as_the_lever_says() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    let first = runner.acquire(&token, &offer).expect(200).await;
    runner.acquire(&token, &offer).expect(409).await;
    github.control().pull(Lever::RepeatedAcquire { answer: Repeat::Same, account: None }).unwrap();
    let again = runner.acquire(&token, &offer).expect(200).await;
    assert_eq!((&first.body, first.header("x-plan-id")), (&again.body, again.header("x-plan-id")));
    let of_account = Lever::RepeatedAcquire { answer: Repeat::Conflict, account: Some("acme".into()) };
    github.control().pull(of_account).unwrap();
    runner.acquire(&token, &offer).expect(409).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn only_the_token_of_the_job_renews_and_completes() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, _, claim) = runner.claim().await;
    for verb in ["renewjob", "completejob"] {
        let url = format!("{}{verb}", claim.url);
        let reply = github.post(&url).bearer(&token).json(&claim.ids()).expect(401).await.json();
        assert_eq!(reply["errorMessage"], "Not authorized for this job");
        github.assert_violation("'runner' where one of kind 'job'");
    }
    let until = claim.renew(&github).expect(200).await.json()["lockedUntil"].as_str().unwrap().to_owned();
    assert!(until.ends_with('Z') && until.len() == "2026-09-01T10:20:00.0000000Z".len(), "{until}");
    github.assert_no_violation();
}

#[tokio::test]
async fn renewing_wants_the_ids_of_the_job() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    let reply = runner.acquire(&token, &offer).expect(200).await;
    let claim = crate::support::runner::Claim::read(&reply);
    let by_request = json!({"planId": claim.plan, "jobId": offer.request});
    claim.renew(&github).json(&by_request).expect(401).await;
    github.assert_violation("planId and jobId");
    github.control().pull(Lever::AcceptRequestId { on: true }).unwrap();
    claim.renew(&github).json(&by_request).expect(200).await;
    claim.renew(&github).json(&json!({"planId": claim.job, "jobId": claim.job})).expect(401).await;
    github.assert_violation("planId and jobId");
    claim.renew(&github).json(&json!({"planId": claim.plan})).expect(400).await;
    github.assert_violation("jobId must be a GUID");
}

#[tokio::test]
async fn every_conclusion_becomes_the_word_of_the_rest_api() {
    let cases = [
        ("succeeded", "success"),
        ("succeededWithIssues", "success"),
        ("failed", "failure"),
        ("canceled", "cancelled"),
        ("skipped", "skipped"),
        ("abandoned", "failure"),
    ];
    let github = Github::start().await;
    for (number, (sent, shown)) in cases.into_iter().enumerate() {
        let run = github.run(ONE_JOB);
        let (_, _, claim) = github.runner(&format!("r{number}")).await.claim().await;
        claim.complete(&github, sent).expect(204).await;
        assert_eq!(github.control().run(run.run_id).unwrap().conclusion, Some(shown), "{sent}");
        claim.complete(&github, sent).expect(404).await;
    }
    github.assert_no_violation();
}

#[tokio::test]
async fn a_completion_without_conclusion_is_a_success_and_a_violation() {
    let github = Github::start().await;
    let run = github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    let mut body = claim.ids();
    body["result"] = json!("failed");
    claim.complete(&github, "").json(&body).expect(204).await;
    assert_eq!(github.control().run(run.run_id).unwrap().conclusion, Some("success"));
    let rules = github.violations();
    assert!(
        rules.len() == 2 && rules[0].contains("'result'") && rules[1].contains("without conclusion"),
        "{rules:?}"
    );
    github.control().clear_violations();

    github.run(ONE_JOB);
    let (_, _, claim) = github.runner("two").await.claim().await;
    claim.complete(&github, "cancelled").expect(400).await;
    github.assert_violation("conclusion");
}

#[tokio::test]
async fn a_lock_that_lapses_fails_the_job_whether_or_not_it_had_started() {
    // Ten minutes are two seconds.
    let github = Github::start_fast(300.0).await;
    let started = github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    claim.start(&github).await;
    let silent = github.run(ONE_JOB);
    github.runner("two").await.claim().await;
    for run in [started, silent] {
        let done =
            github.control().wait_for_run(run.run_id, WAIT, |run| run.status == "completed").await.unwrap();
        assert_eq!(done.conclusion, Some("failure"));
    }
    claim.renew(&github).expect(404).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_job_that_never_starts_is_cancelled_though_it_is_renewed() {
    // A quarter of an hour is three seconds, a lock two.
    let github = Github::start_fast(300.0).await;
    let run = github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    let mut renewed = 0;
    while claim.renew(&github).send().await.status == 200 {
        renewed += 1;
        let pause = Duration::from_millis(300);
        github.control().wait_for_run(run.run_id, pause, |run| run.status == "completed").await.unwrap();
    }
    assert!(renewed > 2, "renewed {renewed} times");
    assert_eq!(github.control().run(run.run_id).unwrap().conclusion, Some("cancelled"));
    github.assert_no_violation();
}

#[tokio::test]
async fn outputs_of_a_job_go_to_its_worker_and_come_back_to_its_dependants() {
    let github = Github::start().await;
    let workflow = r#"
repository: acme/demo
jobs:
  a:
    runs-on: [self-hosted, linux]
    outputs: {version: "${{ steps.x.outputs.v }}", fixed: "1"}
    steps: [{id: x, run: make, shell: bash}]
  b:
    needs: a
    runs-on: [self-hosted, linux]
    steps: [{run: "echo ${{ needs.a.outputs.version }}"}]
"#;
    github.run(workflow);
    let (_, _, first) = github.runner("one").await.claim().await;
    let map = json!([
        {"Key": "version", "Value": {"type": 3, "expr": "steps.x.outputs.v"}}, {"Key": "fixed", "Value": "1"},
    ]);
    assert_eq!(first.message["jobOutputs"], json!({"type": 2, "map": map}));
    let mut body = first.ids();
    body["conclusion"] = json!("succeeded");
    body["outputs"] = json!({"version": {"value": "v7"}});
    first.complete(&github, "succeeded").json(&body).expect(204).await;
    let (_, _, second) = github.runner("two").await.claim().await;
    assert!(second.message.get("jobOutputs").is_none());
    let outputs = json!({"t": 2, "d": [{"k": "version", "v": "v7"}]});
    let needs = json!({"t": 2, "d": [
        {"k": "a", "v": {"t": 2, "d": [{"k": "result", "v": "success"}, {"k": "outputs", "v": outputs}]}},
    ]});
    assert_eq!(second.message["contextData"]["needs"], needs);
    github.assert_no_violation();
}
