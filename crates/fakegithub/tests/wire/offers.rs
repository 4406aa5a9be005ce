//! Offers that are acknowledged, declined, or made to who could not take them (protocol §4.5, §11.2).

use fakegithub::{Lever, OffersView};
use serde_json::{Value, json};

use crate::support::runner::Offer;
use crate::support::{Draft, Github, ONE_JOB, Runner};

/// A server whose offers count as declined at once, and whose polls are held for a moment.
async fn start() -> Github {
    let github = Github::start().await;
    github.control().pull(Lever::PollHold { seconds: 0.2 }).unwrap();
    github.control().pull(Lever::Redelivery { seconds: 0.02 }).unwrap();
    github
}

fn acknowledge<'a>(runner: &Runner<'a>, token: &str, session: &str, request: &str) -> Draft<'a> {
    let query = format!("sessionId={session}&status=Online&runnerVersion=2.337.0&os=Linux&architecture=X64");
    let url = format!("{}acknowledge?{query}", runner.broker);
    runner.github.post(&url).bearer(token).json(&json!({"runnerRequestId": request}))
}

fn offers(github: &Github) -> OffersView {
    github.control().offers(Some("acme"), None)
}

/// A runner that was offered the only job.
async fn offered(github: &Github) -> (Runner<'_>, String, String, Offer) {
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    (runner, token, session, offer)
}

#[tokio::test]
async fn an_offer_tells_what_was_done_about_it() {
    let github = start().await;
    let (runner, token, session, offer) = offered(&github).await;
    acknowledge(&runner, &token, &session, &offer.request).expect(200).await;
    assert_eq!(offers(&github).unclaimed, 1);
    runner.acquire(&token, &offer).expect(200).await;
    let view = offers(&github);
    let only = &view.offers[0];
    assert_eq!((view.offers.len(), view.unclaimed, only.open), (1, 0, false));
    assert_eq!((only.agent.as_str(), &only.session_id, &only.request_id), ("one", &session, &offer.request));
    assert!(only.acknowledged_at <= only.tried_at && only.acquired_at.is_some());
    assert!(github.control().offers(Some("other"), None).offers.is_empty());
    assert!(github.control().offers(None, Some(only.run_id + 1)).offers.is_empty());
    github.assert_no_violation();
}

#[tokio::test]
async fn a_failed_acquisition_counts_as_an_attempt() {
    let github = start().await;
    let (runner, token, session, offer) = offered(&github).await;
    acknowledge(&runner, &token, &session, &offer.request).expect(200).await;
    github.pull(json!({"lever": "fail", "endpoint": "X1", "status": 503}));
    runner.acquire(&token, &offer).expect(503).await;
    let view = offers(&github);
    assert_eq!((view.unclaimed, view.offers[0].acquired_at), (0, None));
}

#[tokio::test]
async fn who_declines_a_job_again_and_again_is_named() {
    let github = start().await;
    let (runner, token, session, offer) = offered(&github).await;
    for _ in 0..3 {
        assert_eq!(runner.offer(&token, &session).await.request, offer.request);
    }
    let view = offers(&github);
    // The last delivery may count as declined by now.
    assert!(view.offers[0].deliveries == 4 && view.offers[0].declined >= 3, "{view:?}");
    assert_eq!(view.decliners[0].session_id, session);
    assert_eq!(view.decliners[0].declined, view.offers[0].declined);
    runner.acquire(&token, &offer).expect(200).await;
    assert!(offers(&github).decliners.is_empty());
    github.assert_no_violation();
}

#[tokio::test]
async fn a_declined_offer_comes_again_so_often_at_most() {
    let github = start().await;
    github.pull(json!({"lever": "declined", "seconds": 0.02, "times": 1, "account": "acme"}));
    let (runner, token, session, _) = offered(&github).await;
    runner.offer(&token, &session).await;
    runner.poll(&token, &session, "Online").expect(202).await;
    // Nobody else is shown it meanwhile: that is what declining costs.
    let other = github.runner("two").await;
    let (other_token, other_session) = other.session().await;
    other.poll(&other_token, &other_session, "Online").expect(202).await;
}

