//! Reads the fixtures: HTTP exchanges as they stand in the protocol's description.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::reply::Reply;
use crate::request::Request;
use crate::rsa::RsaKey;

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

/// One exchange of a fixture.
pub(crate) struct Exchange {
    method: Method,
    target: String,
    host: String,
    headers: Vec<(String, String)>,
    body: String,
    pub(crate) reply: Reply,
}

/// Reads `fixtures/{name}.http`.
pub(crate) fn exchange(name: &str) -> Exchange {
    let text = read(&format!("{name}.http"));
    let answer = text.find("HTTP/1.1 ").filter(|&at| text[..at].is_empty() || text[..at].ends_with('\n'));
    let answer = answer.or_else(|| text.find("\nHTTP/1.1 ").map(|at| at + 1));
    let (request, answer) = text.split_at(answer.unwrap());
    let (method, target, headers, body) = if request.trim().is_empty() {
        (Method::GET, String::new(), Vec::new(), String::new())
    } else {
        let (line, headers, body) = split(request);
        let mut words = line.split(' ');
        let method = words.next().unwrap().parse().unwrap();
        (method, words.next().unwrap().to_owned(), headers, body)
    };
    let host = headers.iter().find(|(name, _)| name == "host").map(|(_, host)| host.clone());
    Exchange { method, target, host: host.unwrap_or_default(), headers, body, reply: parse_reply(answer) }
}

fn parse_reply(text: &str) -> Reply {
    let (line, headers, body) = split(text);
    let status: u16 = line.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if body.trim() == "(job_message.json)" { read("job_message.json") } else { body };
    let mut reply = http::Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        reply = reply.header(name, value);
    }
    reply.body(Bytes::from(body)).unwrap()
}

fn split(text: &str) -> (String, Vec<(String, String)>, String) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    (line, headers, body.trim_end_matches('\n').to_owned())
}

impl Exchange {
    /// The fixture's request asks for the same as ours: method, address, the headers both have an
    /// opinion on, and in the body at least what ours says.
    #[track_caller]
    pub(crate) fn asks_for(&self, ours: &Request) {
        assert_eq!(self.method, *ours.method());
        assert_eq!(self.target, ours.uri().path_and_query().unwrap().as_str());
        if !self.host.is_empty() {
            assert_eq!(self.host, ours.uri().host().unwrap());
        }
        for (name, value) in &self.headers {
            if let (Some(ours), true) = (ours.headers().get(name), name != "x-github-api-version") {
                assert_eq!(value, ours.to_str().unwrap(), "header {name}");
            }
        }
        for name in ["authorization", "content-type"] {
            let theirs = self.headers.iter().any(|(it, _)| it == name);
            // A body we leave out needs no type.
            if name == "authorization" || !ours.body().as_bytes().is_empty() {
                assert_eq!(theirs, ours.headers().contains_key(name), "presence of {name}");
            }
        }
        let body = std::str::from_utf8(ours.body().as_bytes()).unwrap();
        match serde_json::from_str::<Value>(body) {
            Ok(ours) => contains(&serde_json::from_str(&self.body).unwrap(), &ours, "body"),
            Err(_) if body.is_empty() => {}
            Err(_) => assert_eq!(self.body, body),
        }
    }
}

#[track_caller]
fn contains(theirs: &Value, ours: &Value, path: &str) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (key, value) in ours {
                let theirs = theirs.get(key).unwrap_or_else(|| panic!("{path}.{key} is not in the fixture"));
                contains(theirs, value, &format!("{path}.{key}"));
            }
        }
        _ => assert_eq!(theirs, ours, "{path}"),
    }
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
