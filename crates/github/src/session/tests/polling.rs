//! Polls, one after the other.

use std::time::Duration;

use serde_json::json;

use super::{CLOSE, OPEN, POLL, TOKEN, all, job, message, next, said, server, start, start_with};
use crate::scripted::{Answer, answer};
use crate::session::{Death, EVENTS, Event, PollError};

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
    let mut session = start_with(&server, |it| it.timeouts.hollow_within = Duration::ZERO);
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
    let mut session = start_with(&server, |it| it.timeouts.poll_headers = Duration::from_millis(300));
    let mut said = Vec::new();
    for _ in 0..4 {
        said.push(next(&mut session).await);
    }
    assert!(matches!(said[1], Event::PollError(PollError::Timeout, _)), "{said:?}");
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
            Event::PollError(reason, _) => reasons.push(reason),
            Event::JobOffered { .. } => break,
            _ => {}
        }
    }
    assert_eq!(reasons, [PollError::Other, PollError::RateLimited, PollError::Other, PollError::RateLimited]);
    assert_eq!(server.count(OPEN), 1);
}

#[tokio::test]
async fn a_poll_that_fails_says_why_and_one_that_brings_nothing_for_us_is_answered_all_the_same() {
    let answers =
        vec![answer(503, "upstream is away"), message("Surprise", &json!({})), answer(202, ""), Answer::Hang];
    let server = server([(POLL, answers)]).await;
    let mut session = start(&server);
    assert!(matches!(next(&mut session).await, Event::Listening));
    let Event::PollError(PollError::Other, words) = next(&mut session).await else { panic!() };
    assert!(words.contains("503"), "{words}");
    assert!(matches!(next(&mut session).await, Event::Answered));
    assert!(matches!(next(&mut session).await, Event::EmptyPoll));
}

#[tokio::test]
async fn a_server_that_answers_at_once_is_not_asked_without_end() {
    let server = server([(POLL, vec![answer(202, "")])]).await;
    let mut session = start_with(&server, |it| it.timeouts.poll_floor = Duration::from_millis(50));
    let begin = tokio::time::Instant::now();
    for _ in 0..5 {
        next(&mut session).await;
    }
    let most = 1 + begin.elapsed().as_millis() / 50;
    assert!(server.count(POLL) as u128 <= most + 1, "{} polls, at most {most} begun", server.count(POLL));
}

#[tokio::test]
async fn a_consumer_that_does_not_receive_stops_the_polling() {
    let server = server([(POLL, vec![answer(202, "")])]).await;
    let session = start(&server);
    // Listening and the empty polls fill the queue; one more poll may wait to hand its event over.
    server.until(POLL, EVENTS).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(server.count(POLL) <= EVENTS, "{}", server.count(POLL));
    drop(session);
}