#[tokio::test]
async fn a_declined_offer_can_go_to_the_next_session() {
    let github = start().await;
    github.pull(json!({"lever": "declined", "to": "next", "account": "acme"}));
    let (runner, token, session, first) = offered(&github).await;
    let other = github.runner("two").await;
    let (other_token, other_session) = other.session().await;
    let second = other.offer(&other_token, &other_session).await;
    assert_ne!(first.request, second.request);
    runner.poll(&token, &session, "Online").expect(202).await;
    other.acquire(&other_token, &second).expect(200).await;
    runner.acquire(&token, &first).expect(409).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_declined_offer_can_be_the_last_and_other_jobs_still_come() {
    let github = start().await;
    github.pull(json!({"lever": "declined", "to": "never"}));
    let (runner, token, session, first) = offered(&github).await;
    runner.poll(&token, &session, "Online").expect(202).await;
    github.run(ONE_JOB);
    let second = runner.offer(&token, &session).await;
    assert_ne!(first.run_service, second.run_service);
}

#[tokio::test]
async fn an_acknowledged_offer_comes_again_unless_told_otherwise() {
    let github = start().await;
    let (runner, token, session, offer) = offered(&github).await;
    acknowledge(&runner, &token, &session, &offer.request).expect(200).await;
    assert_eq!(runner.offer(&token, &session).await.request, offer.request);
}

#[tokio::test]
async fn an_acknowledged_offer_can_be_for_other_sessions_only() {
    let github = start().await;
    github.pull(json!({"lever": "acknowledged", "effect": "not-to-session", "account": "acme"}));
    let (runner, token, session, offer) = offered(&github).await;
    acknowledge(&runner, &token, &session, &offer.request).expect(200).await;
    runner.poll(&token, &session, "Online").expect(202).await;
    let other = github.runner("two").await;
    let (other_token, other_session) = other.session().await;
    other.offer(&other_token, &other_session).await;
}

#[tokio::test]
async fn an_acknowledged_offer_can_be_for_nobody_any_more() {
    let github = start().await;
    github.pull(json!({"lever": "acknowledged", "effect": "not-at-all", "account": "acme"}));
    let (runner, token, session, offer) = offered(&github).await;
    acknowledge(&runner, &token, &session, &offer.request).expect(200).await;
    let other = github.runner("two").await;
    let (other_token, other_session) = other.session().await;
    for (runner, token, session) in [(&runner, &token, &session), (&other, &other_token, &other_session)] {
        runner.poll(token, session, "Online").expect(202).await;
    }
    runner.acquire(&token, &offer).expect(200).await;
}

#[tokio::test]
async fn the_acknowledgement_of_a_job_that_has_gone_is_told_so() {
    let github = start().await;
    let (runner, token, session, offer) = offered(&github).await;
    let run = github.control().runs()[0].run_id;
    github.control().cancel_run(run).unwrap();
    let gone = acknowledge(&runner, &token, &session, &offer.request).expect(404).await.json();
    assert_eq!(
        (&gone["errorKind"], &gone["statusCode"], &gone["source"]),
        (&json!("AcknowledgeJobNotFound"), &json!(404), &json!("actions-broker-listener"))
    );
    github.assert_no_violation();
}

#[tokio::test]
async fn a_busy_session_can_be_made_to_get_offers() {
    let github = start().await;
    github.pull(json!({"lever": "busy-offers", "on": true, "account": "acme"}));
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    runner.poll(&token, &session, "Offline").expect(202).await;
    let offer = Offer::read(&runner.poll(&token, &session, "Busy").expect(200).await.json());
    runner.acquire(&token, &offer).expect(200).await;
    github.run(ONE_JOB);
    runner.poll(&token, &session, "Busy").expect(202).await;
}

/// The body of a notification.
async fn notification(github: &Github) -> Value {
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let message = runner.poll(&token, &session, "Online").expect(200).await.json();
    serde_json::from_str(message["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_notification_can_ask_for_no_acknowledgement() {
    for (value, said) in [("true", Some(true)), ("false", Some(false)), ("absent", None)] {
        let github = start().await;
        github.pull(json!({"lever": "should-acknowledge", "value": value, "account": "acme"}));
        let body = notification(&github).await;
        assert_eq!(body.get("should_acknowledge"), said.map(Value::from).as_ref(), "{value}");
    }
}

#[tokio::test]
async fn a_notification_can_name_no_run_service() {
    let github = start().await;
    github.pull(json!({"lever": "run-service-url", "empty": true, "account": "other"}));
    github.pull(json!({"lever": "run-service-url", "empty": true, "account": "acme"}));
    assert_eq!(notification(&github).await["run_service_url"], "");
}

#[tokio::test]
async fn a_job_goes_back_to_the_queue_when_its_window_is_over() {
    // Two minutes are a second.
    let github = Github::start_fast(120.0).await;
    github.control().pull(Lever::PollHold { seconds: 600.0 }).unwrap();
    github.pull(json!({"lever": "declined", "times": 0}));
    let (_, _, _, first) = offered(&github).await;
    let other = github.runner("two").await;
    let (token, session) = other.session().await;
    let second = other.offer(&token, &session).await;
    assert_ne!(first.request, second.request);
    other.acquire(&token, &second).expect(200).await;
    github.assert_no_violation();
}
