//! Blobs, in the two dialects of the official worker (protocol §5.7): Azure's SDK, and the worker's own client.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH, USER_AGENT};
use hyper::http::request::Builder;
use hyper::{Request, StatusCode};
use tokio::time::sleep;
use uuid::Uuid;

use crate::http::Http;

/// The SDK's name and API version.
const SDK: &str = "azsdk-net-Storage.Blobs/12.27.0 (.NET 10.0.0; Linux)";
const SDK_VERSION: &str = "2026-10-06";

/// The SDK tries again what may pass, a little later each time.
const RETRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(800);
const PASSING: [u16; 6] = [408, 429, 500, 502, 503, 504];

const BLOB_TYPE: &str = "x-ms-blob-type";
const BLOCK_BLOB: &str = "BlockBlob";
const APPEND_BLOB: &str = "AppendBlob";
const BLOB_CONTENT_TYPE: &str = "x-ms-blob-content-type";
const SEALED: &str = "x-ms-blob-sealed";
const SESSION: &str = "x-actions-session";
const TEXT: &str = "text/plain";

/// The way to the store.
pub struct Blobs {
    http: Arc<Http>,
    dialect: Dialect,
}

/// Who speaks to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Azure's SDK: variable `system.github.results_upload_with_sdk`.
    Sdk,
    /// The worker's own client, which names its session.
    Raw(String),
}

impl Blobs {
    /// A way in this dialect.
    pub fn new(http: Arc<Http>, dialect: Dialect) -> Blobs {
        Blobs { http, dialect }
    }

    /// Writes a block of a log: the only one as a whole, others to a blob that grows.
    pub async fn log(&self, url: &str, content: Vec<u8>, first: bool, last: bool) -> anyhow::Result<()> {
        match (&self.dialect, first && last) {
            (Dialect::Sdk, true) => self.sdk_put(url, content, &[(BLOB_CONTENT_TYPE, TEXT)]).await,
            (Dialect::Sdk, false) => self.sdk_append(url, content, first, last).await,
            (Dialect::Raw(_), true) => {
                let headers = [(BLOB_TYPE, BLOCK_BLOB), (CONTENT_TYPE.as_str(), TEXT)];
                self.raw(url.to_owned(), content, &headers).await
            }
            (Dialect::Raw(_), false) => self.raw_append(url, content, first, last).await,
        }
    }

    /// Writes a file that is no log.
    pub async fn whole(&self, url: &str, content: Vec<u8>) -> anyhow::Result<()> {
        match self.dialect {
            Dialect::Sdk => self.sdk_put(url, content, &[]).await,
            Dialect::Raw(_) => self.raw(url.to_owned(), content, &[(BLOB_TYPE, BLOCK_BLOB)]).await,
        }
    }

    async fn sdk_put(&self, url: &str, content: Vec<u8>, more: &[(&str, &str)]) -> anyhow::Result<()> {
        let headers = [&[(BLOB_TYPE, BLOCK_BLOB)], more, &[(IF_NONE_MATCH.as_str(), "*")]].concat();
        self.sdk(url, &headers, Some(content), StatusCode::CREATED).await
    }

    async fn sdk_append(&self, url: &str, content: Vec<u8>, first: bool, last: bool) -> anyhow::Result<()> {
        if first {
            let headers =
                [(BLOB_TYPE, APPEND_BLOB), (BLOB_CONTENT_TYPE, TEXT), (IF_NONE_MATCH.as_str(), "*")];
            self.sdk(url, &headers, None, StatusCode::CREATED).await?;
        }
        self.sdk(&with_first(url, "comp=appendblock"), &[], Some(content), StatusCode::CREATED).await?;
        if last {
            self.sdk(&with_first(url, "comp=seal"), &[], None, StatusCode::OK).await?;
        }
        Ok(())
    }

    /// One operation of the SDK, which takes exactly one status for success.
    async fn sdk(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        content: Option<Vec<u8>>,
        expected: StatusCode,
    ) -> anyhow::Result<()> {
        let (id, content) = (Uuid::new_v4().to_string(), content.map(Bytes::from));
        let mut pause = FIRST_PAUSE;
        for attempt in 0..=RETRIES {
            let mut request = Request::put(url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request = request
                .header("x-ms-version", SDK_VERSION)
                .header(ACCEPT, "application/xml")
                .header("x-ms-client-request-id", &id)
                .header("x-ms-return-client-request-id", "true")
                .header(USER_AGENT, SDK);
            if content.is_some() {
                request = request.header(CONTENT_TYPE, "application/octet-stream");
            }
            let reply = self.http.send(whole(request, content.clone().unwrap_or_default())?).await;
            match reply {
                Ok(reply) if reply.status == expected => return Ok(()),
                Ok(reply) if attempt == RETRIES || !PASSING.contains(&reply.status.as_u16()) => {
                    bail!("the store answers {}: {}", reply.status, String::from_utf8_lossy(&reply.body));
                }
                Err(error) if attempt == RETRIES => return Err(error),
                _ => sleep(pause).await,
            }
            pause *= 2;
        }
        Ok(())
    }

    /// The official worker's own client adds `Content-Type` twice to the creation of an append blob and throws before
    /// it sends it; later blocks then find no blob. The log is lost.
    async fn raw_append(&self, url: &str, content: Vec<u8>, first: bool, last: bool) -> anyhow::Result<()> {
        ensure!(!first, "Cannot add value because header 'Content-Type' does not support multiple values.");
        let (query, sealed) =
            if last { ("comp=appendblock&seal=true", "True") } else { ("comp=appendblock", "False") };
        self.raw(with_last(url, query), content, &[(SEALED, sealed)]).await
    }

    async fn raw(&self, url: String, content: Vec<u8>, headers: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut request = Request::put(url);
        if let Dialect::Raw(session) = &self.dialect {
            request = request.header(SESSION, session);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.http.send(whole(request, content.into())?).await?.success().map(drop)
    }
}

/// hyper leaves the length out when there is no body, Azure does not take that.
fn whole(request: Builder, content: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
    Ok(request.header(CONTENT_LENGTH, content.len()).body(Full::new(content))?)
}

/// The SDK puts its parameters before those of the signature.
fn with_first(url: &str, parameter: &str) -> String {
    match url.split_once('?') {
        Some((path, query)) => format!("{path}?{parameter}&{query}"),
        None => format!("{url}?{parameter}"),
    }
}

fn with_last(url: &str, parameter: &str) -> String {
    format!("{url}{}{parameter}", if url.contains('?') { '&' } else { '?' })
}
