//! The control API: what a test, a demo or a person does with the server. The HTTP face is in `http`.

pub(crate) mod http;
mod offers;
mod views;

pub use offers::{Decliner, OfferView, OffersView};
pub use views::{AgentView, AppCreated, AttemptView, JobView, RunView, SessionView, StateView, StepView};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::journal::{Request, Violation};
use crate::lever::{self, Lever};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::apps::NewApp;
pub use crate::state::ledger::LedgerEntry;
pub use crate::state::results::StoredLog;
pub use crate::state::runs::Annotation;
use crate::state::runs::CancelError;
pub use crate::state::secrets::Secret;
use crate::workflow;

/// The longest wait for a run.
const WAIT_LIMIT: Duration = Duration::from_secs(600);

/// An App to create.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppRequest {
    /// The account that it is installed on.
    pub account: String,
    /// `Organization` or `User`.
    #[serde(default = "organization")]
    pub account_type: String,
    /// The repositories that it sees, without owner; all when absent.
    #[serde(default)]
    pub repositories: Option<Vec<String>>,
    /// What it may do; all that a gateway needs when absent.
    #[serde(default = "permissions")]
    pub permissions: BTreeMap<String, String>,
}

fn organization() -> String {
    "Organization".into()
}

fn permissions() -> BTreeMap<String, String> {
    let write = ["actions", "administration", "organization_self_hosted_runners"];
    let mut all: BTreeMap<String, String> =
        write.into_iter().map(|name| (name.to_owned(), "write".to_owned())).collect();
    all.insert("metadata".into(), "read".into());
    all
}

impl AppRequest {
    /// An App with every permission on all repositories of an organisation.
    pub fn on(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            account_type: organization(),
            repositories: None,
            permissions: permissions(),
        }
    }
}

