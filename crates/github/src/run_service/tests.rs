use std::time::Duration;

use github_proto::message::RunnerJobRequest;
use github_proto::run_service::Completion;
use github_proto::{JobId, JobToken, PlanId, RequestId};
use runtime::clock::Clock;

use super::{AcquireError, Completed, RenewError, acquire, complete, renew};
use crate::scripted::{Answer, Scripted, answer, client, clock, nobody, runner, timeouts};

const CLAIM: &str = "POST /38/acquirejob";
const TOKEN: &str = "POST /token";

fn token(name: &str) -> Answer {
    answer(200, format!(r#"{{"access_token":"{name}","expires_in":3000}}"#))
}

async fn server(claims: Vec<Answer>) -> Scripted {
    Scripted::start([(TOKEN, vec![token("one"), token("two"), token("three")]), (CLAIM, claims)]).await
}

fn offer(server: &Scripted) -> RunnerJobRequest {
    RunnerJobRequest {
        request_id: RequestId::parse("a1").unwrap(),
        should_acknowledge: false,
        run_service_url: server.url("/38/").parse().unwrap(),
        billing_owner_id: None,
    }
}

async fn claim(server: &Scripted) -> Result<bytes::Bytes, AcquireError> {
    let auth = runner(server, |_| {});
    acquire(&client(), &auth, &offer(server), &clock(), &timeouts()).await.map(|it| it.message)
}

#[tokio::test]
async fn the_message_comes_back_byte_for_byte() {
    let server = server(vec![answer(200, " {\"any\": 1}\n").with("x-plan-id", "p")]).await;
    assert_eq!(claim(&server).await.unwrap(), " {\"any\": 1}\n");
    assert_eq!(server.seen()[1].headers["authorization"], "Bearer one");
}

#[tokio::test]
async fn a_refusal_is_final_and_leaves_no_doubt() {
    for status in [404, 409, 422] {
        let server = server(vec![answer(status, "")]).await;
        let error = claim(&server).await.unwrap_err();
        assert!(matches!(error, AcquireError::Declined { doubtful: false, .. }), "{status}: {error:?}");
        assert!(!error.may_be_ours());
        assert_eq!(server.count(CLAIM), 1);
    }
}

#[tokio::test]
async fn a_refusal_after_an_answer_that_settles_nothing_is_doubtful() {
    let server = server(vec![answer(503, ""), answer(409, "")]).await;
    let error = claim(&server).await.unwrap_err();
    assert!(matches!(error, AcquireError::Declined { doubtful: true, .. }), "{error:?}");
    assert!(error.may_be_ours());
}

#[tokio::test]
async fn five_attempts_are_enough() {
    let server = server(vec![answer(503, "")]).await;
    let error = claim(&server).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unavailable(_)), "{error:?}");
    assert_eq!(server.count(CLAIM), 5);
}

#[tokio::test]
async fn a_claim_that_was_sent_and_not_answered_is_not_repeated() {
    let server = server(vec![Answer::Hang]).await;
    let auth = runner(&server, |_| {});
    let timeouts = crate::Timeouts { acquire: Duration::from_millis(200), ..timeouts() };
    let error = acquire(&client(), &auth, &offer(&server), &clock(), &timeouts).await.unwrap_err();
    assert!(matches!(error, AcquireError::Sent(_)) && error.may_be_ours(), "{error:?}");
    assert_eq!(server.count(CLAIM), 1);
}

#[tokio::test]
async fn a_claim_that_was_never_sent_is_repeated_and_certainly_not_ours() {
    let server = server(vec![]).await;
    let auth = runner(&server, |_| {});
    let offer = RunnerJobRequest { run_service_url: nobody().await.parse().unwrap(), ..offer(&server) };
    let error = acquire(&client(), &auth, &offer, &clock(), &timeouts()).await.unwrap_err();
    assert!(matches!(error, AcquireError::NotSent(_)) && !error.may_be_ours(), "{error:?}");
}

#[tokio::test]
async fn an_old_token_is_replaced_once() {
    let server = server(vec![answer(401, ""), answer(200, "{}")]).await;
    assert!(claim(&server).await.is_ok());
    assert_eq!(server.count(TOKEN), 2);

    let server = self::server(vec![answer(401, "")]).await;
    assert!(matches!(claim(&server).await, Err(AcquireError::Unauthorized(_))));
    assert_eq!((server.count(TOKEN), server.count(CLAIM)), (2, 2));
}

