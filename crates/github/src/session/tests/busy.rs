//! Sessions that do not ask for jobs.

use github_proto::broker::RunnerStatus;
use serde_json::json;

use super::{
    CLOSE, OPEN, POLL, TOKEN, all, job, message, next, opened, said, server, start, start_with, token, told,
};
use crate::scripted::{Answer, answer};
use crate::session::{Command, Event, Session};

#[tokio::test]
async fn a_busy_session_takes_no_job() {
    let server =
        server([(POLL, vec![job("a1"), message("JobCancellation", &json!({"jobId": "1"})), Answer::Hang])])
            .await;
    let mut session = start_with(&server, |it| it.status = RunnerStatus::Busy);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert!(matches!(next(&mut session).await, Event::Answered));
    assert!(matches!(next(&mut session).await, Event::Cancelled(_)));
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
async fn a_conflict_of_a_busy_session_is_cleared_until_it_is_gone() {
    let server = server([(OPEN, vec![answer(409, ""), answer(409, ""), answer(409, ""), opened()])]).await;
    let mut session = start_with(&server, |it| it.status = RunnerStatus::Busy);
    let mut said = Vec::new();
    while said.last().is_none_or(|it| it != "Listening") {
        said.push(told(&next(&mut session).await));
    }
    assert_eq!(said, ["PollError(Other)", "PollError(Other)", "Listening"]);
    assert_eq!((server.count(OPEN), server.count(CLOSE)), (4, 3));
}

/// What a busy session says until it was opened so often.
async fn until_opened(session: &mut Session, times: usize) -> Vec<String> {
    let mut said = Vec::new();
    while said.iter().filter(|it| *it == "Listening").count() < times {
        said.push(told(&next(session).await));
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
