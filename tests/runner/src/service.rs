//! Calls of the worker to GitHub's services, with the job's token.

use std::sync::Arc;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::Serialize;
use uuid::Uuid;

use crate::complete::{self, Completion};
use crate::http::{Http, Reply};

/// Who calls.
pub struct Caller {
    http: Arc<Http>,
    token: String,
    session: String,
}

impl Caller {
    /// A caller with this token, in a session of its own.
    pub fn new(http: Arc<Http>, token: &str) -> Caller {
        Caller { http, token: token.to_owned(), session: Uuid::new_v4().to_string() }
    }

    /// The session, which is the process's.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Posts JSON.
    pub async fn post(&self, base: &str, path: &str, body: &impl Serialize) -> anyhow::Result<Reply> {
        let request = Request::post(join(base, path))
            .header(ACCEPT, "application/json")
            .header("x-actions-session", &self.session)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
        self.http.send(request).await
    }

    /// Says how the job ended (protocol §5.4).
    pub async fn complete(&self, run_service: &str, body: &Completion) -> anyhow::Result<()> {
        complete::deliver(async || self.post(run_service, "completejob", body).await).await
    }
}

/// Bases come with and without a slash at the end (protocol §0.6).
fn join(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}
