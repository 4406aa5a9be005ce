use std::time::Duration;

use github_proto::broker::{Architecture, RunnerStatus};
use github_proto::message::MessageError;
use github_proto::{RequestId, SessionId};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    Acknowledgement, Command, Death, Event, PollError, Refusal, Session, SessionConfig, acknowledge,
};
use crate::Timers;
use crate::scripted::{Answer, Scripted, ambient, answer, client, runner, timers};

const TOKEN: &str = "POST /token";
const OPEN: &str = "POST /session";
const POLL: &str = "GET /message";
const CLOSE: &str = "DELETE /session";
const ACKNOWLEDGE: &str = "POST /acknowledge";

fn token() -> Answer {
    answer(200, r#"{"access_token":"FAKE.RUNNER.TOKEN","expires_in":3000}"#)
}

fn opened() -> Answer {
    answer(200, r#"{"sessionId":"5e551011-0000-4000-8000-00000000fa4e"}"#)
}

fn message(message_type: &str, body: &Value) -> Answer {
    answer(200, json!({"messageId": 1, "messageType": message_type, "body": body.to_string()}).to_string())
}

fn job(id: &str) -> Answer {
    let body =
        json!({"runner_request_id": id, "run_service_url": "http://run.test/", "should_acknowledge": true});
    message("RunnerJobRequest", &body)
}

fn said(status: u16, kind: &str) -> Answer {
    let body = json!({"source": "actions-broker-listener", "errorKind": kind, "errorMessage": "synthetic"});
    answer(status, body.to_string())
}

/// A server with a healthy runner, but for what `answers` replaces.
async fn server<'a>(answers: impl IntoIterator<Item = (&'a str, Vec<Answer>)>) -> Scripted {
    let healthy = [
        (TOKEN, vec![token()]),
        (OPEN, vec![opened()]),
        (POLL, vec![Answer::Hang]),
        (CLOSE, vec![answer(204, "")]),
        (ACKNOWLEDGE, vec![answer(200, "")]),
    ];
    let server = Scripted::start(healthy).await;
    for (call, answers) in answers {
        server.set(call, answers);
    }
    server
}

fn start_with(server: &Scripted, change: impl FnOnce(&mut SessionConfig)) -> Session {
    start_runner(server, |_| {}, change)
}

fn start_runner(
    server: &Scripted,
    files: impl FnOnce(&mut Value),
    change: impl FnOnce(&mut SessionConfig),
) -> Session {
    let mut config = SessionConfig {
        client: client(),
        auth: runner(server, files),
        owner: "pod-0".into(),
        version: "2.337.0".into(),
        architecture: Architecture::X64,
        fresh: false,
        status: RunnerStatus::Online,
        ambient: ambient(),
        timers: timers(),
    };
    change(&mut config);
    Session::start(config)
}

fn start(server: &Scripted) -> Session {
    start_with(server, |_| {})
}

async fn next(session: &mut Session) -> Event {
    timeout(Duration::from_secs(10), session.next()).await.expect("an event in time").expect("not over yet")
}

/// What a session says until its last word.
async fn all(session: &mut Session) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let event = next(session).await;
        let last = event.is_last();
        said.push(format!("{event:?}"));
        if last {
            assert!(timeout(Duration::from_secs(10), session.next()).await.unwrap().is_none());
            return said;
        }
    }
}

#[tokio::test]
async fn an_offer_is_handed_on_with_its_session_and_not_acknowledged() {
    let server = server([(POLL, vec![job("a1"), job("a1"), Answer::Hang])]).await;
    let mut session = start(&server);
    assert!(matches!(next(&mut session).await, Event::Listening));
    for _ in 0..2 {
        let Event::JobOffered { offer, session: at } = next(&mut session).await else { panic!() };
        assert_eq!((offer.request_id.as_str(), offer.should_acknowledge), ("a1", true));
        assert_eq!(at.as_str(), "5e551011-0000-4000-8000-00000000fa4e");
    }
    server.until(POLL, 3).await;
    assert_eq!(server.count(ACKNOWLEDGE), 0, "nobody has taken it yet");
}

#[tokio::test]
async fn closing_deletes_the_session_exactly_once() {
    let server = server([]).await;
    let mut session = start(&server);
    server.until(POLL, 1).await;
    session.tell(Command::Close).await;
    assert_eq!(all(&mut session).await, ["Listening", "Closed"]);
    assert_eq!(server.count(CLOSE), 1);
}

