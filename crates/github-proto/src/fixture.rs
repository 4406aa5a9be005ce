//! Reads the fixtures, for unit tests.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::reply::Reply;
use crate::rsa::RsaKey;

#[path = "../fixtures/http/example.rs"]
#[expect(dead_code, reason = "requests are looked at by the target `examples`")]
mod example;

pub(crate) fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The key that guards nothing.
pub(crate) fn key() -> RsaKey {
    RsaKey::from_pem(read("FAKE_key_pkcs1.pem").as_bytes()).unwrap()
}

/// The JIT files of the fixture, as one object.
pub(crate) fn jit_files() -> serde_json::Map<String, Value> {
    serde_json::from_str(&read("FAKE_jit_files.json")).unwrap()
}

/// A JIT blob from files.
pub(crate) fn blob(files: &serde_json::Map<String, Value>) -> String {
    let encoded: serde_json::Map<String, Value> =
        files.iter().map(|(name, file)| (name.clone(), STANDARD.encode(file.to_string()).into())).collect();
    STANDARD.encode(Value::Object(encoded).to_string())
}

/// An answer made up on the spot.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut reply = http::Response::builder().status(status);
    for (name, value) in headers {
        reply = reply.header(*name, *value);
    }
    reply.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// The answer of an example in `fixtures/http`, as it stands in the protocol's description.
pub(crate) fn answer(name: &str) -> Reply {
    let answer = example::as_described(name).answer;
    let mut reply = http::Response::builder().status(answer.status());
    for (name, value) in &answer.headers {
        reply = reply.header(name, value);
    }
    reply.body(Bytes::from(answer.body)).unwrap()
}

/// The job message of the examples.
pub(crate) fn job_message() -> Bytes {
    answer("x1_acquire").into_body()
}

/// The same JSON with the case of its keys changed, as `choose` says for each letter.
pub(crate) fn recase(value: &Value, choose: &mut impl FnMut() -> bool) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| {
                    let key =
                        key.chars()
                            .map(|letter| {
                                if choose() {
                                    letter.to_ascii_uppercase()
                                } else {
                                    letter.to_ascii_lowercase()
                                }
                            })
                            .collect();
                    (key, recase(value, choose))
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(|item| recase(item, choose)).collect()),
        other => other.clone(),
    }
}
