//! An example, and what the client makes of it.

#[path = "../../fixtures/http/example.rs"]
#[expect(dead_code, reason = "the fake's tests look closer at the marks")]
mod reader;

use std::collections::BTreeMap;

use bytes::Bytes;
use github_proto::Reply;
use github_proto::request::{BuildError, Request};
use serde_json::Value;

pub use reader::names;
use reader::{Exchange, Half};

/// Makes a test of each example, by its name, and a list of the names.
macro_rules! examples {
    ($($name:ident($example:ident) $body:block)*) => {
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                let $example = crate::example::Example::read(stringify!($name));
                $body
            }
        )*
    };
}
pub(crate) use examples;

/// What whoever sends a request adds to it.
const OF_TRANSPORT: [&str; 3] = ["host", "user-agent", "content-length"];

pub struct Example(Exchange);

impl Example {
    pub fn read(name: &str) -> Self {
        Self(reader::as_described(name))
    }

    /// Our request is the example's: method, address, headers, and in JSON the same body.
    #[track_caller]
    pub fn asks(&self, ours: Result<Request, BuildError>) {
        assert_eq!(Asked::of(&ours.unwrap()), Asked::by(&self.0.request));
    }

    /// We put the same question in another way.
    #[track_caller]
    pub fn asks_otherwise(&self, ours: Result<Request, BuildError>) {
        assert_ne!(Asked::of(&ours.unwrap()), Asked::by(&self.0.request));
    }

    pub fn answer(&self) -> Reply {
        let answer = &self.0.answer;
        let mut reply = http::Response::builder().status(answer.status());
        for (name, value) in &answer.headers {
            reply = reply.header(name, value);
        }
        reply.body(Bytes::from(answer.body.clone())).unwrap()
    }
}

/// A request, as two of them are compared.
#[derive(Debug, PartialEq)]
struct Asked {
    line: String,
    host: String,
    headers: BTreeMap<String, String>,
    body: Content,
}

#[derive(Debug, PartialEq)]
enum Content {
    Json(Value),
    Text(String),
}

impl Asked {
    fn of(ours: &Request) -> Self {
        let address = ours.uri().path_and_query().unwrap();
        let headers = ours.headers().iter();
        Self {
            line: format!("{} {address} HTTP/1.1", ours.method()),
            host: ours.uri().host().unwrap().to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: Content::of(std::str::from_utf8(ours.body().as_bytes()).unwrap()),
        }
    }

    fn by(example: &Half) -> Self {
        let headers = example.headers.iter().filter(|(name, _)| !OF_TRANSPORT.contains(&name.as_str()));
        Self {
            line: example.first.clone(),
            host: example.header("host").unwrap().to_owned(),
            headers: headers.cloned().collect(),
            body: Content::of(&example.body),
        }
    }
}

impl Content {
    fn of(body: &str) -> Self {
        serde_json::from_str(body).map_or_else(|_| Self::Text(body.to_owned()), Self::Json)
    }
}
