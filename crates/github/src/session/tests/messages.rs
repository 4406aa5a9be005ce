//! What the broker says, and what it is told.

use std::time::Duration;

use github_proto::broker::Architecture;
use github_proto::message::MessageError;
use github_proto::{RequestId, SessionId};
use runtime::backoff::Backoff;
use serde_json::{Value, json};

use super::{ACKNOWLEDGE, POLL, TOKEN, job, message, next, said, server, start, start_with};
use crate::Timeouts;
use crate::scripted::{Answer, Scripted, answer, client, runner, timeouts};
use crate::session::{Acknowledgement, Command, Event, acknowledge};

#[tokio::test]
async fn an_offer_is_handed_on_with_its_session_and_not_acknowledged() {
    let server = server([(POLL, vec![job("a1"), job("a1"), Answer::Hang])]).await;
    let mut session = start(&server);
    assert!(matches!(next(&mut session).await, Event::Listening));
    for _ in 0..2 {
        let Event::JobOffered { offer, session: at } = next(&mut session).await else { panic!() };
        assert_eq!((offer.request_id.as_str(), offer.should_acknowledge), ("a1", true));
        assert_eq!(at.as_str(), "5e551011-0000-4000-8000-00000000fa4e");
        session.tell(Command::Idle).await;
    }
    server.until(POLL, 3).await;
    assert_eq!(server.count(ACKNOWLEDGE), 0, "nobody has taken it yet");
}

#[tokio::test]
async fn a_session_polls_on_once_it_hears_what_becomes_of_its_offer() {
    let server = server([(POLL, vec![job("a1"), Answer::Hang])]).await;
    let mut session = start_with(&server, |it| {
        it.timeouts.poll_floor = Duration::ZERO;
        it.timeouts.decision = Duration::from_secs(600);
    });
    assert!(matches!(next(&mut session).await, Event::Listening));
    let Event::JobOffered { offer, session: at } = next(&mut session).await else { panic!() };
    let (client, auth, timeouts) = (client(), runner(&server, |_| {}), timeouts());
    let said = acknowledge(&client, &auth, &at, "2.337.0", Architecture::X64, &offer.request_id, &timeouts);
    assert_eq!(said.await, Acknowledgement::Accepted);
    session.tell(Command::Busy).await;
    server.until(POLL, 2).await;
    let seen = server.seen();
    let calls: Vec<(&str, bool)> = seen
        .iter()
        .filter(|it| [POLL, ACKNOWLEDGE].contains(&it.call.as_str()))
        .map(|it| (it.call.as_str(), it.query.contains("status=Online")))
        .collect();
    assert_eq!(calls, [(POLL, true), (ACKNOWLEDGE, true), (POLL, false)]);
}

#[tokio::test]
async fn a_session_that_hears_nothing_of_its_offer_polls_on_when_that_can_be_claimed_no_more() {
    let server = server([(POLL, vec![job("a1"), Answer::Hang])]).await;
    let mut session = start_with(&server, |it| it.timeouts.decision = Duration::from_millis(1));
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert!(matches!(next(&mut session).await, Event::JobOffered { .. }));
    server.until(POLL, 2).await;
}

#[tokio::test]
async fn a_session_that_waits_for_a_decision_ends_when_it_is_told_to() {
    let server = server([(POLL, vec![job("a1"), Answer::Hang])]).await;
    let mut session = start_with(&server, |it| it.timeouts.decision = Duration::from_secs(600));
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert!(matches!(next(&mut session).await, Event::JobOffered { .. }));
    session.tell(Command::Close).await;
    assert!(matches!(next(&mut session).await, Event::Closed));
    assert_eq!(server.count(POLL), 1);
}

#[tokio::test]
async fn messages_of_no_use_are_dropped() {
    let answers = vec![
        message("Surprise", &json!({})),
        message("AgentRefresh", &json!({"agentId": 1})),
        message("RunnerJobRequest", &json!({"id": "no request id"})),
        message("ForceTokenRefresh", &Value::Null),
        job("a1"),
        Answer::Hang,
    ];
    let server = server([(POLL, answers)]).await;
    let mut session = start(&server);
    assert!(matches!(next(&mut session).await, Event::Listening));
    let mut said = Vec::new();
    while !said.last().is_some_and(|it| matches!(it, Event::JobOffered { .. })) {
        said.push(next(&mut session).await);
    }
    let answered = said.iter().filter(|it| matches!(it, Event::Answered)).count();
    let dropped = said.iter().filter(|it| matches!(it, Event::BadMessage(_))).count();
    assert_eq!((answered, dropped, said.len()), (3, 1, 5), "{said:?}");
    assert_eq!(server.count(TOKEN), 2, "a token refresh that is forced takes place");
}

