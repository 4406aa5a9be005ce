//! One job from its first step to its result.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::http::Http;
use crate::message::Job;
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::shell::{Event, Shell};
use crate::step::{Conclusion, Step};
use crate::{files, token};

/// Between asking a step to stop and stopping it.
const STEP_GRACE: Duration = Duration::from_secs(5);

/// What steps learn of their run as `GITHUB_…`, by the names of the `github` context.
const GITHUB: [&str; 18] = [
    "actor",
    "api_url",
    "base_ref",
    "event_name",
    "graphql_url",
    "head_ref",
    "job",
    "ref",
    "ref_name",
    "ref_type",
    "repository",
    "repository_owner",
    "run_attempt",
    "run_id",
    "run_number",
    "server_url",
    "sha",
    "workflow",
];

/// Runs the job, reports it and says how it ended. It is cancelled when `stop` becomes true. `work` is the work folder,
/// `pod` what the ledger calls this place.
pub async fn run(
    job: Job,
    work: &Path,
    pod: &str,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Conclusion> {
    let service = Arc::new(Service::new(Arc::new(Http::from_env()?), &job));
    let billing_owner_id = job.billing_owner_id.clone();
    let progress = Progress::new(service.clone(), job.masks.clone());
    let begun = service.begin(&Uuid::new_v4().to_string(), pod).await;
    let mut runner = Runner::new(job, work, progress, stop);
    runner.run(begun).await;

    let conclusion = runner.so_far;
    let annotations = runner.problems.iter().map(|it| json!({ "level": "failure", "message": it }));
    let mut report =
        json!({ "conclusion": conclusion.word(), "annotations": annotations.collect::<Value>() });
    if !runner.outputs.is_empty() {
        report["outputs"] = runner.outputs.into();
    }
    if let Some(owner) = billing_owner_id {
        report["billingOwnerId"] = owner.into();
    }
    report["stepResults"] = runner.progress.finish().await;
    if let Err(error) = service.complete(report).await {
        eprintln!("cannot report the result: {error:#}");
        return Ok(Conclusion::Failed); // as the real runner ends
    }
    Ok(conclusion)
}

struct Runner {
    job: Job,
    workspace: PathBuf,
    temp: PathBuf,
    environment: BTreeMap<String, String>,
    /// The `steps` context.
    past: Map<String, Value>,
    outputs: Map<String, Value>,
    progress: Progress,
    stop: watch::Receiver<bool>,
    so_far: Conclusion,
    /// What the page of the run shows beside the result.
    problems: Vec<String>,
}

impl Runner {
    fn new(job: Job, work: &Path, progress: Progress, stop: watch::Receiver<bool>) -> Runner {
        let repository = job.contexts.evaluate("github.repository").unwrap_or_default();
        // A name from the network becomes a folder: its last part, and nothing that climbs.
        let folder = Path::new(&repository).file_name().unwrap_or("job".as_ref());
        Runner {
            workspace: work.join(folder),
            temp: work.join("_temp"),
            job,
            environment: BTreeMap::new(),
            past: Map::new(),
            outputs: Map::new(),
            progress,
            stop,
            so_far: Conclusion::Succeeded,
            problems: Vec::new(),
        }
    }

    /// A job whose beginning is not in the ledger runs no step: what the ledger does not know must not have happened.
    async fn run(&mut self, begun: anyhow::Result<()>) {
        self.progress.begin(&Uuid::new_v4().to_string(), "Set up job").await;
        self.progress.line(&format!("Job {} in {}", self.job.display_name, self.workspace.display())).await;
        let prepared = begun.and_then(|()| self.prepare());
        let steps = self.settle(prepared).await.unwrap_or_default();
        self.progress.end(self.so_far).await;
        for step in steps {
            self.turn(step).await;
        }
        let outputs = self.evaluate_outputs().map_err(Into::into);
        self.outputs = self.settle(outputs).await.unwrap_or_default();
    }

    /// A problem is shown where one looks for it, and fails the job.
    async fn settle<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let text = format!("{error:#}");
                self.progress.line(&format!("##[error]{text}")).await;
                self.problems.push(text);
                if self.so_far == Conclusion::Succeeded {
                    self.so_far = Conclusion::Failed;
                }
                None
            }
        }
    }

    fn prepare(&mut self) -> anyhow::Result<Vec<Step>> {
        if !self.job.unsupported.is_empty() {
            return Err(Refusal(format!("{} cannot be honoured", self.job.unsupported.join(", "))).into());
        }
        for dir in [&self.workspace, &self.temp] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        self.environment = self.job_environment()?;
        let steps = self.job.steps.iter().map(|it| Step::parse(it, &self.job.contexts));
        Ok(steps.collect::<Result<_, Refusal>>()?)
    }

    fn job_environment(&mut self) -> Result<BTreeMap<String, String>, Refusal> {
        let contexts = &self.job.contexts;
        let text = |it: &str| it.to_owned();
        let mut environment = BTreeMap::from([
            (text("CI"), text("true")),
            (text("GITHUB_ACTIONS"), text("true")),
            (text("GITHUB_WORKSPACE"), self.workspace.display().to_string()),
            (text("RUNNER_OS"), text("Linux")),
            (text("RUNNER_TEMP"), self.temp.display().to_string()),
        ]);
        for name in GITHUB {
            let value = contexts.evaluate(&format!("github.{name}"))?;
            environment.insert(format!("GITHUB_{}", name.to_ascii_uppercase()), value);
        }
        let mut own = BTreeMap::new();
        for token in &self.job.environment {
            for (name, value) in token::mapping(token, contexts)? {
                own.insert(name, token::text(value, contexts)?);
            }
        }
        self.extend_environment(&mut environment, own);
        Ok(environment)
    }

    /// Variables of the job, which expressions see as `env`.
    fn extend_environment(
        &mut self,
        environment: &mut BTreeMap<String, String>,
        own: BTreeMap<String, String>,
    ) {
        environment.extend(own);
        let visible: Map<String, Value> =
            environment.iter().map(|(name, it)| (name.clone(), it.as_str().into())).collect();
        self.job.contexts.set("env", visible.into());
    }

    /// A step's turn: it runs, or is skipped.
    async fn turn(&mut self, step: Step) {
        if *self.stop.borrow() {
            self.so_far = Conclusion::Canceled;
        }
        if !step.condition.holds(self.so_far) {
            self.progress.skip(&step.id, &step.name).await;
            self.remember(&step, Conclusion::Skipped, Conclusion::Skipped, Vec::new());
            return;
        }
        self.progress.begin(&step.id, &step.name).await;
        let before = self.so_far;
        let ended = self.execute(&step).await;
        let (outcome, outputs) = self.settle(ended).await.unwrap_or((Conclusion::Failed, Vec::new()));
        let forgiven = outcome == Conclusion::Failed && step.continue_on_error;
        let conclusion = if forgiven { Conclusion::Succeeded } else { outcome };
        self.so_far = if before == Conclusion::Succeeded { conclusion } else { before };
        self.remember(&step, outcome, conclusion, outputs);
        self.progress.end(conclusion).await;
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

    async fn execute(&mut self, step: &Step) -> anyhow::Result<(Conclusion, Vec<(String, String)>)> {
        let unique = Uuid::new_v4();
        let [script, env_file, output_file] =
            ["sh", "env", "output"].map(|it| self.temp.join(format!("{unique}.{it}")));
        fs::write(&script, token::text(&step.script, &self.job.contexts)?)
            .context("cannot write the script")?;
        for file in [&env_file, &output_file] {
            fs::write(file, "").context("cannot make the files of the step")?;
        }
        let mut environment = self.environment.clone();
        environment.insert("GITHUB_ENV".into(), env_file.display().to_string());
        environment.insert("GITHUB_OUTPUT".into(), output_file.display().to_string());
        for (name, value) in token::mapping(&step.environment, &self.job.contexts)? {
            environment.insert(name, token::text(value, &self.job.contexts)?);
        }
        let dir = self.workspace.join(token::text(&step.working_directory, &self.job.contexts)?);

        let shell = Shell::start(&script, &dir, &environment).context("cannot start /bin/sh")?;
        let conclusion = self.watch(shell, step.timeout).await?;

        let set = files::pairs(&fs::read_to_string(env_file).context("cannot read GITHUB_ENV")?)?;
        let mut environment = std::mem::take(&mut self.environment);
        self.extend_environment(&mut environment, set.into_iter().collect());
        self.environment = environment;
        let outputs = files::pairs(&fs::read_to_string(output_file).context("cannot read GITHUB_OUTPUT")?)?;
        Ok((conclusion, outputs))
    }

    /// Stays with a script until it has ended. Only a cancellation that comes while it runs stops it: what runs after
    /// one runs because it asked to.
    async fn watch(&mut self, mut shell: Shell, limit: Option<Duration>) -> anyhow::Result<Conclusion> {
        let timeout = limit.and_then(|it| Instant::now().checked_add(it));
        let mut cancellable = !*self.stop.borrow();
        let mut stopped_as = None;
        let mut kill_at = None;
        let code = loop {
            let stopping = tokio::select! {
                event = shell.next() => match event? {
                    Event::Line(line) => {
                        self.progress.line(&line).await;
                        continue;
                    }
                    Event::Ended(code) => break code,
                },
                () = at(kill_at) => {
                    kill_at = None;
                    shell.kill();
                    continue;
                }
                () = stopped(&mut self.stop), if cancellable => (Conclusion::Canceled, "The operation was canceled."),
                () = at(timeout), if stopped_as.is_none() => (Conclusion::Failed, "The step has timed out."),
            };
            cancellable = false;
            stopped_as.get_or_insert(stopping.0);
            kill_at = Some(Instant::now() + STEP_GRACE);
            self.progress.line(&format!("##[error]{}", stopping.1)).await;
            shell.terminate();
        };
        for line in shell.last_words().await {
            self.progress.line(&line).await;
        }
        if let Some(conclusion) = stopped_as {
            return Ok(conclusion);
        }
        if code == 0 {
            return Ok(Conclusion::Succeeded);
        }
        self.progress.line(&format!("##[error]Process completed with exit code {code}.")).await;
        Ok(Conclusion::Failed)
    }

    fn evaluate_outputs(&self) -> Result<Map<String, Value>, Refusal> {
        let mut outputs = Map::new();
        for (name, value) in token::mapping(&self.job.outputs, &self.job.contexts)? {
            outputs.insert(name, json!({ "value": token::text(value, &self.job.contexts)? }));
        }
        Ok(outputs)
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|it| *it).await.is_err() {
        std::future::pending::<()>().await; // nobody is left who could stop us
    }
}

#[cfg(test)]
mod tests;
