use proptest::prelude::*;
use serde_json::json;
use url::Url;

use super::{
    Agent, Architecture, BrokerErrorKind, Poll, PollQuery, RunnerStatus, acknowledge, create_session,
    decode_acknowledgement, decode_poll, decode_session, decode_session_end, delete_session, poll,
};
use crate::fixture::{exchange, key, read, reply};
use crate::id::{RequestId, RunnerId, SessionId};
use crate::message::Message;
use crate::rate_limit::RateLimit;
use crate::secret::RunnerToken;

fn broker() -> Url {
    "https://broker.actions.test/".parse().unwrap()
}

fn token() -> RunnerToken {
    RunnerToken::new("FAKE.RUNNER.TOKEN")
}

fn session_id() -> SessionId {
    SessionId::parse("5e551011-0000-4000-8000-00000000fa4e").unwrap()
}

fn query(session: &SessionId) -> PollQuery<'_> {
    PollQuery { session, status: RunnerStatus::Online, version: "2.335.1", architecture: Architecture::X64 }
}

#[test]
fn a_session_is_opened_as_in_the_fixture() {
    let exchange = exchange("b1");
    let agent = Agent { id: RunnerId(31007), name: "gw-blue-0007", version: "2.335.1" };
    exchange.asks_for(&create_session(&broker(), &token(), "gw-pod-0 (PID: 1)", agent).unwrap());
    let session = decode_session(&exchange.reply, &key()).unwrap();
    assert_eq!(session.id, session_id());
    assert!(session.key.is_none());
}

#[test]
fn a_poll_asks_as_in_the_fixture() {
    exchange("b2_job").asks_for(&poll(&broker(), &token(), query(&session_id())).unwrap());
}

#[test]
fn an_acknowledgement_is_sent_as_in_the_fixture() {
    let exchange = exchange("b3");
    let request = RequestId::parse("a1a1a1a1-0000-4000-8000-00000000fa4e").unwrap();
    exchange.asks_for(&acknowledge(&broker(), &token(), query(&session_id()), &request).unwrap());
    assert_eq!(decode_acknowledgement(&exchange.reply), Ok(()));
}

#[test]
fn a_session_is_closed_as_in_the_fixture() {
    let exchange = exchange("b4");
    exchange.asks_for(&delete_session(&broker(), &token()).unwrap());
    assert_eq!(decode_session_end(&exchange.reply), Ok(()));
}

#[test]
fn a_session_that_is_not_there_is_closed() {
    for status in [200, 204, 401, 404, 410] {
        assert_eq!(decode_session_end(&reply(status, &[], "")), Ok(()), "{status}");
    }
    assert!(decode_session_end(&reply(503, &[], "")).is_err());
}

#[test]
fn the_zero_session_is_none() {
    let body = r#"{"sessionId":"00000000-0000-0000-0000-000000000000"}"#;
    assert!(decode_session(&reply(200, &[], body), &key()).is_err());
    assert!(decode_session(&reply(200, &[], "{}"), &key()).is_err());
}

/// Keys wrapped by openssl, and the frozen ciphertext that they open.
#[test]
fn a_wrapped_session_key_opens_messages() {
    for (file, fips) in [("session_key_sha1.b64", false), ("session_key_sha256.b64", true)] {
        let answer = json!({"sessionId": "5e55", "useFipsEncryption": fips,
                            "encryptionKey": {"encrypted": true, "value": read(file)}});
        let session = decode_session(&reply(200, &[], &answer.to_string()), &key()).unwrap();
        let body = "TxDgIEusUcfA5bTC56rEuALUM2cERW0vWIEEnXOsT9JYc/lEYfPOvpsjDDPXgfmsa7mXW4NrAKWXT6dQBIEZetTDhxybaqJd/TFj5MBDYwk=";
        let message = json!({"messageId": 5, "messageType": "JobCancellation",
                             "iv": "ICEiIyQlJicoKSorLC0uLw==", "body": body});
        let polled = decode_poll(&reply(200, &[], &message.to_string()), session.key.as_ref()).unwrap();
        assert!(matches!(polled, Poll::Message(Message::JobCancellation(_))), "{file}: {polled:?}");
        let wrong = json!({"sessionId": "5e55", "useFipsEncryption": !fips,
                           "encryptionKey": {"encrypted": true, "value": read(file)}});
        assert!(decode_session(&reply(200, &[], &wrong.to_string()), &key()).is_err(), "{file}");
    }
}