#[tokio::test]
async fn a_message_of_no_use_that_comes_again_and_again_slows_the_polls_down() {
    let bad = || message("RunnerJobRequest", &json!({"id": "no request id"}));
    let server = server([(POLL, vec![bad()])]).await;
    let mut session = start_with(&server, |it| {
        it.timeouts.poll_floor = Duration::ZERO;
        it.timeouts.bad_message =
            Backoff::Throttle { first: Duration::from_millis(20), longest: Duration::from_secs(600) };
    });
    let begin = tokio::time::Instant::now();
    let mut dropped = 0;
    while dropped < 5 {
        if let Event::BadMessage(_) = next(&mut session).await {
            dropped += 1;
        }
    }
    // The first costs nothing, the others at least 20, 40 and 80 ms before the fifth is asked for.
    assert!(begin.elapsed() >= Duration::from_millis(140), "{:?}", begin.elapsed());

    let mixed = vec![bad(), job("a1"), bad(), answer(202, ""), bad(), job("a2"), Answer::Hang];
    let server = self::server([(POLL, mixed)]).await;
    let mut session = start_with(&server, |it| {
        it.timeouts.bad_message =
            Backoff::Throttle { first: Duration::from_secs(600), longest: Duration::from_secs(600) };
        it.timeouts.hollow_within = Duration::ZERO;
    });
    let mut offers = 0;
    while offers < 2 {
        if let Event::JobOffered { .. } = next(&mut session).await {
            offers += 1;
            session.tell(Command::Idle).await;
        }
    }
}

#[tokio::test]
async fn an_offer_of_the_legacy_service_is_told_and_slows_nothing() {
    let legacy = || message("RunnerJobRequest", &json!({"runner_request_id": "a1", "run_service_url": ""}));
    let server =
        server([(POLL, vec![legacy(), legacy(), legacy(), legacy(), job("a2"), Answer::Hang])]).await;
    let mut session = start_with(&server, |it| {
        it.timeouts.bad_message =
            Backoff::Throttle { first: Duration::from_secs(600), longest: Duration::from_secs(600) };
    });
    let mut dropped = Vec::new();
    loop {
        match next(&mut session).await {
            Event::BadMessage(error) => dropped.push(error),
            Event::JobOffered { .. } => break,
            _ => {}
        }
    }
    assert_eq!(dropped, vec![MessageError::Unsupported; 4]);
    assert!(dropped[0].to_string().contains("not supported"));
}

async fn acknowledged(answers: Vec<Answer>, timeouts: Timeouts) -> (Acknowledgement, Scripted) {
    let server = server([(ACKNOWLEDGE, answers)]).await;
    let auth = runner(&server, |_| {});
    let session = SessionId::parse("5e55").unwrap();
    let request = RequestId::parse("a1").unwrap();
    let said =
        acknowledge(&client(), &auth, &session, "2.337.0", Architecture::Arm64, &request, &timeouts).await;
    (said, server)
}

#[tokio::test]
async fn taking_an_offer_is_told_once() {
    let (said, server) = acknowledged(vec![answer(200, "")], timeouts()).await;
    assert_eq!(said, Acknowledgement::Accepted);
    let seen = server.seen().into_iter().find(|it| it.call == ACKNOWLEDGE).unwrap();
    assert_eq!(seen.body, r#"{"runnerRequestId":"a1"}"#);
    let query = "sessionId=5e55&status=Online&runnerVersion=2.337.0&os=Linux&architecture=ARM64";
    assert_eq!(seen.query, query);
    assert_eq!(seen.headers["authorization"], "Bearer FAKE.RUNNER.TOKEN");
}

#[tokio::test]
async fn only_one_answer_to_an_acknowledgement_says_that_the_job_is_gone() {
    let (gone, _) = acknowledged(vec![said(404, "AcknowledgeJobNotFound")], timeouts()).await;
    assert_eq!(gone, Acknowledgement::JobGone);
    for other in
        [answer(404, ""), said(404, "RunnerNotFound"), answer(403, ""), answer(401, ""), answer(503, "")]
    {
        let (said, server) = acknowledged(vec![other], timeouts()).await;
        assert_eq!((said, server.count(ACKNOWLEDGE)), (Acknowledgement::Unanswered, 1));
    }
}

#[tokio::test]
async fn an_acknowledgement_does_not_hold_up_the_claim() {
    let short = Timeouts { acknowledge: Duration::from_millis(100), ..timeouts() };
    let (said, _) = acknowledged(vec![Answer::Hang], short).await;
    assert_eq!(said, Acknowledgement::Unanswered);
}
