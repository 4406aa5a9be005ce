//! A session and a server that plays a script.

mod busy;
mod messages;
mod opening;
mod polling;

use std::time::Duration;

use github_proto::broker::{Architecture, RunnerStatus};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Command, Event, Session, SessionConfig};
use crate::Timeouts;
use crate::scripted::{Answer, Scripted, answer, client, clock, runner, timeouts};

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
        clock: clock(),
        timeouts: timeouts(),
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
/// An event without the words of an error.
fn told(event: &Event) -> String {
    match event {
        Event::PollError(reason, _) => format!("PollError({reason:?})"),
        event => format!("{event:?}"),
    }
}

async fn all(session: &mut Session) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let event = next(session).await;
        let last = event.is_last();
        said.push(told(&event));
        if last {
            assert!(timeout(Duration::from_secs(10), session.next()).await.unwrap().is_none());
            return said;
        }
    }
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

#[test]
fn the_protocols_waits_are_the_default() {
    let timeouts = Timeouts::default();
    assert_eq!(timeouts.poll_headers, Duration::from_secs(55));
    assert_eq!(timeouts.poll_floor, Duration::from_millis(100));
    assert_eq!(timeouts.acknowledge, Duration::from_secs(5));
    assert_eq!((timeouts.propagation_attempts, timeouts.acquire_attempts), (6, 5));
}
