//! api.github.com and its like: snake_case JSON, one error body for all (protocol §1.2, §1.6).

mod error;
mod meta;
mod runners;
mod runs;
mod token;
mod versions;

pub use error::{RestError, RestErrorKind};
pub use meta::{Meta, Ranges, decode_meta, meta};
pub use runners::{
    Deletion, JitRequest, JitRunner, Page, Runner, RunnerGroup, decode_deletion, decode_jit, decode_runner,
    decode_runner_groups, decode_runners, delete_runner, generate_jit_config, get_runner, list_runner_groups,
    list_runners,
};
pub use runs::{
    Attempt, Conclusion, Rerun, Run, RunId, RunJob, RunStatus, RunStep, StepStatus, decode_force_cancel,
    decode_rerun, decode_run, decode_run_jobs, force_cancel, get_run, list_run_jobs, rerun_failed_jobs,
};
pub use token::{InstallationGrant, InstallationId, create_access_token, decode_access_token};
pub use versions::{VersionEnd, decode_runner_version_end, runner_version_end};

use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::limits::REST_BODY;
use crate::reply::{Reply, header, json};
use crate::request::Draft;

const ACCEPT: &str = "application/vnd.github+json";
const JSON: &str = "application/json";
const API_VERSION: HeaderName = HeaderName::from_static("x-github-api-version");

/// Rows asked for at a time: the most GitHub gives.
const PER_PAGE: &str = "100";

/// A call with the headers that every call has.
fn call(method: Method, url: Url) -> Draft {
    Draft::new(method, url, ACCEPT).header(API_VERSION, HeaderValue::from_static("2022-11-28"))
}

/// Asks for one page of a hundred.
fn paged(mut url: Url, page: u32) -> Url {
    url.query_pairs_mut().append_pair("per_page", PER_PAGE).append_pair("page", &page.to_string());
    url
}

/// The body of an answer with the one status that means success.
fn success<T: DeserializeOwned>(reply: &Reply, status: StatusCode) -> Result<T, RestError> {
    if reply.status() != status {
        return Err(RestError::of(reply));
    }
    json(reply.body(), REST_BODY).map_err(|error| RestError::malformed(reply, &error))
}

/// Whether a `Link` header names a next page. Only the fact is used, never the address.
fn has_next_page(reply: &Reply) -> bool {
    header(reply, "link").is_some_and(|links| {
        links.split(',').any(|link| {
            link.split(';').skip(1).any(|parameter| {
                let parameter = parameter.trim().replace(' ', "");
                parameter.eq_ignore_ascii_case("rel=\"next\"") || parameter.eq_ignore_ascii_case("rel=next")
            })
        })
    })
}

#[cfg(test)]
mod tests;
