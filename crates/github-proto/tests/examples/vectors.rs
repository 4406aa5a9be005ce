//! The test vectors of protocol, appendix B. The frames of the worker's pipe are tested where they are written.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use github_proto::JobId;
use github_proto::message::{JobCancellation, Message, MessageKey, decode};
use serde_json::{Value, json};

use crate::example::Example;

#[test]
fn the_counting_key_opens_the_encrypted_cancellation() {
    let key: Vec<u8> = (0..32).collect();
    let envelope = Example::read("v2_message").answer().into_body();
    let cancellation = JobCancellation {
        job_id: JobId::parse("10b00000-0000-4000-8000-00000000fa4e").unwrap(),
        timeout: Duration::from_secs(300),
    };
    let opened = decode(&envelope, MessageKey::new(&key).as_ref());
    assert_eq!(opened, Ok(Message::JobCancellation(cancellation)));
}

/// No code of ours reads an admin token; the examples that carry one must carry this one.
#[test]
fn the_unsigned_admin_token_expires_when_the_vector_says() {
    let answer: Value = serde_json::from_slice(Example::read("r7_s1_connect").answer().body()).unwrap();
    let token = answer["token"].as_str().unwrap();
    assert_eq!(token, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJleHAiOjE3ODgyNTc4MjB9.FAKE");
    let part = |index: usize| -> Value {
        let part = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(part(0), json!({"alg": "none", "typ": "JWT"}));
    let expires = "2026-09-01T10:17:00Z".parse::<jiff::Timestamp>().unwrap();
    assert_eq!(part(1), json!({"exp": expires.as_second()}));
}
