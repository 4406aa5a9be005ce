//! Registers agents at GitHub, stores them, and removes them again. Does what the pool decides.

mod error;

use std::sync::Arc;
use std::time::Duration;

use github::app::{AppError, Registration};
use github_proto::RunnerId;
use github_proto::rest::{Deletion, JitRequest};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use operator::apply::{Ownership, ownership};
use runtime::backoff::Backoff;
use tokio::sync::Semaphore;

pub use super::record::Stored;
use super::record::{self, Agent};
use crate::MANAGER;
use crate::github::GitHub;
use crate::runner_group::group::{Group, GroupId};
pub use error::RegisterError;

/// A name that is taken is left for the next one so often, before the group is told.
const NAMES: u32 = 8;

/// How often the answer to a registration is stored before the registration is given up. It is of no use to anybody
/// until then, and GitHub forgets it in a day.
const STORE_ATTEMPTS: u32 = 5;
const STORE_PAUSE: Backoff =
    Backoff::Doubling { first: Duration::from_secs(2), longest: Duration::from_secs(16) };

/// Calls to the API server at once. Each may take a connection of its own: a storm of claims must not open one for each.
const API_CALLS: usize = 16;

/// Where the runner keeps its work, relative to its root: GitHub's default.
const WORK_FOLDER: &str = "_work";

/// Registers the agents of one namespace. Cheap to clone.
#[derive(Clone)]
pub struct Registrar {
    secrets: Api<Secret>,
    github: GitHub,
    namespace: String,
    gateway: String,
    api_calls: Arc<Semaphore>,
}

impl Registrar {
    /// Writes Secrets in `namespace`.
    #[must_use]
    pub fn new(client: Client, github: GitHub, namespace: &str, gateway: &str) -> Self {
        let secrets = Api::namespaced(client, namespace);
        let api_calls = Arc::new(Semaphore::new(API_CALLS));
        Self { secrets, github, namespace: namespace.to_owned(), gateway: gateway.to_owned(), api_calls }
    }

    /// GitHub, for whoever needs the agent's session.
    #[must_use]
    pub fn github(&self) -> &GitHub {
        &self.github
    }

    /// What is stored for this place.
    ///
    /// # Errors
    /// [`RegisterError::Read`], or [`RegisterError::NameConflict`] for a Secret of another owner.
    pub async fn load(&self, group: &GroupId, index: u32) -> Result<Stored, RegisterError> {
        let name = group.agents().secret(index);
        let read = self.call(self.secrets.get_opt(&name)).await;
        let Some(secret) = read.map_err(|source| RegisterError::Read { name: name.clone(), source })? else {
            return Ok(Stored::Nothing);
        };
        match ownership(&secret.metadata, &group.uid) {
            Ownership::Ours => {}
            Ownership::Foreign(owner) => return Err(RegisterError::NameConflict { name, owner }),
        }
        Ok(Stored::from_secret(index, &secret))
    }

    /// Registers a runner for this place, under the first free name from this generation on, and stores it.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub async fn register(&self, group: &Group, index: u32, generation: u32) -> Result<Agent, RegisterError> {
        let agent = self.register_at_github(group, index, generation).await?;
        self.store(agent.to_secret(&group.id, &self.namespace, &self.gateway)).await?;
        Ok(agent)
    }

    /// Writes down that the agent of this seat is consumed, and from which generation on another may follow.
    ///
    /// # Errors
    /// [`RegisterError::Store`].
    pub async fn clear(&self, group: &GroupId, index: u32, generation: u32) -> Result<(), RegisterError> {
        self.store(record::consumed(group, index, generation, &self.namespace, &self.gateway)).await
    }

    async fn register_at_github(
        &self,
        group: &Group,
        index: u32,
        first: u32,
    ) -> Result<Agent, RegisterError> {
        let mut name = String::new();
        for generation in first..first.saturating_add(NAMES) {
            name = group.id.agents().agent(index, generation);
            let mut registration = self.attempt(group, &name).await?;
            if matches!(registration, Registration::NameTaken) && self.free_name(&name).await? {
                registration = self.attempt(group, &name).await?;
            }
            if let Registration::Registered(runner) = registration {
                if let Err(source) = runner.config() {
                    self.leave_no_record(runner.runner.id, &name).await;
                    return Err(RegisterError::Unreadable { name, source });
                }
                let labels = group.labels.clone();
                return Ok(Agent {
                    index,
                    generation,
                    name,
                    runner_id: runner.runner.id,
                    labels,
                    jit: runner.blob,
                });
            }
        }
        Err(RegisterError::NamesTaken(name))
    }

    /// A record that nobody can connect with: GitHub would forget it in a day.
    pub(super) async fn leave_no_record(&self, runner: RunnerId, name: &str) {
        if let Err(error) = self.deregister(runner).await {
            tracing::debug!(agent = name, error = %operator::describe(&error), "failed to delete the runner at GitHub");
        }
    }

    async fn attempt(&self, group: &Group, name: &str) -> Result<Registration, RegisterError> {
        let wanted = JitRequest {
            name,
            runner_group_id: self.github.runner_group_id,
            labels: &group.labels,
            work_folder: WORK_FOLDER,
        };
        self.github.app.register(&wanted).await.map_err(RegisterError::GitHub)
    }

    /// Deletes the record that holds our name; false when it runs a job, or cannot be seen. The name carries our
    /// hash, so the record is ours.
    async fn free_name(&self, name: &str) -> Result<bool, RegisterError> {
        let found = self.github.app.find_runner(name).await.map_err(RegisterError::GitHub)?;
        let Some(runner) = found else { return Ok(false) };
        let deletion = self.github.app.delete_runner(runner.id).await.map_err(RegisterError::GitHub)?;
        Ok(deletion == Deletion::Gone)
    }

    async fn store(&self, secret: Secret) -> Result<(), RegisterError> {
        let name = secret.name_any();
        let params = PatchParams::apply(MANAGER).force();
        let mut failures = self.github.clock.failures(STORE_PAUSE);
        loop {
            let written = self.call(self.secrets.patch(&name, &params, &Patch::Apply(&secret))).await;
            match written {
                Ok(_) => return Ok(()),
                Err(source) if failures.count() + 1 == STORE_ATTEMPTS => {
                    return Err(RegisterError::Store { name, source });
                }
                Err(error) => {
                    tracing::warn!(secret = name, error = %operator::describe(&error), "failed to apply the agent's Secret: trying again");
                    tokio::time::sleep(failures.fail()).await;
                }
            }
        }
    }

    /// Deletes the record at GitHub; false when it runs a job.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn deregister(&self, runner: RunnerId) -> Result<bool, AppError> {
        Ok(self.github.app.delete_runner(runner).await? == Deletion::Gone)
    }

    /// Deletes the Secret of this place. One that is gone already is fine.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn forget(&self, group: &GroupId, index: u32) -> Result<(), kube::Error> {
        let name = group.agents().secret(index);
        match self.call(self.secrets.delete(&name, &DeleteParams::default())).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a call to the API server when it is its turn.
    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        let _turn = self.api_calls.acquire().await; // never closed
        call.await
    }
}

/// Groups live in their pool and in the tasks that work for it.
pub(super) type SharedGroup = Arc<Group>;