/// Why the control API cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run cannot be read or started.
    #[error("the run cannot be started")]
    Workflow(#[source] workflow::Error),
    /// A lever cannot be turned.
    #[error("the lever cannot be turned")]
    Lever(#[source] lever::Error),
    /// There is no such object.
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// The run is over.
    #[error("the run is completed")]
    Completed,
    /// The crypto library failed.
    #[error("failed to generate an RSA key")]
    Key,
}

/// A handle on a running server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
    initial: Arc<Settings>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let initial = Arc::new(shared.with(|state, _| state.settings.clone()));
        Self { shared, initial }
    }

    /// Creates an App with a key and an installation.
    pub async fn create_app(&self, request: AppRequest) -> Result<AppCreated, Error> {
        let key = self.key().await?;
        let pem = key.pkcs1_pem();
        let new = NewApp {
            account: request.account,
            account_type: request.account_type,
            repositories: request.repositories,
            permissions: request.permissions,
        };
        let app = self.shared.with(|state, _| state.create_app(new, key));
        tracing::info!(app = app.id, account = app.account, "app created");
        Ok(AppCreated::new(&app, pem))
    }

    /// Gives an App a new key: JWTs of the old one are refused from now on.
    pub async fn rotate_app_key(&self, id: u64) -> Result<AppCreated, Error> {
        let key = self.key().await?;
        let pem = key.pkcs1_pem();
        let app = self.shared.with(|state, _| state.replace_app_key(id, key).cloned());
        app.map(|app| AppCreated::new(&app, pem)).ok_or(Error::NotFound("app"))
    }

    async fn key(&self) -> Result<Arc<crate::rsa::RsaKey>, Error> {
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || shared.keys.take()).await {
            Ok(Ok(key)) => Ok(key),
            _ => Err(Error::Key),
        }
    }

    /// The CA that clients must trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.shared.ca_pem
    }

    /// Starts a run from the YAML or JSON of a workflow.
    pub fn start_run(&self, workflow: &str) -> Result<RunView, Error> {
        let workflow = workflow::parse(workflow).map_err(Error::Workflow)?;
        let id = self.shared.with(|state, now| state.submit(workflow, now)).map_err(Error::Workflow)?;
        tracing::info!(run = id, "run started");
        self.run(id)
    }

    /// A run as it is now.
    pub fn run(&self, id: u64) -> Result<RunView, Error> {
        let view = self.shared.with(|state, _| state.run(id).map(|run| RunView::new(state, run)));
        view.ok_or(Error::NotFound("run"))
    }

    /// All runs.
    pub fn runs(&self) -> Vec<RunView> {
        self.shared.with(|state, _| state.runs().map(|run| RunView::new(state, run)).collect())
    }

    /// Waits until a run satisfies a condition, or for so long. Returns the run as it then is.
    pub async fn wait_for_run(
        &self,
        id: u64,
        limit: Duration,
        until: impl Fn(&RunView) -> bool,
    ) -> Result<RunView, Error> {
        let deadline = Instant::now() + limit.min(WAIT_LIMIT);
        let mut changes = self.shared.changes();
        loop {
            changes.mark_unchanged();
            let run = self.run(id)?;
            if until(&run) {
                return Ok(run);
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return self.run(id),
                () = self.shared.stop.cancelled() => return Ok(run),
                _ = changes.changed() => {}
            }
        }
    }

    /// The log of a job.
    pub fn job_log(&self, run: u64, job: u64) -> Result<String, Error> {
        let log = self.shared.with(|state, _| {
            state.job(job).filter(|known| known.run == run)?;
            state.log(job)
        });
        log.ok_or(Error::NotFound("job"))
    }

    /// What was uploaded of a job: its log, its steps' logs and summaries, and how far each is.
    pub fn job_logs(&self, run: u64, job: u64) -> Result<Vec<StoredLog>, Error> {
        let logs = self.shared.with(|state, _| {
            state.job(job).filter(|known| known.run == run)?;
            state.logs(job)
        });
        logs.ok_or(Error::NotFound("job"))
    }

    /// A person cancels a run: running jobs are told so on their sessions.
    pub fn cancel_run(&self, id: u64) -> Result<RunView, Error> {
        let outcome = self.shared.with(|state, now| state.cancel(id, now));
        match outcome {
            Ok(()) => self.run(id),
            Err(CancelError::NotFound) => Err(Error::NotFound("run")),
            Err(CancelError::Completed) => Err(Error::Completed),
        }
    }

    /// Which workers began which jobs: of one run, or all.
    pub fn ledger(&self, run: Option<u64>) -> Vec<LedgerEntry> {
        self.shared.with(|state, _| state.ledger(run))
    }

    /// Every offer of jobs of one account or all, of one run or all.
    pub fn offers(&self, account: Option<&str>, run: Option<u64>) -> OffersView {
        self.shared.with(|state, _| OffersView::new(state, account, run))
    }

    /// Every secret of an account that the server made or was given: canaries, to be looked for where none may be.
    pub fn secrets(&self, account: &str) -> Vec<Secret> {
        self.shared.with(|state, _| state.secrets(account))
    }

    /// How many secrets were forgotten to stay within bounds: with any, no search is complete.
    pub fn secrets_forgotten(&self) -> u64 {
        self.shared.with(|state, _| state.secrets_forgotten())
    }

    /// Runners, sessions and unfinished jobs.
    pub fn state(&self) -> StateView {
        self.shared.with(|state, _| StateView::new(state))
    }

    /// The requests after number `since`.
    pub fn requests(&self, since: u64) -> Vec<Request> {
        self.shared.journal(|journal| journal.requests(since))
    }

    /// What clients did that the protocol does not allow.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.journal(|journal| journal.violations())
    }

    /// Forgets the violations.
    pub fn clear_violations(&self) {
        self.shared.journal(|journal| journal.clear_violations());
    }

    /// How many requests and violations there were.
    pub fn counts(&self) -> (u64, u64) {
        self.shared.journal(|journal| journal.counts())
    }

    /// Turns a lever.
    pub fn pull(&self, lever: Lever) -> Result<(), Error> {
        if let Some(naming) = lever.takes_back() {
            self.shared.faults(|faults| faults.take_back(&naming));
            return Ok(());
        }
        let now = self.shared.with(|_, now| now);
        match lever.fault(now.as_second()) {
            Some(fault) => {
                self.shared.faults(|faults| faults.add(fault));
                Ok(())
            }
            None => self.shared.with(|state, now| lever.turn(state, now)).map_err(Error::Lever),
        }
    }

    /// Adds a fault.
    pub fn fail(&self, fault: Fault) {
        self.shared.faults(|faults| faults.add(fault));
    }

    /// The faults that have not struck yet.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.faults(|faults| faults.list())
    }

    /// The settings that levers turn, as they are now.
    pub fn settings(&self) -> serde_json::Value {
        self.shared.with(|state, _| serde_json::to_value(&state.settings).unwrap_or_default())
    }

    /// Forgets the faults and puts every setting back to what it was at the start.
    pub fn reset(&self) {
        self.shared.with(|state, _| self.shared.faults(|faults| lever::reset(state, faults, &self.initial)));
    }
}
