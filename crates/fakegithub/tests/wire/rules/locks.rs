//! X2 and X3 (protocol §5.3, §5.4): renewing and completing a claimed job.

use std::time::Duration;

use fakegithub::{Fault, Lever};
use jiff::Timestamp;

use crate::support::runner::Claim;
use crate::support::{Github, ONE_JOB};

/// The requests of the protocol's examples.
fn renew(claim: &Claim, token: &str) -> String {
    post("renewjob", claim, token, "")
}

fn complete(claim: &Claim, token: &str) -> String {
    post("completejob", claim, token, WITH_CONCLUSION)
}

const WITH_CONCLUSION: &str = r#",
 "conclusion":"failed","annotations":[{"level":"failure","message":"worker crashed"}],"billingOwnerId":"U_FAKEOWNER""#;

fn post(verb: &str, claim: &Claim, token: &str, rest: &str) -> String {
    format!(
        "POST {}{verb} HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         Content-Type: application/json; charset=utf-8\n\
         User-Agent: demo-gateway/0.1\n\
         \n\
         {{\"planId\":\"{}\",\"jobId\":\"{}\"{rest}}}",
        claim.url, claim.plan, claim.job
    )
}

/// A claimed job, and the runner's token.
async fn claimed(github: &Github, name: &str) -> (String, Claim) {
    github.run(ONE_JOB);
    let (token, _, claim) = github.runner(name).await.claim().await;
    (token, claim)
}

/// Both calls with one piece of their body in place of another are refused as breaking a rule, and change nothing.
async fn refused(piece: fn(&Claim) -> String, other: &str, status: u16, rule: &str) {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    for good in [renew(&claim, &claim.token), complete(&claim, &claim.token)] {
        assert!(good.contains(&piece(&claim)), "{good}");
        github.refuses(&good.replace(&piece(&claim), other), status, "actions-run-service", rule).await;
    }
    github.takes(&complete(&claim, &claim.token), 204).await;
}

#[tokio::test]
async fn accepts_a_valid_renewal() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    let answer = github.takes(&renew(&claim, &claim.token), 200).await.json();
    let until = answer["lockedUntil"].as_str().unwrap();
    assert_eq!((until.len(), until.ends_with('Z')), ("2026-09-01T10:20:00.0000000Z".len(), true), "{until}");
    let ahead = until.parse::<Timestamp>().unwrap().as_second() - Timestamp::now().as_second();
    assert!((590..=600).contains(&ahead), "ten minutes from now, not {ahead} s");
}

#[tokio::test]
async fn accepts_a_valid_completion() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    assert!(github.takes(&complete(&claim, &claim.token), 204).await.body.is_empty());
    assert_eq!(github.control().runs()[0].conclusion, Some("failure"));
}

#[tokio::test]
async fn accepts_every_conclusion_of_the_protocol() {
    let github = Github::start().await;
    for word in ["succeeded", "succeededWithIssues", "failed", "canceled", "skipped", "abandoned"] {
        let (_, claim) = claimed(&github, word).await;
        github
            .takes(&complete(&claim, &claim.token).replace("\"failed\"", &format!("\"{word}\"")), 204)
            .await;
    }
}

#[tokio::test]
async fn refuses_another_conclusion() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    for word in ["\"cancelled\"", "\"success\"", "0", "null"] {
        let request = complete(&claim, &claim.token).replace("\"failed\"", word);
        github.refuses(&request, 400, "actions-run-service", "conclusion").await;
    }
    assert_eq!(github.control().runs()[0].conclusion, None);
}

#[tokio::test]
async fn takes_an_absent_conclusion_for_success_and_records_it() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    let request = complete(&claim, &claim.token).replace("\"conclusion\":\"failed\",", "");
    github.refuses(&request, 204, "", "completejob without conclusion").await;
    assert_eq!(github.control().runs()[0].conclusion, Some("success"), "the false green of the protocol");
}

#[tokio::test]
async fn records_a_key_it_does_not_know() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    let request = complete(&claim, &claim.token)
        .replace("\"billingOwnerId\"", "\"result\":\"failed\",\"billingOwnerId\"");
    github.refuses(&request, 204, "", "'result' is not a key of completejob").await;
}

#[tokio::test]
async fn records_an_annotation_or_a_step_in_the_wrong_casing() {
    let github = Github::start().await;
    for (name, piece, other, rule) in [
        ("one", "\"level\"", "\"Level\"", "'Level' is not a key of annotations"),
        (
            "two",
            "\"annotations\":[{",
            "\"stepResults\":[{\"externalId\":\"1\"}],\"annotations\":[{",
            "'externalId' is not a key of stepResults",
        ),
        (
            "three",
            "\"annotations\":[{",
            "\"outputs\":{\"a\":{\"Value\":\"1\"}},\"annotations\":[{",
            "'Value' is not a key of outputs",
        ),
    ] {
        let (_, claim) = claimed(&github, name).await;
        github.refuses(&complete(&claim, &claim.token).replace(piece, other), 204, "", rule).await;
    }
}

