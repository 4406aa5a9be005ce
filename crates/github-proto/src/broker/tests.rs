use proptest::prelude::*;
use serde_json::json;

use super::{BrokerErrorKind, Poll, decode_acknowledgement, decode_poll, decode_session, decode_session_end};
use crate::fixture::{key, read, reply};
use crate::message::Message;
use crate::rate_limit::RateLimit;

#[test]
fn a_session_that_is_not_there_is_closed() {
    for status in [200, 204, 401, 404, 410] {
        assert_eq!(decode_session_end(&reply(status, &[], "")), Ok(()), "{status}");
    }
    assert!(decode_session_end(&reply(503, &[], "")).is_err());
}

#[test]
fn the_zero_session_is_not_a_session() {
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
    assert_eq!(polled(202, ""), Poll::Nothing);
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
fn a_new_session_reads_the_status_and_of_the_body_the_version_only() {
    let kind = |status, body: &str| decode_session(&reply(status, &[], body), &key()).unwrap_err().kind;
    assert_eq!(kind(404, &said("RunnerNotFound")), BrokerErrorKind::NotFound);
    assert_eq!(kind(410, ""), BrokerErrorKind::NotFound);
    assert_eq!(kind(403, &said("RunnerNotFound")), BrokerErrorKind::Forbidden);
    assert_eq!(kind(503, &said("RunnerSessionInvalid")), BrokerErrorKind::Transient);
    assert_eq!(kind(401, &said("HostedRunnerDeprovisioned")), BrokerErrorKind::Unauthorized);
    assert_eq!(kind(409, &said("SyntheticConflict")), BrokerErrorKind::Conflict);
    assert_eq!(kind(403, &said("RunnerVersionTooOld")), BrokerErrorKind::VersionTooOld);
    let limited = reply(403, &[("retry-after", "7")], "");
    let limit = RateLimit::After(std::time::Duration::from_secs(7));
    assert_eq!(decode_session(&limited, &key()).unwrap_err().kind, BrokerErrorKind::RateLimited(limit));
}

#[test]
fn the_brokers_message_on_a_version_is_kept() {
    let body = said("RunnerVersionTooOld").replace("\"x\"", "\"runner version v2.335.1 is deprecated\"");
    let error = decode_poll(&reply(403, &[], &body), None).unwrap_err();
    assert_eq!(error.message, "runner version v2.335.1 is deprecated");
}

#[test]
fn a_400_is_about_the_runners_version_only_when_it_says_so() {
    for too_old in [
        "Runner VERSION 2.1 is below the minimum",
        "runner version 2.1 is too old",
        "This version of the runner is deprecated",
    ] {
        refused(400, too_old, BrokerErrorKind::VersionTooOld);
    }
    for other in [
        "bad request",
        "api-version header missing",
        "HTTP version not supported",
        "the minimum is 7 characters",
        "the request of the runner is too old",
        "runner version is malformed",
    ] {
        refused(400, other, BrokerErrorKind::Transient);
    }
    refused(500, "runner version 2.1 is too old", BrokerErrorKind::Transient);
}

#[test]
fn another_source_has_no_say() {
    let body = said("RunnerNotFound").replace("actions-broker-listener", "someone-else");
    refused(503, &body, BrokerErrorKind::Transient);
}

#[test]
fn without_a_known_kind_the_status_decides() {
    refused(401, "", BrokerErrorKind::Unauthorized);
    refused(403, "", BrokerErrorKind::Forbidden);
    refused(403, &said("SomethingNew"), BrokerErrorKind::Forbidden);
    refused(404, "404 page not found", BrokerErrorKind::NotFound);
    refused(410, "", BrokerErrorKind::NotFound);
    refused(409, "", BrokerErrorKind::Conflict);
    refused(429, "", BrokerErrorKind::RateLimited(RateLimit::Unspecified));
    refused(502, "<html>", BrokerErrorKind::Transient);
    refused(200, r#"{"messageId":1,"#, BrokerErrorKind::Transient);
    refused(401, &said("SomethingNew"), BrokerErrorKind::Unauthorized);
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
