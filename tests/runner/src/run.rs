//! One job from its first step to its result.

mod environment;
mod execute;
mod setup;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::agent::user_agent;
use crate::blobs::{Blobs, Dialect};
use crate::complete::Completion;
use crate::diagnostics::Diagnostics;
use crate::http::Http;
use crate::message::Job;
use crate::process::end_orphans;
use crate::progress::{Progress, StepAt};
use crate::refusal::Refusal;
use crate::results::Results;
use crate::service::Caller;
use crate::settings::Settings;
use crate::step::{Conclusion, Step};
use crate::stop::{Reason, Stop};
use crate::token;
use crate::upload::Uploads;

/// The variable by which processes of steps are known when the job is over.
const TRACKING: &str = "RUNNER_TRACKING_ID";

/// Where the worker is.
pub struct Place {
    /// The runner's root.
    pub root: PathBuf,
    /// What `.runner` says.
    pub settings: Settings,
    /// What the ledger calls this place.
    pub pod: String,
    /// The worker's own log.
    pub diagnostics: Diagnostics,
}

/// Runs the job, reports it and says how it ended. An error means that the report did not get through.
pub async fn run(job: Job, place: Place, stop: watch::Receiver<Stop>) -> anyhow::Result<Conclusion> {
    let agent = user_agent(&place.settings, job.variable("system.orchestrationId"));
    let http = Arc::new(Http::from_env(&agent)?);
    let caller = Arc::new(Caller::new(http.clone(), &job.connection.token));
    let dialect = match job.is_on("system.github.results_upload_with_sdk") {
        true => Dialect::Sdk,
        false => Dialect::Raw(caller.session().to_owned()),
    };
    let results = job.results_url.as_ref().map(|base| {
        let blobs = Blobs::new(http.clone(), dialect);
        Arc::new(Results::new(caller.clone(), blobs, base, &job.plan_id, &job.job_id))
    });
    let blocks = place.root.join("_diag/blocks");
    fs::create_dir_all(&blocks).with_context(|| format!("cannot make {}", blocks.display()))?;
    let uploads = Uploads::start(results.clone(), place.diagnostics.clone());
    let progress = Progress::new(uploads, place.diagnostics.clone(), job.masks.clone(), &blocks)
        .with(job.is_on("DistributedTask.EnhancedAnnotations"), job.is_on("ACTIONS_STEP_DEBUG"));
    let mut completion = Completion {
        plan_id: job.plan_id.clone(),
        job_id: job.job_id.clone(),
        conclusion: Conclusion::Succeeded,
        outputs: Map::new(),
        step_results: Vec::new(),
        annotations: Vec::new(),
        billing_owner_id: job.billing_owner_id.clone(),
    };
    let run_service = job.connection.url.clone();
    let own_annotations = job.is_on("actions_send_job_level_annotations");

    let pod = place.pod.clone();
    let mut runner = Runner::new(job, place, progress, stop);
    // A job that reports nothing has no ledger either.
    let begun = async || match &results {
        Some(results) => results.begin(&Uuid::new_v4().to_string(), &pod).await,
        None => Ok(()),
    };
    runner.run(begun()).await;
    completion.conclusion = runner.so_far;
    completion.outputs = runner.outputs;
    let annotations;
    (completion.step_results, annotations) = runner.progress.finish().await;
    if own_annotations {
        completion.annotations = annotations;
    }
    caller.complete(&run_service, &completion).await?;
    Ok(completion.conclusion)
}

struct Runner {
    job: Job,
    place: Place,
    workspace: PathBuf,
    temp: PathBuf,
    /// What every step learns of its run and its runner.
    surroundings: BTreeMap<String, String>,
    /// Variables of the job, and those that its steps have set.
    variables: BTreeMap<String, String>,
    /// Folders that steps have put before `PATH`, the last first.
    path: Vec<String>,
    /// The `run` part of `defaults`.
    defaults: BTreeMap<String, String>,
    /// The `steps` context.
    past: Map<String, Value>,
    outputs: Map<String, Value>,
    progress: Progress,
    stop: watch::Receiver<Stop>,
    /// The shutdown stands in the job's log.
    shutdown_said: bool,
    so_far: Conclusion,
    tracking: String,
}

impl Runner {
    fn new(job: Job, place: Place, progress: Progress, stop: watch::Receiver<Stop>) -> Runner {
        let repository = job.contexts.evaluate("github.repository").unwrap_or_default();
        // A name from the network becomes a folder: its last part, and nothing that climbs.
        let folder = Path::new(&repository).file_name().unwrap_or("job".as_ref());
        let work = place.settings.work(&place.root);
        Runner {
            workspace: work.join(folder).join(folder),
            temp: work.join("_temp"),
            job,
            place,
            surroundings: BTreeMap::new(),
            variables: BTreeMap::new(),
            path: Vec::new(),
            defaults: BTreeMap::new(),
            past: Map::new(),
            outputs: Map::new(),
            progress,
            stop,
            shutdown_said: false,
            so_far: Conclusion::Succeeded,
            tracking: format!("github_{}", Uuid::new_v4()),
        }
    }

