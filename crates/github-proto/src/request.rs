//! What all requests have in common. `User-Agent` is not set here: whoever sends adds its own.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use url::Url;

use crate::secret::Bearer;

/// A request ready to be sent. Its `Debug` shows neither token nor body.
pub type Request = http::Request<Body>;

/// A request's body. `Debug` shows its length only: some bodies are secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(Bytes);

impl Body {
    /// The bytes to send.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

/// The request cannot be put on the wire. Not a matter of GitHub's answer: trying again is useless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The address is one that HTTP cannot carry.
    #[error("the URL is invalid")]
    Address,
    /// The token has characters that a header cannot carry.
    #[error("the token has characters that are not allowed in a header")]
    Token,
    /// The body could not be written as JSON.
    #[error("the request body cannot be serialized")]
    Body,
}

/// Puts a request together: one of the few places that knows `http`'s builder.
pub(crate) struct Draft {
    method: Method,
    url: Url,
    authorization: Option<Option<HeaderValue>>,
    accept: &'static str,
    content_type: Option<&'static str>,
    body: Result<Vec<u8>, BuildError>,
    headers: Vec<(http::HeaderName, HeaderValue)>,
}

impl Draft {
    pub(crate) fn new(method: Method, url: Url, accept: &'static str) -> Self {
        Self {
            method,
            url,
            authorization: None,
            accept,
            content_type: None,
            body: Ok(Vec::new()),
            headers: Vec::new(),
        }
    }

    pub(crate) fn bearer(mut self, token: &impl Bearer) -> Self {
        self.authorization = Some(token.header());
        self
    }

    pub(crate) fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn json(mut self, content_type: &'static str, body: &impl serde::Serialize) -> Self {
        self.content_type = Some(content_type);
        self.body = serde_json::to_vec(body).map_err(|_| BuildError::Body);
        self
    }

    pub(crate) fn bytes(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        self.content_type = Some(content_type);
        self.body = Ok(body);
        self
    }

    pub(crate) fn build(self) -> Result<Request, BuildError> {
        let mut request =
            http::Request::builder().method(self.method).uri(self.url.as_str()).header(ACCEPT, self.accept);
        if let Some(value) = self.authorization {
            request = request.header(AUTHORIZATION, value.ok_or(BuildError::Token)?);
        }
        if let Some(value) = self.content_type {
            request = request.header(CONTENT_TYPE, value);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Body::from(self.body?)).map_err(|_| BuildError::Address)
    }
}