async fn renewal(answers: Vec<Answer>) -> Result<Option<jiff::Timestamp>, RenewError> {
    let server = Scripted::start([("POST /38/renewjob", answers)]).await;
    let (plan, job) = (PlanId::parse("p").unwrap(), JobId::parse("j").unwrap());
    let base = server.url("/38").parse().unwrap();
    let renewed = renew(&client(), &base, &plan, &job, &JobToken::new("FAKE.JOB"), &timeouts()).await;
    assert_eq!(server.seen()[0].headers["authorization"], "Bearer FAKE.JOB");
    assert_eq!(server.seen()[0].body, r#"{"planId":"p","jobId":"j"}"#);
    renewed
}

#[tokio::test]
async fn a_renewal_tells_until_when_the_lock_holds() {
    let locked = renewal(vec![answer(200, r#"{"lockedUntil":"2026-09-01T10:20:00.0000000Z"}"#)]).await;
    assert_eq!(locked.unwrap(), Some("2026-09-01T10:20:00Z".parse().unwrap()));
}

#[tokio::test]
async fn only_a_404_loses_the_lock() {
    let is = |status, body: &str| renewal(vec![answer(status, body)]);
    assert!(matches!(is(404, "").await, Err(RenewError::Lost(_))));
    let said = r#"{"source":"actions-run-service","statusCode":404}"#;
    assert!(matches!(is(400, said).await, Err(RenewError::Lost(_))));
    assert!(matches!(is(401, "").await, Err(RenewError::Refused(_))));
    assert!(matches!(is(503, "").await, Err(RenewError::Refused(_))));
    assert!(matches!(is(429, "").await, Err(RenewError::RateLimited { .. })));
}

const REPORT: &str = "POST /38/completejob";

/// How a report ends, and after how many attempts.
async fn reported(answers: Vec<Answer>, until: Option<jiff::Timestamp>) -> (Completed, usize) {
    let server = Scripted::start([(REPORT, answers)]).await;
    let base = server.url("/38").parse().unwrap();
    let (plan_id, job_id) = (PlanId::parse("p").unwrap(), JobId::parse("j").unwrap());
    let report = Completion {
        plan_id: &plan_id,
        job_id: &job_id,
        message: Some("out of memory\nsecond line"),
        billing_owner_id: Some("U_FAKE"),
    };
    let frozen = Clock::new(|| "2026-09-01T10:00:00Z".parse().unwrap(), || 7);
    let token = JobToken::new("FAKE.JOB");
    let completed = complete(&client(), &base, &report, &token, until, &frozen, &timeouts()).await;
    for seen in server.seen() {
        assert_eq!(seen.headers["authorization"], "Bearer FAKE.JOB");
        let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!((&body["conclusion"], &body["billingOwnerId"]), (&"failed".into(), &"U_FAKE".into()));
        assert_eq!(body["annotations"][0]["message"], "out of memory\nsecond line");
    }
    (completed, server.count(REPORT))
}

#[tokio::test]
async fn a_report_is_made_until_github_takes_it() {
    assert_eq!(reported(vec![answer(204, "")], None).await, (Completed::Accepted, 1));
    let answers =
        vec![answer(500, ""), answer(403, ""), answer(429, "").with("retry-after", "0"), answer(204, "")];
    assert_eq!(reported(answers, None).await, (Completed::Accepted, 4));
}

#[tokio::test]
async fn two_answers_to_a_report_are_final() {
    assert_eq!(reported(vec![answer(404, "")], None).await, (Completed::Gone, 1));
    let said = r#"{"source":"actions-run-service","statusCode":404}"#;
    assert_eq!(reported(vec![answer(503, ""), answer(400, said)], None).await, (Completed::Gone, 2));
    assert_eq!(reported(vec![answer(401, "")], None).await, (Completed::Refused, 1));
}

#[tokio::test]
async fn a_report_that_nobody_takes_is_given_up_with_the_last_words() {
    let (completed, attempts) = reported(vec![answer(500, ""), answer(502, "bad gateway")], None).await;
    let Completed::GaveUp(words) = completed else { panic!("{completed:?}") };
    assert!(words.contains("502") && words.contains("bad gateway"), "{words}");
    assert_eq!(attempts, 5);
}

#[tokio::test]
async fn no_report_is_begun_after_the_lock_has_lapsed() {
    let now: jiff::Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
    let lapsed = Completed::GaveUp("the job's lock has lapsed".into());
    assert_eq!(reported(vec![answer(204, "")], Some(now)).await, (lapsed, 0));
    let soon = now + jiff::SignedDuration::from_millis(1);
    let (completed, attempts) = reported(vec![answer(503, "")], Some(soon)).await;
    assert!(matches!(completed, Completed::GaveUp(_)), "{completed:?}");
    assert_eq!(attempts, 1, "the pause would last longer than the lock");
    let later = now + jiff::SignedDuration::from_mins(10);
    assert_eq!(reported(vec![answer(503, ""), answer(204, "")], Some(later)).await, (Completed::Accepted, 2));
}
