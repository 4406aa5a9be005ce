//! R2 to R6: runner groups and runner records (protocol §2).

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::{JSON, RestError, RestErrorKind, call, has_next_page, paged, success};
use crate::id::RunnerId;
use crate::jit::{JitConfig, JitError};
use crate::reply::Reply;
use crate::request::{BuildError, Request};
use crate::secret::{InstallationToken, JitBlob};
use crate::url::{ApiBase, Scope};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its rows.
    pub items: Vec<T>,
    /// Whether another page follows.
    pub more: bool,
}

/// A group of runners in an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunnerGroup {
    /// What R3 wants.
    pub id: u64,
    /// What people write; compare without case.
    pub name: String,
    /// `false`: jobs of public repositories are silently never offered.
    #[serde(default)]
    pub allows_public_repositories: Option<bool>,
}

/// A runner record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Runner {
    /// The record.
    pub id: RunnerId,
    /// Unique in its scope.
    pub name: String,
    /// `online` or `offline`.
    #[serde(default)]
    pub status: String,
    /// It has a job that is not over.
    #[serde(default)]
    pub busy: bool,
}

/// What R3 asks for.
#[derive(Debug, Clone, Serialize)]
pub struct JitRequest<'a> {
    /// Unique in the scope, at most 64 characters.
    pub name: &'a str,
    /// 1 is the default group, and what a repository needs.
    pub runner_group_id: u64,
    /// Exactly the labels the runner will have.
    pub labels: &'a [String],
    /// Relative to the runner's root.
    pub work_folder: &'a str,
}

/// A record and the credentials to use it, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JitRunner {
    /// The record.
    pub runner: Runner,
    /// The credentials.
    pub blob: JitBlob,
}

impl JitRunner {
    /// What the credentials say. Decode them when they arrive: what cannot be read is a registration that
    /// failed, and no runner that died (protocol §2.3).
    ///
    /// # Errors
    /// [`JitError`] names the file that cannot be used and why.
    pub fn config(&self) -> Result<JitConfig, JitError> {
        JitConfig::decode(self.blob.expose(), Some(self.runner.id))
    }
}

/// How the deletion of a record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// Deleted, or not there.
    Gone,
    /// Its job is not over: the record stays until then.
    Busy,
}

#[derive(Deserialize)]
struct GroupsBody {
    runner_groups: Vec<RunnerGroup>,
}

#[derive(Deserialize)]
struct RunnersBody {
    runners: Vec<Runner>,
}

#[derive(Deserialize)]
struct JitBody {
    runner: Runner,
    encoded_jit_config: String,
}

/// R2: one page of an organisation's or enterprise's runner groups. A repository has none.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn list_runner_groups(
    api: &ApiBase,
    scope: &Scope,
    token: &InstallationToken,
    page: u32,
) -> Result<Request, BuildError> {
    let url = paged(api.scoped(scope, &["actions", "runner-groups"]), page);
    call(Method::GET, url).bearer(token).build()
}

/// Reads the answer to R2.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_runner_groups(reply: &Reply) -> Result<Page<RunnerGroup>, RestError> {
    let body: GroupsBody = success(reply, StatusCode::OK)?;
    Ok(Page { items: body.runner_groups, more: has_next_page(reply) })
}

/// R3: registers a runner that will run one job.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn generate_jit_config(
    api: &ApiBase,
    scope: &Scope,
    token: &InstallationToken,
    wanted: &JitRequest<'_>,
) -> Result<Request, BuildError> {
    let url = api.scoped(scope, &["actions", "runners", "generate-jitconfig"]);
    call(Method::POST, url).bearer(token).json(JSON, wanted).build()
}

/// Reads the answer to R3.
///
/// # Errors
/// [`RestError`], classified; [`RestErrorKind::Conflict`] means the name is taken.
pub fn decode_jit(reply: &Reply) -> Result<JitRunner, RestError> {
    let body: JitBody = success(reply, StatusCode::CREATED)?;
    Ok(JitRunner { runner: body.runner, blob: JitBlob::new(body.encoded_jit_config) })
}

/// R4: one page of runners. `name` narrows the list by rules GitHub does not tell: compare exactly.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn list_runners(
    api: &ApiBase,
    scope: &Scope,
    token: &InstallationToken,
    name: Option<&str>,
    page: u32,
) -> Result<Request, BuildError> {
    let mut url = api.scoped(scope, &["actions", "runners"]);
    if let Some(name) = name {
        url.query_pairs_mut().append_pair("name", name);
    }
    call(Method::GET, paged(url, page)).bearer(token).build()
}

/// Reads the answer to R4.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_runners(reply: &Reply) -> Result<Page<Runner>, RestError> {
    let body: RunnersBody = success(reply, StatusCode::OK)?;
    Ok(Page { items: body.runners, more: has_next_page(reply) })
}

/// R5: one runner.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn get_runner(
    api: &ApiBase,
    scope: &Scope,
    token: &InstallationToken,
    runner: RunnerId,
) -> Result<Request, BuildError> {
    let url = api.scoped(scope, &["actions", "runners", &runner.to_string()]);
    call(Method::GET, url).bearer(token).build()
}

/// Reads the answer to R5; `None` when there is no such record.
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_runner(reply: &Reply) -> Result<Option<Runner>, RestError> {
    match success(reply, StatusCode::OK) {
        Ok(runner) => Ok(Some(runner)),
        Err(error) if error.kind == RestErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// R6: deletes a runner.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn delete_runner(
    api: &ApiBase,
    scope: &Scope,
    token: &InstallationToken,
    runner: RunnerId,
) -> Result<Request, BuildError> {
    let url = api.scoped(scope, &["actions", "runners", &runner.to_string()]);
    call(Method::DELETE, url).bearer(token).build()
}

/// Reads the answer to R6. The text of the 422 differs between sources; all say "running".
///
/// # Errors
/// [`RestError`], classified.
pub fn decode_deletion(reply: &Reply) -> Result<Deletion, RestError> {
    if reply.status().is_success() {
        return Ok(Deletion::Gone);
    }
    let error = RestError::of(reply);
    match error.kind {
        RestErrorKind::NotFound => Ok(Deletion::Gone),
        RestErrorKind::Unprocessable if error.says("running") => Ok(Deletion::Busy),
        _ => Err(error),
    }
}