    /// A job whose setting up fails or is broken off runs no step, and is not cleaned up after.
    async fn run(&mut self, begun: impl Future<Output = anyhow::Result<()>>) {
        let Some(steps) = self.set_up(begun).await else { return };
        let steps: Vec<(StepAt, Step)> =
            steps.into_iter().map(|it| (self.progress.announce(&it.id, &it.name), it)).collect();
        for (at, step) in steps {
            self.turn(at, &step).await;
        }
        self.clean_up();
    }

    /// A step's turn: it runs, or is skipped.
    async fn turn(&mut self, at: StepAt, step: &Step) {
        self.progress.begin(at);
        let stop = self.look();
        self.progress.debug(at, &format!("Evaluating condition for step: '{}'", step.name));
        if stop.shutdown.is_some() || !step.condition.holds(self.so_far) {
            self.remember(step, Conclusion::Skipped, Conclusion::Skipped, Vec::new());
            self.progress.end(at, Conclusion::Skipped);
            return;
        }
        let mut outputs = Vec::new();
        let outcome = match self.execute(at, step, &mut outputs).await {
            Ok(outcome) => outcome,
            Err(error) => {
                self.progress.error(at, &format!("{error:#}"));
                Conclusion::Failed
            }
        };
        let forgiven = outcome == Conclusion::Failed && step.continue_on_error;
        let conclusion = if forgiven { Conclusion::Succeeded } else { outcome };
        if conclusion == Conclusion::Failed {
            self.fail();
        }
        self.progress.debug(at, &format!("Finishing: {}", step.name));
        self.remember(step, outcome, conclusion, outputs);
        self.progress.end(at, conclusion);
    }

    /// Takes notice of what stops the job: it decides the result, and a shutdown is said once.
    fn look(&mut self) -> Stop {
        let stop = *self.stop.borrow_and_update();
        match stop.first {
            Some(Reason::Cancel) => self.so_far = Conclusion::Canceled,
            Some(Reason::Shutdown) => self.so_far = Conclusion::Failed,
            None => {}
        }
        if let Some(shutdown) = stop.shutdown.filter(|_| !self.shutdown_said) {
            self.shutdown_said = true;
            self.progress.job_error(&shutdown.message());
        }
        stop
    }

    fn fail(&mut self) {
        if self.so_far == Conclusion::Succeeded {
            self.so_far = Conclusion::Failed;
        }
    }

    fn remember(
        &mut self,
        step: &Step,
        outcome: Conclusion,
        conclusion: Conclusion,
        outputs: Vec<(String, String)>,
    ) {
        let outputs: Map<String, Value> = outputs.into_iter().map(|(name, it)| (name, it.into())).collect();
        let past = json!({ "outputs": outputs, "outcome": outcome.word(), "conclusion": conclusion.word() });
        self.past.insert(step.context_name.clone(), past);
        self.job.contexts.set("steps", self.past.clone().into());
    }

    /// The last step: outputs, the diagnostic log of a job that is debugged, and processes that were left behind.
    fn clean_up(&mut self) {
        let at = self.progress.announce(&Uuid::new_v4().to_string(), "Complete job");
        self.progress.begin(at);
        self.progress.describe(at, "Complete job", "runner", "complete_job");
        self.progress.debug(at, "Starting: Complete job");
        let mut conclusion = Conclusion::Succeeded;
        if token::is_set(&self.job.outputs) {
            self.progress.line(at, "Evaluate and set job outputs");
            if let Err(error) = self.evaluate_outputs(at) {
                self.progress.error(at, "Fail to evaluate job outputs");
                self.progress.error(at, &error.to_string());
                conclusion = Conclusion::Failed;
                self.fail();
            }
        }
        if self.job.is_on("ACTIONS_RUNNER_DEBUG") {
            self.progress.line(at, "Uploading runner diagnostic logs");
            self.progress.diagnose();
            self.progress.line(at, "Completed runner diagnostic log upload");
        }
        self.progress.line(at, "Cleaning up orphan processes");
        for (process, name) in end_orphans(TRACKING, &self.tracking) {
            self.progress.line(at, &format!("Terminate orphan process: pid ({process}) ({name})"));
        }
        self.progress.debug(at, "Finishing: Complete job");
        self.progress.end(at, conclusion);
    }

    /// Outputs that are empty, or hold a secret, are left out.
    fn evaluate_outputs(&mut self, at: StepAt) -> Result<(), Refusal> {
        for (name, value) in token::mapping(&self.job.outputs, &self.job.contexts)? {
            let value = token::text(value, &self.job.contexts)?;
            if value.is_empty() {
                self.progress.debug(at, &format!("Skip output '{name}' since it's empty"));
            } else if self.progress.is_secret(&value) {
                self.progress.warn(at, &format!("Skip output '{name}' since it may contain secret."));
            } else {
                self.progress.line(at, &format!("Set output '{name}'"));
                self.outputs.insert(name, json!({ "value": value }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
