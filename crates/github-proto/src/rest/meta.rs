//! M1: the address ranges GitHub publishes (protocol §8).

use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;

use super::{RestError, call};
use crate::limits::META_BODY;
use crate::reply::{Reply, json};
use crate::request::{BuildError, Request};
use crate::url::ApiBase;

/// The answer to M1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meta {
    /// What we know is still so.
    NotModified,
    /// New ranges.
    Ranges {
        /// To send with the next question.
        etag: Option<HeaderValue>,
        /// Address blocks by use.
        ranges: Ranges,
    },
}

/// Address blocks in CIDR form, unchecked and in no order. `None` means unknown, not empty: GitHub
/// Enterprise Server publishes none of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Ranges {
    /// The Actions service and hosted runners.
    pub actions: Option<Vec<String>>,
    /// The REST API.
    pub api: Option<Vec<String>>,
    /// The web and git over HTTPS.
    pub web: Option<Vec<String>>,
    /// Git.
    pub git: Option<Vec<String>>,
    /// Packages.
    pub packages: Option<Vec<String>>,
}

/// M1, without authentication. With `etag` an unchanged answer costs nothing.
///
/// # Errors
/// [`BuildError`] when the base cannot be requested.
pub fn meta(api: &ApiBase, etag: Option<&HeaderValue>) -> Result<Request, BuildError> {
    let mut draft = call(Method::GET, api.join(&["meta"]));
    if let Some(etag) = etag {
        draft = draft.header(IF_NONE_MATCH, etag.clone());
    }
    draft.build()
}

/// Reads the answer to M1.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_meta(reply: &Reply) -> Result<Meta, RestError> {
    match reply.status() {
        StatusCode::NOT_MODIFIED => Ok(Meta::NotModified),
        StatusCode::OK => Ok(Meta::Ranges {
            etag: reply.headers().get(ETAG).cloned(),
            ranges: json(reply.body(), META_BODY).map_err(|error| RestError::malformed(reply, &error))?,
        }),
        _ => Err(RestError::of(reply)),
    }
}
