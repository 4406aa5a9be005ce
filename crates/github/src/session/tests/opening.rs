//! Getting a session, and another one.

use github_proto::broker::RunnerStatus;
use serde_json::json;

use super::{
    CLOSE, OPEN, POLL, TOKEN, all, job, message, next, opened, said, server, start, start_runner, start_with,
    token, told,
};
use crate::scripted::{Answer, answer};
use crate::session::{Event, PollError, Refusal};

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
                Event::PollError(PollError::Other, _) => errors += 1,
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
    assert!(matches!(next(&mut session).await, Event::PollError(PollError::Other, _)));
    assert!(matches!(next(&mut session).await, Event::Listening));
}

#[tokio::test]
async fn a_lost_session_is_replaced() {
    let server =
        server([(POLL, vec![said(404, "RunnerSessionInvalid"), answer(410, ""), job("a1"), Answer::Hang])])
            .await;
    let mut session = start(&server);
    let mut said = Vec::new();
    for _ in 0..5 {
        said.push(told(&next(&mut session).await));
    }
    assert_eq!(
        said[..4],
        ["Listening", "Listening", "PollError(Other)", "Listening"],
        "the second loss waits"
    );
    assert!(said[4].starts_with("JobOffered"), "{said:?}");
    assert_eq!((server.count(OPEN), server.count(CLOSE)), (3, 0));
}

#[tokio::test]
async fn a_lost_session_is_not_replaced_where_that_is_forbidden() {
    let server = server([(POLL, vec![answer(404, "")])]).await;
    let mut session = start_runner(&server, |it| it[".runner"]["SkipSessionRecover"] = true.into(), |_| {});
    assert_eq!(all(&mut session).await, ["Listening", "Dead(SessionLost)"]);
}
