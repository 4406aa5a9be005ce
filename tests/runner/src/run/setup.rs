//! "Set up job": the first step, which every job has.

use std::fs;

use anyhow::Context;
use serde_json::Value;
use uuid::Uuid;

use super::Runner;
use crate::agent::VERSION;
use crate::progress::StepAt;
use crate::refusal::Refusal;
use crate::step::{Conclusion, Step};
use crate::stop::{Reason, machine_name};
use crate::token;

impl Runner {
    /// The steps; none when there is nothing to run. A job whose beginning is not in the ledger runs no step: what the
    /// ledger does not know must not have happened. Only that wait can be broken off; a shutdown that comes in what
    /// follows lets the job go on to its steps, which it then skips.
    pub(super) async fn set_up(
        &mut self,
        begun: impl Future<Output = anyhow::Result<()>>,
    ) -> Option<Vec<Step>> {
        let at = self.progress.announce(&Uuid::new_v4().to_string(), "Set up job");
        self.progress.begin(at);
        self.progress.describe(at, "Set up job", "runner", "setup_job");
        self.progress.debug(at, "Starting: Set up job");
        let mut stop = self.stop.clone();
        let begun = tokio::select! {
            biased;
            begun = begun => Some(begun),
            Ok(_) = stop.wait_for(|it| it.first.is_some()) => None,
        };
        let stop = self.look();
        if begun.is_none() || stop.first == Some(Reason::Cancel) {
            self.progress.error(at, super::execute::CANCELED);
            self.so_far = Conclusion::Canceled;
            self.progress.end(at, Conclusion::Canceled);
            return None;
        }
        let steps = begun.unwrap_or(Ok(())).and_then(|()| self.prepare(at));
        match steps {
            Ok(steps) => {
                self.progress.line(at, &format!("Complete job name: {}", self.job.display_name));
                self.progress.debug(at, "Finishing: Set up job");
                self.progress.end(at, Conclusion::Succeeded);
                Some(steps)
            }
            Err(error) => {
                self.progress.error(at, &format!("{error:#}"));
                self.progress.end(at, Conclusion::Failed);
                self.fail();
                None
            }
        }
    }

    fn prepare(&mut self, at: StepAt) -> anyhow::Result<Vec<Step>> {
        if !self.job.unsupported.is_empty() {
            return Err(Refusal(format!("{} cannot be honoured", self.job.unsupported.join(", "))).into());
        }
        self.introduce(at);
        let tools = self.temp.with_file_name("_tool");
        for dir in [&self.workspace, &self.temp, &tools] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        self.surround(&tools)?;
        self.set_variables(self.job_variables()?);
        self.defaults = self.run_defaults()?;
        self.progress.line(at, "Prepare all required actions");
        let steps = self.job.steps.iter().map(|it| Step::parse(it, &self.job.contexts));
        Ok(steps.collect::<Result<_, Refusal>>()?)
    }

    fn introduce(&mut self, at: StepAt) {
        let mut lines = vec![format!("Current runner version: '{VERSION}'")];
        if self.place.settings.client_id.is_some() {
            lines.push(format!("Runner name: '{}'", self.place.settings.agent_name));
            let group = self.job.variable("system.runnerGroupName");
            lines.extend(group.map(|it| format!("Runner group name: '{it}'")));
            lines.push(format!("Machine name: '{}'", machine_name()));
        }
        let permissions = self.job.variable("system.github.token.permissions");
        if let Some(Value::Object(permissions)) = permissions.and_then(|it| serde_json::from_str(it).ok()) {
            lines.push("##[group]GITHUB_TOKEN Permissions".to_owned());
            let words = |it: &Value| it.as_str().unwrap_or_default().to_owned();
            lines.extend(permissions.iter().map(|(name, it)| format!("{name}: {}", words(it))));
            lines.push("##[endgroup]".to_owned());
        }
        let source = self.job.contexts.evaluate("github.secret_source").unwrap_or_default();
        if !source.is_empty() {
            lines.push(format!("Secret source: {source}"));
        }
        lines.push("Prepare workflow directory".to_owned());
        for line in lines {
            self.progress.line(at, &line);
        }
    }

    fn run_defaults(&self) -> Result<std::collections::BTreeMap<String, String>, Refusal> {
        let contexts = &self.job.contexts;
        let mut found = std::collections::BTreeMap::new();
        for defaults in &self.job.defaults {
            for (name, run) in token::mapping(defaults, contexts)? {
                if name != "run" {
                    return Err(Refusal(format!("`defaults.{name}` is not supported")));
                }
                for (key, value) in token::mapping(run, contexts)? {
                    found.insert(key, token::text(value, contexts)?);
                }
            }
        }
        found.retain(|_, value| !value.is_empty());
        Ok(found)
    }
}
