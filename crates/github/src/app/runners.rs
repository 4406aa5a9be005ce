//! Runner groups, runner records, and what versions of the runner are served: R2 to R6, R9.

use github_proto::RunnerId;
use github_proto::rest::{
    self, Deletion, JitRequest, JitRunner, RestErrorKind, Runner, RunnerGroup, VersionEnd,
};

use super::{App, AppError};

/// How an attempt to register ended. What to do about a taken name is the caller's to decide: only it
/// knows which names are its own (protocol §2.7).
#[derive(Debug)]
pub enum Registration {
    /// A record and its credentials.
    Registered(JitRunner),
    /// The name is taken.
    NameTaken,
}

impl App {
    /// R3: registers a runner for one job. Whether its credentials can be read, [`JitRunner::config`] tells.
    ///
    /// # Errors
    /// [`AppError`]; a name that is taken is no error.
    pub async fn register(&self, wanted: &JitRequest<'_>) -> Result<Registration, AppError> {
        let api = &self.target.api;
        let scope = &self.target.scope;
        let call = self.call(|token| rest::generate_jit_config(api, scope, token, wanted), rest::decode_jit);
        match call.await {
            Ok(runner) => Ok(Registration::Registered(runner)),
            Err(error) if error.kind() == Some(RestErrorKind::Conflict) => Ok(Registration::NameTaken),
            Err(error) => Err(error),
        }
    }

    /// R4: the runner of exactly this name. `None` may also mean that the list lags behind, or that
    /// the name is held where we cannot see it.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn find_runner(&self, name: &str) -> Result<Option<Runner>, AppError> {
        let runners = self.list_runners(Some(name)).await?;
        Ok(runners.into_iter().find(|runner| runner.name == name))
    }

    /// R4: all runners of the scope, or those that GitHub thinks match a name.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_runners(&self, name: Option<&str>) -> Result<Vec<Runner>, AppError> {
        let api = &self.target.api;
        let scope = &self.target.scope;
        self.all(|token, page| rest::list_runners(api, scope, token, name, page), rest::decode_runners).await
    }

    /// R5: one runner, if it is there.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn runner(&self, id: RunnerId) -> Result<Option<Runner>, AppError> {
        let api = &self.target.api;
        let scope = &self.target.scope;
        self.call(|token| rest::get_runner(api, scope, token, id), rest::decode_runner).await
    }

    /// R6: deletes a runner.
    ///
    /// # Errors
    /// [`AppError`]; a runner that does not exist, or is busy, is no error.
    pub async fn delete_runner(&self, id: RunnerId) -> Result<Deletion, AppError> {
        let api = &self.target.api;
        let scope = &self.target.scope;
        self.call(|token| rest::delete_runner(api, scope, token, id), rest::decode_deletion).await
    }

    /// R9: until when GitHub gives jobs to runners of this version.
    ///
    /// # Errors
    /// [`AppError`]; a version that GitHub does not know is no error.
    pub async fn runner_version_end(&self, version: &str) -> Result<VersionEnd, AppError> {
        let api = &self.target.api;
        let scope = &self.target.scope;
        self.call(
            |token| rest::runner_version_end(api, scope, token, version),
            rest::decode_runner_version_end,
        )
        .await
    }

    /// R2: all runner groups of an organisation or enterprise.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn runner_groups(&self) -> Result<Vec<RunnerGroup>, AppError> {
        let api = &self.target.api;
        let scope = &self.target.scope;
        self.all(|token, page| rest::list_runner_groups(api, scope, token, page), rest::decode_runner_groups)
            .await
    }
}