#[tokio::test]
async fn an_abandoned_session_is_not_deleted() {
    let server = server([]).await;
    let mut session = start(&server);
    server.until(POLL, 1).await;
    session.tell(Command::Abandon).await;
    assert_eq!(all(&mut session).await, ["Listening", "Closed"]);
    assert_eq!(server.count(CLOSE), 0);
}

#[tokio::test]
async fn a_session_nobody_holds_any_more_is_deleted() {
    let server = server([]).await;
    let session = start(&server);
    server.until(POLL, 1).await;
    drop(session);
    server.until(CLOSE, 1).await;
}

#[tokio::test]
async fn closing_interrupts_every_wait() {
    for (call, answers) in [
        (TOKEN, vec![Answer::Hang]),
        (OPEN, vec![Answer::Hang]),
        (OPEN, vec![answer(429, "").with("retry-after", "3000")]),
        (POLL, vec![answer(429, "").with("retry-after", "3000")]),
    ] {
        let server = server([(call, answers)]).await;
        let mut session = start(&server);
        server.until(call, 1).await;
        session.tell(Command::Close).await;
        assert_eq!(all(&mut session).await.last().unwrap(), "Closed");
        assert_eq!(server.count(CLOSE), usize::from(call == POLL), "{call}");
    }
}

#[tokio::test]
async fn a_change_of_status_polls_anew_and_opens_nothing() {
    let server = server([]).await;
    let mut session = start(&server);
    server.until(POLL, 1).await;
    session.tell(Command::Busy).await;
    server.until(POLL, 2).await;
    let cancelled = message("JobCancellation", &json!({"jobId": "10b0", "timeout": "00:01:00"}));
    server.set(POLL, vec![cancelled, Answer::Hang]);
    session.tell(Command::Idle).await;

    assert!(matches!(next(&mut session).await, Event::Listening));
    let Event::Cancelled(cancellation) = next(&mut session).await else { panic!() };
    assert_eq!((cancellation.job_id.as_str(), cancellation.timeout.as_secs()), ("10b0", 60));
    let statuses: Vec<bool> = server
        .seen()
        .iter()
        .filter(|it| it.call == POLL)
        .map(|it| it.query.contains("status=Busy"))
        .collect();
    assert_eq!(statuses[..3], [false, true, false]);
    assert_eq!(server.count(OPEN), 1);
}

#[tokio::test]
async fn a_busy_session_takes_no_job() {
    let server =
        server([(POLL, vec![job("a1"), message("JobCancellation", &json!({"jobId": "1"})), Answer::Hang])])
            .await;
    let mut session = start_with(&server, |it| it.status = RunnerStatus::Busy);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert!(matches!(next(&mut session).await, Event::Cancelled(_)));
}

#[tokio::test]
async fn three_hollow_polls_in_a_row_mean_that_the_record_is_gone() {
    let server =
        server([(POLL, vec![answer(200, ""), answer(200, ""), answer(202, ""), answer(200, "")])]).await;
    let mut session = start(&server);
    let said = all(&mut session).await;
    assert_eq!(said.last().unwrap(), "Dead(Hollow)");
    assert_eq!(server.count(POLL), 6, "a real answer in between starts the count again");
    assert_eq!(server.count(CLOSE), 0);
}