#[tokio::test]
async fn accepts_all_that_a_worker_reports() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    let more = r#""outputs":{"a":{"value":"1","isSecret":false}},"telemetry":[{"message":"m","type":"general"}],"stepResults":[{"external_id":"5e900000-0000-4000-8000-00000000fa4e","number":1,"name":"Run make","action_name":"","ref":"","type":"","status":"completed","conclusion":"failed","started_at":"2026-09-01T10:00:00Z","completed_at":"2026-09-01T10:00:01Z","completed_log_url":"","completed_log_lines":3,"annotations":[]}],"environmentUrl":"","annotations""#;
    github.takes(&complete(&claim, &claim.token).replace("\"annotations\"", more), 204).await;
}

#[tokio::test]
async fn refuses_the_token_of_the_runner() {
    let github = Github::start().await;
    let (token, claim) = claimed(&github, "one").await;
    for request in [renew(&claim, &token), complete(&claim, &token)] {
        let answer =
            github.refuses(&request, 401, "Not authorized for this job", "'runner' where one of kind 'job'");
        assert_eq!(answer.await.json()["statusCode"], 401);
    }
    github.takes(&renew(&claim, &claim.token), 200).await;
}

#[tokio::test]
async fn refuses_the_ids_of_another_job() {
    let github = Github::start().await;
    let (_, mine) = claimed(&github, "one").await;
    let (_, other) = claimed(&github, "two").await;
    for (piece, others) in [(&mine.job, &other.job), (&mine.plan, &other.plan)] {
        for request in [renew(&mine, &mine.token), complete(&mine, &mine.token)] {
            let request = request.replace(piece, others);
            github
                .refuses(&request, 401, "Not authorized for this job", "not those of the token's job")
                .await;
        }
    }
}

#[tokio::test]
async fn refuses_the_url_of_another_job() {
    let github = Github::start().await;
    let (_, mine) = claimed(&github, "one").await;
    let (_, other) = claimed(&github, "two").await;
    let request = renew(&mine, &mine.token).replace(&mine.url, &other.url);
    github.refuses(&request, 404, "no such job", "the URL is that of another job").await;
}

#[tokio::test]
async fn refuses_the_request_id_unless_a_lever_takes_it() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    let claim = Claim::read(&runner.acquire(&token, &offer).expect(200).await);
    let request = renew(&claim, &claim.token).replace(&claim.job, &offer.request);
    github.refuses(&request, 401, "Not authorized for this job", "not those of the token's job").await;
    github.control().pull(Lever::AcceptRequestId { on: true }).unwrap();
    github.takes(&request, 200).await;
}

#[tokio::test]
async fn refuses_a_parameter() {
    let query = "job?api-version=1 HTTP/1.1";
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    for request in [renew(&claim, &claim.token), complete(&claim, &claim.token)] {
        let request = request.replace("job HTTP/1.1", query);
        github.refuses(&request, 400, "actions-run-service", "\"api-version\" is not a parameter").await;
    }
}

#[tokio::test]
async fn refuses_a_plan_id_that_is_not_a_guid() {
    refused(|claim| claim.plan.clone(), "1", 400, "planId must be a GUID").await;
}

#[tokio::test]
async fn refuses_a_call_without_job_id() {
    refused(|claim| format!(",\"jobId\":\"{}\"", claim.job), "", 400, "jobId must be a GUID").await;
}

#[tokio::test]
async fn refuses_a_key_of_a_renewal_it_does_not_know() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    let request = post("renewjob", &claim, &claim.token, ",\"requestId\":0");
    github.refuses(&request, 400, "not a permitted key", "\"requestId\"").await;
}

#[tokio::test]
async fn denies_a_token_that_has_expired() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    github.control().pull(Lever::ExpireTokens { kind: fakegithub::TokenKind::Job }).unwrap();
    for request in [renew(&claim, &claim.token), complete(&claim, &claim.token)] {
        github.denies(&request, 401, "Not authorized for this job").await;
    }
}

#[tokio::test]
async fn denies_a_job_that_is_over() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    github.takes(&complete(&claim, &claim.token), 204).await;
    for request in [renew(&claim, &claim.token), complete(&claim, &claim.token)] {
        let answer = github.denies(&request, 404, "actions-run-service").await.json();
        assert_eq!(answer["statusCode"], 404);
    }
}

#[tokio::test]
async fn denies_for_a_while_and_takes_the_same_calls_afterwards() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    for (endpoint, request, status) in
        [("X2", renew(&claim, &claim.token), 200), ("X3", complete(&claim, &claim.token), 204)]
    {
        for failure in [410, 429, 500, 503] {
            github.control().fail(Fault::new(endpoint).answering(failure));
            github.denies(&request, failure, "").await;
        }
        github.takes(&request, status).await;
    }
}

#[tokio::test]
async fn keeps_a_claim_for_ten_minutes_after_its_last_renewal() {
    let github = Github::start().await;
    let (_, claim) = claimed(&github, "one").await;
    claim.start(&github).await;
    for (seconds, status) in [(590, 200), (1180, 200), (1790, 404)] {
        github.control().pull(Lever::ClockOffset { seconds }).unwrap();
        github.takes(&renew(&claim, &claim.token), status).await;
    }
    // The clock that ends what nobody asks about looks now and then.
    let id = github.control().runs()[0].run_id;
    let over =
        github.control().wait_for_run(id, Duration::from_secs(60), |it| it.status == "completed").await;
    assert_eq!(over.unwrap().conclusion, Some("failure"));
}