#[test]
fn a_session_key_may_come_plain_or_not_at_all() {
    let opened = |key_json: &str| {
        let body = format!(r#"{{"sessionId":"5e55","encryptionKey":{key_json}}}"#);
        decode_session(&reply(201, &[], &body), &key()).map(|session| session.key.is_some())
    };
    let plain = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert_eq!(opened(&format!(r#"{{"encrypted":false,"value":"{plain}"}}"#)), Ok(true));
    assert_eq!(opened(r#"{"encrypted":true,"value":""}"#), Ok(false));
    assert_eq!(opened("null"), Ok(false));
    assert!(opened(r#"{"encrypted":false,"value":"AAAA"}"#).is_err());
}

#[test]
fn a_poll_without_a_message_is_nothing_or_hollow() {
    let polled = |status, body| decode_poll(&reply(status, &[], body), None).unwrap();
    assert_eq!(decode_poll(&exchange("b2_nothing").reply, None).unwrap(), Poll::Nothing);
    assert_eq!(polled(204, ""), Poll::Nothing);
    assert_eq!(polled(200, ""), Poll::Hollow);
    assert_eq!(polled(200, " \r\n"), Poll::Hollow);
}

#[track_caller]
fn refused(status: u16, body: &str, kind: BrokerErrorKind) {
    assert_eq!(decode_poll(&reply(status, &[], body), None).unwrap_err().kind, kind);
}

fn said(kind: &str) -> String {
    format!(r#"{{"source":"actions-broker-listener","errorKind":"{kind}","errorMessage":"x"}}"#)
}

#[test]
fn the_kind_in_the_body_goes_before_the_status() {
    for status in [400, 401, 403, 404, 409, 500] {
        refused(status, &said("RunnerNotFound"), BrokerErrorKind::RunnerNotFound);
        refused(status, &said("RunnerVersionTooOld"), BrokerErrorKind::VersionTooOld);
        refused(status, &said("RunnerSessionInvalid"), BrokerErrorKind::SessionInvalid);
        refused(status, &said("HostedRunnerDeprovisioned"), BrokerErrorKind::RunnerNotFound);
        refused(status, &said("AcknowledgeJobNotFound"), BrokerErrorKind::JobNotFound);
    }
}

#[test]
fn another_source_has_no_say() {
    let body = said("RunnerNotFound").replace("actions-broker-listener", "someone-else");
    refused(503, &body, BrokerErrorKind::Transient);
}

#[test]
fn without_a_known_kind_the_status_decides() {
    refused(401, "", BrokerErrorKind::Unauthorized);
    refused(403, "", BrokerErrorKind::Unauthorized);
    refused(404, "404 page not found", BrokerErrorKind::SessionInvalid);
    refused(410, "", BrokerErrorKind::SessionInvalid);
    refused(409, "", BrokerErrorKind::Conflict);
    refused(429, "", BrokerErrorKind::RateLimited(RateLimit::Unspecified));
    refused(400, "Runner VERSION 2.1 is below the minimum", BrokerErrorKind::VersionTooOld);
    refused(400, "bad request", BrokerErrorKind::Transient);
    refused(502, "<html>", BrokerErrorKind::Transient);
    refused(200, r#"{"messageId":1,"#, BrokerErrorKind::Transient);
    refused(401, &said("SomethingNew"), BrokerErrorKind::Unauthorized);
}

#[test]
fn the_refusals_of_the_fixtures() {
    let conflict = decode_session(&exchange("b1_conflict").reply, &key()).unwrap_err();
    assert_eq!((conflict.kind, conflict.message.as_str()), (BrokerErrorKind::Conflict, "session exists"));
    refused(404, &read("broker_error.json"), BrokerErrorKind::RunnerNotFound);
}

proptest! {
    #[test]
    fn no_answer_makes_a_decoder_panic(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut reply = reply(status, &[], "");
        *reply.body_mut() = body.into();
        let _ = decode_poll(&reply, None);
        let _ = decode_acknowledgement(&reply);
        let _ = decode_session_end(&reply);
        let _ = decode_session(&reply, &key());
    }
}