#[tokio::test]
async fn hollow_polls_that_were_held_are_merely_empty() {
    let server =
        server([(POLL, vec![answer(200, ""), answer(200, ""), answer(200, ""), answer(200, ""), job("a1")])])
            .await;
    let mut session = start_with(&server, |it| it.timers.hollow_within = Duration::ZERO);
    let mut empty = 0;
    loop {
        match next(&mut session).await {
            Event::EmptyPoll => empty += 1,
            Event::JobOffered { .. } => break,
            Event::Listening => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(empty, 4);
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_session_goes_on() {
    let server =
        server([(POLL, vec![answer(401, ""), answer(202, ""), answer(401, ""), job("a1"), Answer::Hang])])
            .await;
    let mut session = start(&server);
    while !matches!(next(&mut session).await, Event::JobOffered { .. }) {}
    assert_eq!((server.count(OPEN), server.count(TOKEN)), (1, 3));
}

#[tokio::test]
async fn a_second_refusal_in_a_row_is_final() {
    for (call, closes) in [(POLL, 0), (OPEN, 0)] {
        let server = server([(call, vec![answer(401, "")])]).await;
        let mut session = start(&server);
        assert_eq!(all(&mut session).await.last().unwrap(), "Dead(Unauthorized)", "{call}");
        assert_eq!((server.count(call), server.count(TOKEN), server.count(CLOSE)), (2, 2, closes), "{call}");
    }
}

#[tokio::test]
async fn a_conflict_of_a_busy_session_is_cleared_until_it_is_gone() {
    let server = server([(OPEN, vec![answer(409, ""), answer(409, ""), answer(409, ""), opened()])]).await;
    let mut session = start_with(&server, |it| it.status = RunnerStatus::Busy);
    let mut said = Vec::new();
    while said.last().is_none_or(|it| it != "Listening") {
        said.push(format!("{:?}", next(&mut session).await));
    }
    assert_eq!(said, ["PollError(Other)", "PollError(Other)", "Listening"]);
    assert_eq!((server.count(OPEN), server.count(CLOSE)), (4, 3));
}

#[tokio::test]
async fn a_conflict_is_cleared_once() {
    let server = server([(OPEN, vec![answer(409, ""), opened()])]).await;
    let mut session = start(&server);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert_eq!(server.count(CLOSE), 1);

    let server = self::server([(OPEN, vec![answer(409, "")])]).await;
    let mut session = start(&server);
    assert!(matches!(next(&mut session).await, Event::Refused(Refusal::Conflict)));
    assert_eq!((server.count(OPEN), server.count(CLOSE)), (2, 1));
}

#[tokio::test]
async fn a_version_that_is_too_old_is_said_and_not_tried_again() {
    let server = server([(OPEN, vec![answer(400, "runner version 2.1 is too old")])]).await;
    let mut session = start(&server);
    let Event::Refused(Refusal::VersionTooOld(words)) = next(&mut session).await else { panic!() };
    assert_eq!(words, "runner version 2.1 is too old");
    assert_eq!((server.count(OPEN), server.count(CLOSE)), (1, 0));

    let server = self::server([(POLL, vec![said(403, "RunnerVersionTooOld")])]).await;
    let mut session = start(&server);
    assert_eq!(all(&mut session).await, ["Listening", r#"Refused(VersionTooOld("synthetic"))"#]);
    assert_eq!(server.count(CLOSE), 1, "the record lives on, so its session is deleted");
}

#[tokio::test]
async fn a_bad_request_that_merely_speaks_of_a_version_is_survived() {
    let server = server([
        (OPEN, vec![answer(400, "api-version header missing"), opened()]),
        (POLL, vec![answer(400, "HTTP version not supported"), job("a1"), Answer::Hang]),
    ])
    .await;
    let mut session = start(&server);
    while !matches!(next(&mut session).await, Event::JobOffered { .. }) {}
}

#[tokio::test]
async fn a_bare_403_is_final_to_a_new_session_only() {
    let server = server([(OPEN, vec![answer(403, "not from this address")])]).await;
    let mut session = start(&server);
    assert_eq!(all(&mut session).await, [r#"Refused(Forbidden("not from this address"))"#]);
    assert_eq!((server.count(OPEN), server.count(TOKEN), server.count(CLOSE)), (1, 1, 0));

    let cancelled = message("JobCancellation", &json!({"jobId": "10b0"}));
    for status in [RunnerStatus::Online, RunnerStatus::Busy] {
        let server = self::server([(
            POLL,
            vec![answer(403, ""), answer(403, ""), answer(403, "<html>"), cancelled.clone(), Answer::Hang],
        )])
        .await;
        let mut session = start_with(&server, |it| it.status = status);
        let mut errors = 0;
        loop {
            match next(&mut session).await {
                Event::Cancelled(_) => break,
                Event::PollError(PollError::Other) => errors += 1,
                Event::Listening => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((errors, server.count(OPEN), server.count(TOKEN)), (3, 1, 1));
    }
}

#[tokio::test]
async fn a_broker_that_finds_nothing_has_the_token_service_asked_anew() {
    let unknown = answer(400, r#"{"error":"invalid_client","error_description":"synthetic"}"#);
    let server = server([(OPEN, vec![answer(404, "")]), (TOKEN, vec![token(), unknown])]).await;
    let mut session = start(&server);
    assert_eq!(all(&mut session).await, ["Dead(NotRegistered)"]);
    assert_eq!((server.count(OPEN), server.count(TOKEN)), (1, 2), "before the next attempt is due");

    let server = self::server([(OPEN, vec![answer(404, ""), answer(410, ""), answer(404, "")])]).await;
    let mut session = start(&server);
    assert_eq!(all(&mut session).await, ["PollError(Other)", "PollError(Other)", "Dead(NotFound)"]);
    assert_eq!((server.count(OPEN), server.count(TOKEN)), (3, 3));

    let nothing = || answer(404, "");
    let answers = vec![nothing(), nothing(), answer(503, ""), nothing(), nothing(), opened()];
    let server = self::server([(OPEN, answers)]).await;
    let mut session = start(&server);
    while !matches!(next(&mut session).await, Event::Listening) {}
}

#[tokio::test]
async fn a_lost_session_is_replaced() {
    let server =
        server([(POLL, vec![said(404, "RunnerSessionInvalid"), answer(410, ""), job("a1"), Answer::Hang])])
            .await;
    let mut session = start(&server);
    let mut said = Vec::new();
    for _ in 0..5 {
        said.push(format!("{:?}", next(&mut session).await));
    }
    assert_eq!(
        said[..4],
        ["Listening", "Listening", "PollError(Other)", "Listening"],
        "the second loss waits"
    );
    assert!(said[4].starts_with("JobOffered"), "{said:?}");
    assert_eq!((server.count(OPEN), server.count(CLOSE)), (3, 0));
}

/// What a busy session says until it was opened so often.
async fn until_opened(session: &mut Session, times: usize) -> Vec<String> {
    let mut said = Vec::new();
    while said.iter().filter(|it| *it == "Listening").count() < times {
        said.push(format!("{:?}", next(session).await));
    }
    said
}

#[tokio::test]
async fn a_busy_session_that_decays_is_opened_again_and_hears_of_the_cancellation() {
    let hollow = || answer(200, "");
    let cancelled = message("JobCancellation", &json!({"jobId": "10b0"}));
    let polls = (0..6).map(|_| hollow()).chain([cancelled, Answer::Hang]).collect();
    let server = server([(POLL, polls), (OPEN, vec![opened(), answer(409, ""), opened()])]).await;
    let mut session = start_with(&server, |it| it.status = RunnerStatus::Busy);
    let said = until_opened(&mut session, 3).await;
    assert_eq!(
        said,
        [
            "Listening",
            "EmptyPoll",
            "EmptyPoll",
            "Listening",
            "EmptyPoll",
            "EmptyPoll",
            "PollError(Other)",
            "Listening"
        ],
        "the second loss in a row waits"
    );
    assert!(matches!(next(&mut session).await, Event::Cancelled(_)));
    assert_eq!((server.count(OPEN), server.count(CLOSE)), (4, 1), "the old one was in the way");
    let polls = server.seen().into_iter().filter(|it| it.call == POLL);
    assert!(polls.map(|it| it.query).all(|query| query.contains("status=Busy")));
}

#[tokio::test]
async fn a_busy_session_ends_when_its_record_is_said_to_be_gone() {
    let unknown = answer(400, r#"{"error":"invalid_client","error_description":"synthetic"}"#);
    for (call, answers, death) in [
        (POLL, vec![said(404, "RunnerNotFound")], "Dead(NotFound)"),
        (POLL, vec![answer(401, "")], "Dead(Unauthorized)"),
        (OPEN, vec![opened(), answer(401, "")], "Dead(Unauthorized)"),
        (OPEN, vec![opened(), answer(404, "")], "Dead(NotFound)"),
        (TOKEN, vec![token(), unknown], "Dead(NotRegistered)"),
    ] {
        let server = server([
            (POLL, vec![answer(200, "")]),
            (OPEN, vec![opened(), answer(401, ""), opened()]),
            (call, answers),
        ])
        .await;
        let mut session = start_with(&server, |it| it.status = RunnerStatus::Busy);
        assert_eq!(all(&mut session).await.last().unwrap(), death, "{call}");
        assert_eq!(server.count(CLOSE), 0);
    }
}

#[tokio::test]
async fn a_lost_session_is_not_replaced_where_that_is_forbidden() {
    let server = server([(POLL, vec![answer(404, "")])]).await;
    let mut session = start_runner(&server, |it| it[".runner"]["SkipSessionRecover"] = true.into(), |_| {});
    assert_eq!(all(&mut session).await, ["Listening", "Dead(SessionLost)"]);
}

#[tokio::test]
async fn a_runner_that_is_gone_or_told_to_stop_is_dead() {
    for (poll, death, closes) in [
        (said(404, "RunnerNotFound"), Death::NotFound, 0),
        (message("RunnerShutdown", &json!({})), Death::Shutdown, 1),
    ] {
        let server = server([(POLL, vec![poll])]).await;
        let mut session = start(&server);
        assert_eq!(all(&mut session).await, ["Listening".to_owned(), format!("Dead({death:?})")]);
        assert_eq!(server.count(CLOSE), closes);
    }
}

#[tokio::test]
async fn a_black_holed_poll_is_asked_again_in_the_same_session() {
    let server = server([(POLL, vec![Answer::Hang, Answer::Hang, job("a1")])]).await;
    let mut session = start_with(&server, |it| it.timers.poll_headers = Duration::from_millis(300));
    let mut said = Vec::new();
    for _ in 0..4 {
        said.push(next(&mut session).await);
    }
    assert!(matches!(said[1], Event::PollError(PollError::Timeout)), "{said:?}");
    assert!(matches!(said[3], Event::JobOffered { .. }), "{said:?}");
    assert_eq!(server.count(OPEN), 1);
}

#[tokio::test]
async fn failing_polls_are_told_by_reason_and_survived() {
    let answers = vec![
        answer(503, ""),
        answer(429, ""),
        answer(200, "{\"messageId\""),
        answer(429, "").with("retry-after", "0"),
        job("a1"),
    ];
    let server = server([(POLL, answers)]).await;
    let mut session = start(&server);
    let mut reasons = Vec::new();
    loop {
        match next(&mut session).await {
            Event::PollError(reason) => reasons.push(reason),
            Event::JobOffered { .. } => break,
            _ => {}
        }
    }
    assert_eq!(reasons, [PollError::Other, PollError::RateLimited, PollError::Other, PollError::RateLimited]);
    assert_eq!(server.count(OPEN), 1);
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
    assert!(matches!(next(&mut session).await, Event::BadMessage(_)));
    assert!(matches!(next(&mut session).await, Event::JobOffered { .. }));
    assert_eq!(server.count(TOKEN), 2, "a token refresh that is forced takes place");
}

#[tokio::test]
async fn a_message_of_no_use_that_comes_again_and_again_slows_the_polls_down() {
    let bad = || message("RunnerJobRequest", &json!({"id": "no request id"}));
    let server = server([(POLL, vec![bad()])]).await;
    let mut session = start_with(&server, |it| {
        it.timers.poll_floor = Duration::ZERO;
        it.timers.bad_message = (Duration::from_millis(20), Duration::from_secs(600));
    });
    let begin = tokio::time::Instant::now();
    let mut dropped = 0;
    while dropped < 5 {
        if let Event::BadMessage(_) = next(&mut session).await {
            dropped += 1;
        }
    }
    // The first costs nothing, the others 20, 40 and 80 ms before the fifth is asked for.
    assert!(begin.elapsed() >= Duration::from_millis(140), "{:?}", begin.elapsed());

    let mixed = vec![bad(), job("a1"), bad(), answer(202, ""), bad(), job("a2"), Answer::Hang];
    let server = self::server([(POLL, mixed)]).await;
    let mut session = start_with(&server, |it| {
        it.timers.bad_message = (Duration::from_secs(600), Duration::from_secs(600));
        it.timers.hollow_within = Duration::ZERO;
    });
    let mut offers = 0;
    while offers < 2 {
        offers += usize::from(matches!(next(&mut session).await, Event::JobOffered { .. }));
    }
}

#[tokio::test]
async fn an_offer_of_the_legacy_service_is_told_and_slows_nothing() {
    let legacy = || message("RunnerJobRequest", &json!({"runner_request_id": "a1", "run_service_url": ""}));
    let server =
        server([(POLL, vec![legacy(), legacy(), legacy(), legacy(), job("a2"), Answer::Hang])]).await;
    let mut session = start_with(&server, |it| {
        it.timers.bad_message = (Duration::from_secs(600), Duration::from_secs(600));
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

async fn acknowledged(answers: Vec<Answer>, timers: Timers) -> (Acknowledgement, Scripted) {
    let server = server([(ACKNOWLEDGE, answers)]).await;
    let auth = runner(&server, |_| {});
    let session = SessionId::parse("5e55").unwrap();
    let request = RequestId::parse("a1").unwrap();
    let said =
        acknowledge(&client(), &auth, &session, "2.337.0", Architecture::Arm64, &request, &timers).await;
    (said, server)
}

#[tokio::test]
async fn taking_an_offer_is_told_once() {
    let (said, server) = acknowledged(vec![answer(200, "")], timers()).await;
    assert_eq!(said, Acknowledgement::Accepted);
    let seen = server.seen().into_iter().find(|it| it.call == ACKNOWLEDGE).unwrap();
    assert_eq!(seen.body, r#"{"runnerRequestId":"a1"}"#);
    let query = "sessionId=5e55&status=Online&runnerVersion=2.337.0&os=Linux&architecture=ARM64";
    assert_eq!(seen.query, query);
    assert_eq!(seen.headers["authorization"], "Bearer FAKE.RUNNER.TOKEN");
}

#[tokio::test]
async fn only_one_answer_to_an_acknowledgement_says_that_the_job_is_gone() {
    let (gone, _) = acknowledged(vec![said(404, "AcknowledgeJobNotFound")], timers()).await;
    assert_eq!(gone, Acknowledgement::JobGone);
    for other in
        [answer(404, ""), said(404, "RunnerNotFound"), answer(403, ""), answer(401, ""), answer(503, "")]
    {
        let (said, server) = acknowledged(vec![other], timers()).await;
        assert_eq!((said, server.count(ACKNOWLEDGE)), (Acknowledgement::Unanswered, 1));
    }
}

#[tokio::test]
async fn an_acknowledgement_does_not_hold_up_the_claim() {
    let short = Timers { acknowledge: Duration::from_millis(100), ..timers() };
    let (said, _) = acknowledged(vec![Answer::Hang], short).await;
    assert_eq!(said, Acknowledgement::Unanswered);
}

#[tokio::test]
async fn a_registration_that_is_seconds_old_may_not_be_known_yet() {
    let unknown =
        answer(400, r#"{"error":"invalid_client","error_description":"registration was not found"}"#);
    let server = server([(TOKEN, vec![unknown.clone(), unknown.clone(), unknown.clone(), token()])]).await;
    let mut session = start_with(&server, |it| it.fresh = true);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert_eq!(server.count(TOKEN), 4);

    let server = self::server([(TOKEN, vec![unknown.clone()])]).await;
    let mut session = start_with(&server, |it| it.fresh = true);
    assert_eq!(all(&mut session).await, ["Dead(NotRegistered)"]);
    assert_eq!(server.count(TOKEN), 6);

    let server = self::server([(TOKEN, vec![unknown])]).await;
    let mut session = start(&server);
    assert_eq!(all(&mut session).await, ["Dead(NotRegistered)"]);
    assert_eq!(server.count(TOKEN), 1);
}

#[tokio::test]
async fn a_clock_that_is_off_is_no_reason_to_die() {
    let skewed =
        answer(400, r#"{"error":"invalid_client","error_description":"Current server time is 10:00"}"#);
    let server = server([(TOKEN, vec![skewed, token()])]).await;
    let mut session = start(&server);
    assert!(matches!(next(&mut session).await, Event::PollError(PollError::Other)));
    assert!(matches!(next(&mut session).await, Event::Listening));
}

#[tokio::test]
async fn a_server_that_answers_at_once_is_not_asked_without_end() {
    let server = server([(POLL, vec![answer(202, "")])]).await;
    let mut session = start_with(&server, |it| it.timers.poll_floor = Duration::from_millis(50));
    let begin = tokio::time::Instant::now();
    for _ in 0..5 {
        next(&mut session).await;
    }
    let most = 1 + begin.elapsed().as_millis() / 50;
    assert!(server.count(POLL) as u128 <= most + 1, "{} polls, at most {most} begun", server.count(POLL));
}

#[tokio::test]
async fn a_consumer_that_does_not_listen_stops_the_polling() {
    let server = server([(POLL, vec![answer(202, "")])]).await;
    let session = start(&server);
    // Listening and the empty polls fill the queue; one more poll may wait to hand its event over.
    server.until(POLL, super::EVENTS).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(server.count(POLL) <= super::EVENTS, "{}", server.count(POLL));
    drop(session);
}

#[test]
fn the_protocols_waits_are_the_default() {
    let timers = Timers::default();
    assert_eq!(timers.poll_headers, Duration::from_secs(55));
    assert_eq!(timers.poll_floor, Duration::from_millis(100));
    assert_eq!(timers.acknowledge, Duration::from_secs(5));
    assert_eq!((timers.propagation_attempts, timers.acquire_attempts), (6, 5));
}
