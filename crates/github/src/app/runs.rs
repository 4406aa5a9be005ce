//! Workflow runs: J1, J4, J5, J8.

use github_proto::rest::{self, Attempt, Rerun, Run, RunId, RunJob};
use github_proto::url::Repository;

use super::{App, AppError};

impl App {
    /// J1: queues the failed jobs of a run once more.
    ///
    /// # Errors
    /// [`AppError`]; GitHub's two ways to say "not now" and "never" are none.
    pub async fn rerun_failed_jobs(&self, repository: &Repository, run: RunId) -> Result<Rerun, AppError> {
        let api = &self.target.api;
        self.call(|token| rest::rerun_failed_jobs(api, repository, run, token), rest::decode_rerun).await
    }

    /// J4: a run, at one attempt or at its latest, if it is there.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn run(
        &self,
        repository: &Repository,
        run: RunId,
        attempt: Option<Attempt>,
    ) -> Result<Option<Run>, AppError> {
        let api = &self.target.api;
        self.call(|token| rest::get_run(api, repository, run, attempt, token), rest::decode_run).await
    }

    /// J5: the jobs of one attempt.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn run_jobs(
        &self,
        repository: &Repository,
        run: RunId,
        attempt: Attempt,
    ) -> Result<Vec<RunJob>, AppError> {
        let api = &self.target.api;
        self.all(
            |token, page| rest::list_run_jobs(api, repository, run, attempt, token, page),
            rest::decode_run_jobs,
        )
        .await
    }

    /// J8: ends a run at once. A run that is over already is fine.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn force_cancel(&self, repository: &Repository, run: RunId) -> Result<(), AppError> {
        let api = &self.target.api;
        self.call(|token| rest::force_cancel(api, repository, run, token), rest::decode_force_cancel).await
    }
}
