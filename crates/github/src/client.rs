//! HTTP to GitHub: TLS on every hop, a `User-Agent` on every request, a deadline on every wait and a
//! bound on every body.

mod body;
mod connect;
mod error;
mod redirect;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use github_proto::request::Request;
use http::header::USER_AGENT;
use http::{HeaderValue, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

pub use connect::{ClientConfig, ClientError, Proxy};
pub use error::Error;

use crate::timeouts::Timeouts;
use body::{Started, Tracked};
use connect::Pools;

/// What one request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// Until the response's headers are there, connecting included.
    pub headers: Duration,
    /// Until the whole body is there; also bounds the headers.
    pub total: Option<Duration>,
    /// How many bytes of body are read.
    pub max_body: usize,
    /// Over which connections.
    pub lane: Lane,
}

/// Which connections a request goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Short calls: HTTP/2 where the server speaks it.
    Calls,
    /// Long polls: an HTTP/1.1 connection each. On one HTTP/2 connection the server's limit of streams
    /// would hold back the polls beyond it for as long as the others wait.
    Polls,
}

impl Deadline {
    /// A short call.
    pub fn call(timeouts: &Timeouts, max_body: usize) -> Self {
        Self { headers: timeouts.call_headers, total: Some(timeouts.call_total), max_body, lane: Lane::Calls }
    }

    /// A call whose answer may take all of `total`.
    pub fn within(total: Duration, max_body: usize) -> Self {
        Self { headers: total, total: Some(total), max_body, lane: Lane::Calls }
    }

    /// A poll: bounded until its headers come; its body is small, and bounded as a call's.
    pub fn poll(timeouts: &Timeouts, max_body: usize) -> Self {
        Self {
            headers: timeouts.poll_headers,
            total: Some(timeouts.poll_headers + timeouts.call_total),
            max_body,
            lane: Lane::Polls,
        }
    }
}

/// Sends requests. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    pools: Pools,
    user_agent: HeaderValue,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("user_agent", &self.0.user_agent).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client; connects to nothing yet.
    ///
    /// # Errors
    /// [`ClientError`] when the user agent or the proxy's address cannot be used.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let user_agent = HeaderValue::from_str(&config.user_agent).map_err(|_| ClientError::UserAgent)?;
        Ok(Self(Arc::new(Inner { pools: Pools::new(config)?, user_agent })))
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`Error`] says which step failed and whether the server may have seen the request.
    pub async fn send(&self, request: Request, deadline: Deadline) -> Result<Response<Bytes>, Error> {
        let started = Started::default();
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(USER_AGENT, self.0.user_agent.clone());
        let request = http::Request::from_parts(parts, Tracked::new(body.into_bytes(), &started));

        let begin = Instant::now();
        let total = begin + deadline.total.unwrap_or(deadline.headers);
        let headers = (begin + deadline.headers).min(total);
        let answer = timeout_at(headers, self.0.pools.request(request, deadline.lane));
        let response = match answer.await {
            Err(_) => return Err(Error::NoAnswer { after: begin.elapsed(), sent: started.get() }),
            Ok(Err(error)) => return Err(Error::transport(&error, started.get())),
            Ok(Ok(response)) => response,
        };
        match timeout_at(total, collect(response, deadline.max_body)).await {
            Err(_) => Err(Error::SlowBody { after: begin.elapsed() }),
            Ok(answer) => answer,
        }
    }

    /// As [`Client::send`], but goes where redirects point (protocol §0.5).
    ///
    /// # Errors
    /// As [`Client::send`], and when there are too many redirects.
    pub async fn send_following(
        &self,
        request: Request,
        deadline: Deadline,
    ) -> Result<Response<Bytes>, Error> {
        let mut request = request;
        for _ in 0..=redirect::LIMIT {
            let copy = duplicate(&request);
            let response = self.send(request, deadline).await?;
            match redirect::next(&copy, &response)? {
                None => return Ok(response),
                Some(next) => request = next,
            }
        }
        Err(Error::Redirect("too many redirects"))
    }
}

async fn collect(response: Response<Incoming>, limit: usize) -> Result<Response<Bytes>, Error> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Error::TooLong { limit } } else { Error::body(&*error) }
    })?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

fn duplicate(request: &Request) -> Request {
    let mut copy = http::Request::new(request.body().clone());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}

#[cfg(test)]
mod tests;
