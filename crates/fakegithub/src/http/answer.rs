//! Answers and refusals, and how they become HTTP responses.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use serde_json::Value;

use crate::fault::Fault;

/// A whole body, or one that breaks off.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// What a request is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer that says no, and what of the request broke the protocol.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    // Boxed, because a refusal is the error of every handler and an answer is large.
    pub(crate) answer: Box<Answer>,
    pub(crate) violation: Option<String>,
}

impl Refusal {
    /// The same refusal, recorded as a violation.
    pub(crate) fn violating(self, rule: impl Into<String>) -> Self {
        Self { violation: Some(rule.into()), ..self }
    }
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        Self { answer: Box::new(answer), violation: None }
    }
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::bytes(status, "application/json; charset=utf-8", Bytes::from(value.to_string()))
    }

    pub(crate) fn text(status: StatusCode, text: &str) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
    }

    pub(crate) fn bytes(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body }
    }

    /// The answer that a fault prescribes, if it does.
    pub(crate) fn of_fault(fault: &Fault) -> Option<Self> {
        let status = StatusCode::from_u16(fault.status?).ok()?;
        let mut answer = match &fault.body {
            None => Self::empty(status),
            Some(Value::String(text)) => Self::text(status, text),
            Some(value) => Self::json(status, value),
        };
        for (name, value) in &fault.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                answer.headers.insert(name, value);
            }
        }
        Some(answer)
    }

    /// The same answer with a header; a value that cannot be one is left out.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Puts a byte order mark before a JSON body, as .NET services do.
    pub(crate) fn mark_byte_order(&mut self) {
        let json =
            self.headers.get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"application/json"));
        if json && !self.body.is_empty() && !self.body.starts_with(b"\xef\xbb\xbf") {
            self.body = [b"\xef\xbb\xbf", self.body.as_ref()].concat().into();
        }
    }

    /// Adds what every answer has: an id to search for, and the time by the server's clock.
    pub(crate) fn stamp(&mut self, seq: u64, now: Timestamp) {
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = HeaderValue::try_from(date) {
            self.headers.insert(DATE, date);
        }
        if let Ok(id) = HeaderValue::try_from(format!("FAKE:{seq:08X}")) {
            self.headers.insert(HeaderName::from_static("x-github-request-id"), id);
        }
    }

    fn response(&self, body: AnswerBody) -> Response<AnswerBody> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }

    fn with_length(&self, body: AnswerBody) -> Response<AnswerBody> {
        let mut response = self.response(body);
        let bodiless = self.status == StatusCode::NO_CONTENT || self.status == StatusCode::NOT_MODIFIED;
        if !bodiless {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        response
    }

    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let body = Full::new(self.body.clone()).map_err(|never| match never {}).boxed_unsync();
        self.with_length(body)
    }

    /// The same without a length: hyper sends it in chunks.
    pub(crate) fn into_chunked(self) -> Response<AnswerBody> {
        if self.body.is_empty() {
            return self.into_response();
        }
        let (head, tail) = (self.body.slice(..1), self.body.slice(1..));
        let frames = [head, tail].map(|piece| Ok(Frame::data(piece)));
        self.response(StreamBody::new(futures::stream::iter(frames)).boxed_unsync())
    }

    /// The headers of the whole answer, then half of its body and a broken connection.
    pub(crate) fn into_truncated(self) -> Response<AnswerBody> {
        let half = self.body.slice(..self.body.len() / 2);
        let frames = [Ok(Frame::data(half)), Err(std::io::Error::other("truncated on purpose"))];
        self.with_length(StreamBody::new(futures::stream::iter(frames)).boxed_unsync())
    }
}
