//! Sessions and their polls.

use std::collections::BTreeMap;
use std::time::Duration;

use fakegithub::{Encryption, Fault, Lever, TokenKind};
use github::session::{Command, Event, PollError};
use github_proto::broker::RunnerStatus;

use crate::rig::{Rig, VERSION, last, next, offered};

#[tokio::test]
async fn messages_may_be_encrypted_in_each_way_signed_with_ps256_and_marked() {
    for mode in [Encryption::PlainKey, Encryption::RsaSha1, Encryption::RsaSha256] {
        let rig = Rig::start().await;
        rig.pull(Lever::EncryptMessages { mode });
        rig.pull(Lever::RequireFips { on: true });
        rig.pull(Lever::ByteOrderMark { on: true });
        let auth = rig.auth("gw-1").await;
        let mut session = rig.session(&auth);
        rig.start_run();
        let offer = offered(&mut session).await;
        rig.acquire(&auth, &offer).await.unwrap();
        rig.blameless().await;
    }
}

#[tokio::test]
async fn an_expired_runner_token_costs_one_more_and_no_session() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.pull(Lever::ExpireTokens { kind: TokenKind::Runner });
    rig.start_run();
    offered(&mut session).await;
    assert_eq!((rig.count("B1"), rig.count("O1")), (1, 2));
    rig.blameless().await;
}

#[tokio::test]
async fn a_session_left_behind_by_a_crash_is_cleared() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    let (_commands, _events, task) = session.split();
    task.abort(); // as SIGKILL does

    let mut successor = rig.session(&auth);
    assert!(matches!(next(&mut successor).await, Event::Listening));
    assert_eq!((rig.count("B1"), rig.count("B4")), (3, 1));
    successor.tell(Command::Close).await;
    assert_eq!(last(&mut successor).await, "Closed");
    assert_eq!(rig.count("B4"), 2);
    assert!(rig.fake.control().state().sessions.is_empty());
    rig.blameless().await;
}

#[tokio::test]
async fn a_consumed_record_is_found_dead() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.pull(Lever::ConsumeRecord { agent: "gw-1".into() });
    assert_eq!(last(&mut session).await, "Dead(Hollow)");

    let mut restarted = rig.session(&auth);
    assert!(last(&mut restarted).await.starts_with("Dead("));
    rig.blameless().await;
}

#[tokio::test]
async fn a_dropped_session_is_opened_again() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.pull(Lever::DropSession { agent: "gw-1".into() });
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.start_run();
    offered(&mut session).await;
    rig.blameless().await;
}

#[tokio::test]
async fn a_black_holed_poll_does_not_cost_the_session() {
    let mut rig = Rig::start().await;
    // Longer than the fake's hold, shorter than anyone's patience.
    rig.timeouts.poll_headers = Duration::from_secs(3);
    let auth = rig.auth("gw-1").await;
    rig.pull(Lever::BlackHolePoll { count: 1, agent: None });
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert!(matches!(next(&mut session).await, Event::PollError(PollError::Timeout, _)));
    rig.start_run();
    offered(&mut session).await;
    assert_eq!(rig.count("B1"), 1);
    rig.blameless().await;
}

/// The version's last day was in 2026.
const OLD: &str = "2.335.1";

#[tokio::test]
async fn an_old_runner_version_is_refused_in_githubs_words_and_its_record_lives_on() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session_of(OLD, RunnerStatus::Online, &auth);
    let refusal = last(&mut session).await;
    assert!(refusal.starts_with("Refused(VersionTooOld(") && refusal.contains(OLD), "{refusal}");
    assert_eq!(rig.count("B4"), 1);

    rig.pull(Lever::ServedVersions { versions: BTreeMap::from([(OLD.into(), None)]) });
    let mut session = rig.session_of(OLD, RunnerStatus::Online, &auth);
    rig.start_run();
    offered(&mut session).await;
    rig.blameless().await;
}

#[tokio::test]
async fn an_old_runner_version_may_be_refused_a_session() {
    let rig = Rig::start().await;
    rig.pull(Lever::SessionRefusesVersions { on: true, account: None });
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session_of(OLD, RunnerStatus::Online, &auth);
    assert!(last(&mut session).await.starts_with("Refused(VersionTooOld("));
    let mut session = rig.session_of(VERSION, RunnerStatus::Online, &auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.blameless().await;
}

#[tokio::test]
async fn a_bare_403_ends_a_session_before_it_begins_and_not_after() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    rig.fake.control().fail(Fault::new("B1").answering(403));
    let mut session = rig.session(&auth);
    assert!(last(&mut session).await.starts_with("Refused(Forbidden("));

    rig.fake.control().fail(Fault::new("B2").answering(403).times(4));
    let mut session = rig.session(&auth);
    rig.start_run();
    offered(&mut session).await;
    assert_eq!(rig.count("B1"), 2);
    rig.blameless().await;
}

#[tokio::test]
async fn a_busy_session_that_is_dropped_still_hears_of_the_cancellation() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    let run = rig.start_run();
    let offer = offered(&mut session).await;
    session.tell(Command::Busy).await;
    let job = rig.acquire(&auth, &offer).await.unwrap();
    rig.renew(&job, &offer).await.unwrap();

    rig.pull(Lever::DropSession { agent: "gw-1".into() });
    while !matches!(next(&mut session).await, Event::Listening) {}
    rig.fake.control().fail(Fault::new("B2").answering(403).times(2));
    rig.fake.control().cancel_run(run).unwrap();
    let cancellation = loop {
        match next(&mut session).await {
            Event::Cancelled(cancellation) => break cancellation,
            Event::PollError(..) | Event::Answered => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(cancellation.job_id, job.job_id);
    rig.blameless().await;
}
