use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{Message, MessageError, MessageKey, decode};
use crate::fixture::answer;

const CIPHERTEXT: &str = "TxDgIEusUcfA5bTC56rEuALUM2cERW0vWIEEnXOsT9JYc/lEYfPOvpsjDDPXgfmsa7mXW4NrAKWXT6dQBIEZetTDhxybaqJd/TFj5MBDYwk=";
const IV: &str = "ICEiIyQlJicoKSorLC0uLw==";

fn key() -> MessageKey {
    let bytes: Vec<u8> = (0..32).collect();
    MessageKey::new(&bytes).unwrap()
}

fn envelope(message_type: &str, body: &str) -> Vec<u8> {
    json!({"messageId": 1, "messageType": message_type, "body": body}).to_string().into_bytes()
}

fn encrypted(iv: &str, body: &str) -> Message {
    let envelope = json!({"messageId": 5, "messageType": "JobCancellation", "iv": iv, "body": body});
    decode(envelope.to_string().as_bytes(), Some(&key())).unwrap()
}

#[test]
fn the_frozen_ciphertext_opens() {
    let Message::JobCancellation(cancellation) = encrypted(IV, CIPHERTEXT) else { panic!() };
    assert_eq!(cancellation.job_id.as_str(), "10b00000-0000-4000-8000-00000000fa4e");
}

#[test]
fn a_body_that_does_not_open_does_not_say_why() {
    let closed = Message::Malformed { message_type: "JobCancellation".into(), error: MessageError::Decrypt };
    assert_eq!(encrypted(IV, "AAAA"), closed);
    assert_eq!(encrypted(IV, "not base64"), closed);
    assert_eq!(encrypted("AAAA", CIPHERTEXT), closed);
    assert_eq!(encrypted(IV, ""), closed);
}

#[test]
fn a_body_without_iv_is_plain_even_in_a_session_with_a_key() {
    let plain = encrypted("", r#"{"jobId":"10b0"}"#);
    assert!(matches!(plain, Message::JobCancellation(_)), "{plain:?}");
}

#[test]
fn a_cancellation_without_a_readable_timeout_is_one_all_the_same() {
    for body in [r#"{"JOBID":"10B0"}"#, r#"{"jobId":"10b0","timeout":"soon"}"#] {
        let Ok(Message::JobCancellation(it)) = decode(&envelope("jobcancellation", body), None) else {
            panic!()
        };
        assert_eq!((it.job_id.as_str(), it.timeout), ("10b0", Duration::from_secs(300)));
    }
}

#[test]
fn types_match_without_case_and_unknown_ones_are_named() {
    let of = |message_type| decode(&envelope(message_type, ""), None).unwrap();
    assert_eq!(of("FORCETOKENREFRESH"), Message::ForceTokenRefresh);
    assert_eq!(of("runnerShutdown"), Message::Shutdown);
    for ignored in ["AgentRefresh", "RunnerRefresh", "RunnerRefreshConfig", "BrokerMigration", "Surprise"] {
        assert_eq!(of(ignored), Message::Ignored { message_type: ignored.into() });
    }
    assert_eq!(decode(b"{}", None).unwrap(), Message::Ignored { message_type: String::new() });
}

#[test]
fn a_job_request_without_its_parts_is_malformed() {
    for body in [
        "",
        "{}",
        "not json",
        r#"{"runner_request_id":"a","run_service_url":"nowhere"}"#,
        r#"{"runner_request_id":"a/b","run_service_url":"https://run.test/"}"#,
        r#"{"runner_request_id":"","run_service_url":"https://run.test/"}"#,
    ] {
        let message = decode(&envelope("RunnerJobRequest", body), None).unwrap();
        let Message::Malformed { error: MessageError::Body(_), .. } = message else {
            panic!("{body}: {message:?}")
        };
    }
}

#[test]
fn a_job_request_of_the_legacy_service_is_unsupported_and_not_malformed() {
    for body in [
        r#"{"runner_request_id":"a"}"#,
        r#"{"runner_request_id":"a","run_service_url":null}"#,
        r#"{"runner_request_id":"a","run_service_url":" "}"#,
    ] {
        let message = decode(&envelope("RunnerJobRequest", body), None).unwrap();
        let Message::Malformed { error: MessageError::Unsupported, .. } = message else {
            panic!("{body}: {message:?}")
        };
    }
}

#[test]
fn an_envelope_that_was_cut_is_an_error() {
    let whole = answer("b2_job");
    assert!(decode(&whole.body()[..whole.body().len() / 2], None).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), body in ".{0,80}", iv in ".{0,30}") {
        let _ = decode(&bytes, Some(&key()));
        for message_type in ["RunnerJobRequest", "JobCancellation"] {
            let envelope = json!({"messageType": message_type, "body": body, "iv": iv});
            let _ = decode(envelope.to_string().as_bytes(), Some(&key()));
        }
    }

    #[test]
    fn no_bit_flip_makes_the_decoder_panic(at in 0usize..200, bit in 0u8..8) {
        let mut bytes = answer("b2_job").body().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let _ = decode(&bytes, None);
    }
}
