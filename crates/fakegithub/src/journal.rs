//! What was asked of the server, and what of it broke the protocol. Token values are never kept.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

/// Requests and violations that are remembered. A bound for long runs: a test asks for far fewer.
const REMEMBERED: usize = 100_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Counts requests from 1.
    pub seq: u64,
    /// When it arrived, by the server's clock.
    pub time: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path as it was sent; a signature in the query is not kept.
    pub path: String,
    /// The names of the query parameters.
    pub query: Vec<String>,
    /// The endpoint's id in the protocol's index, such as `X2`; none when the route is unknown.
    pub endpoint: Option<&'static str>,
    /// Which kind of token it carried: `none`, `unknown`, `app-jwt`, `installation`, `runner`, `job`…
    pub token: &'static str,
    /// The runner whose token it was.
    pub agent: Option<String>,
    /// The account that it is about: the owner in its path, or of the installation, runner or job whose token it was.
    pub account: Option<String>,
    /// The names of its headers.
    pub headers: Vec<String>,
    /// SHA-256 of the body, in hex.
    pub body_sha256: String,
    /// The body's length.
    pub body_bytes: usize,
    /// What it was answered; none while it waits, and when the answer was withheld.
    pub status: Option<u16>,
    /// When that answer was handed to the connection, by the server's clock.
    pub answered: Option<Timestamp>,
}

/// Something that the protocol does not allow.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Counts violations from 1.
    pub seq: u64,
    /// The `seq` of the request.
    pub request: u64,
    /// When it happened.
    pub time: Timestamp,
    /// Method and path of the request.
    pub call: String,
    /// The endpoint's id; none when the route is unknown.
    pub endpoint: Option<&'static str>,
    /// What is wrong.
    pub rule: String,
}

/// The record of a server.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    requests: VecDeque<Request>,
    violations: VecDeque<Violation>,
    requests_seen: u64,
    violations_seen: u64,
}

impl Journal {
    /// Notes a request that has arrived. Returns its number.
    pub(crate) fn open(&mut self, mut request: Request) -> u64 {
        self.requests_seen += 1;
        request.seq = self.requests_seen;
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
        self.requests_seen
    }

    /// Notes what a request was answered.
    pub(crate) fn close(&mut self, seq: u64, status: u16, now: Timestamp) {
        let first = self.requests.front().map_or(0, |request| request.seq);
        let index = seq.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(request) = index.and_then(|index| self.requests.get_mut(index)) {
            request.status = Some(status);
            request.answered = Some(now);
        }
    }

    /// Notes a violation by a request.
    pub(crate) fn violate(&mut self, seq: u64, time: Timestamp, rule: String) {
        let request = self.requests.iter().rev().find(|request| request.seq == seq);
        self.violations_seen += 1;
        let violation = Violation {
            seq: self.violations_seen,
            request: seq,
            time,
            call: request.map(|request| format!("{} {}", request.method, request.path)).unwrap_or_default(),
            endpoint: request.and_then(|request| request.endpoint),
            rule,
        };
        if self.violations.len() == REMEMBERED {
            self.violations.pop_front();
        }
        self.violations.push_back(violation);
    }

    /// The requests after number `since`.
    pub(crate) fn requests(&self, since: u64) -> Vec<Request> {
        self.requests.iter().filter(|request| request.seq > since).cloned().collect()
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.violations.iter().cloned().collect()
    }

    pub(crate) fn clear_violations(&mut self) {
        self.violations.clear();
    }

    /// Requests and violations so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.requests_seen, self.violations_seen)
    }
}
