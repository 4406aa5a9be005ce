//! R9: how long GitHub gives jobs to a runner of some version (protocol §2.9).

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::{RestError, RestErrorKind, call, success};
use crate::reply::Reply;
use crate::request::{BuildError, Request};
use crate::secret::InstallationToken;
use crate::url::{ApiBase, Scope};

/// Until when a runner version is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionEnd {
    /// GitHub does not know the version, or, as GitHub Enterprise Server, does not answer such questions.
    Unknown,
    /// The newest release: no end is set yet.
    Newest,
    /// From then on a runner that reports this version gets no jobs.
    At(Timestamp),
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    runtime_deprecates_at: Option<Timestamp>,
}

/// R9: asks about a version.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn runner_version_end(
    api: &ApiBase,
    scope: &Scope,
    token: &InstallationToken,
    version: &str,
) -> Result<Request, BuildError> {
    let url = api.scoped(scope, &["actions", "runners", "deprecations", version]);
    call(Method::GET, url).bearer(token).build()
}

/// Reads the answer to R9.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_runner_version_end(reply: &Reply) -> Result<VersionEnd, RestError> {
    match success(reply, StatusCode::OK) {
        Ok(Body { runtime_deprecates_at }) => {
            Ok(runtime_deprecates_at.map_or(VersionEnd::Newest, VersionEnd::At))
        }
        Err(error) if error.kind == RestErrorKind::NotFound => Ok(VersionEnd::Unknown),
        Err(error) => Err(error),
    }
}
