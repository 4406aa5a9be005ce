//! GitHub as the parts of this program see it, bundled once.

use github::{App, Client, RunnerAuth, Timeouts};
use github_proto::JitBlob;
use github_proto::broker::{Architecture, RunnerStatus};
use github_proto::jit::{JitConfig, JitError};
use runtime::clock::Clock;
use std::sync::Arc;

use crate::versions::Versions;

/// What every call to GitHub takes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GitHub {
    /// Connections.
    pub client: Client,
    /// REST calls with the installation's token.
    pub app: App,
    /// Time of day, and chance.
    pub clock: Clock,
    /// Waits.
    pub timeouts: Timeouts,
    /// Who we are, for people to see at GitHub.
    pub owner: String,
    /// The runner versions that will execute the jobs.
    pub versions: Versions,
    /// GitHub's runner group.
    pub runner_group_id: u64,
    /// The processor of the workers.
    pub architecture: Architecture,
}

impl GitHub {
    /// The token source of the runner that this configuration belongs to.
    ///
    /// # Errors
    /// The configuration is none.
    pub fn runner(&self, jit: &JitBlob) -> Result<RunnerAuth, JitError> {
        let config = Arc::new(JitConfig::decode(jit.expose(), None)?);
        Ok(RunnerAuth::new(config, self.client.clone(), self.clock.clone(), self.timeouts.clone()))
    }

    /// A session of that runner, which reports this version.
    #[must_use]
    pub fn session(
        &self,
        auth: RunnerAuth,
        version: String,
        fresh: bool,
        status: RunnerStatus,
    ) -> github::session::Session {
        github::session::Session::start(github::session::SessionConfig {
            client: self.client.clone(),
            auth,
            owner: self.owner.clone(),
            version,
            architecture: self.architecture,
            fresh,
            status,
            clock: self.clock.clone(),
            timeouts: self.timeouts.clone(),
        })
    }
}
