//! The environment of steps. They also inherit the worker's own (protocol §6.6).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value};

use super::{Runner, TRACKING};
use crate::refusal::Refusal;
use crate::token;

/// What steps learn of their run as `GITHUB_…`, by the names of the `github` context.
const GITHUB: [&str; 26] = [
    "actor",
    "actor_id",
    "api_url",
    "base_ref",
    "event_name",
    "graphql_url",
    "head_ref",
    "job",
    "ref",
    "ref_name",
    "ref_protected",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "retention_days",
    "run_attempt",
    "run_id",
    "run_number",
    "server_url",
    "sha",
    "triggering_actor",
    "workflow",
    "workflow_ref",
    "workflow_sha",
];

/// Where programs are looked for when the worker itself does not know.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Runner {
    /// Fills in what every step learns of its run and its runner.
    pub(super) fn surround(&mut self, tools: &Path) -> anyhow::Result<()> {
        let event = self.temp.join("_github_workflow/event.json");
        fs::create_dir_all(self.temp.join("_github_workflow"))
            .context("cannot make a folder for the event")?;
        let content =
            self.job.contexts.value("github.event").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        fs::write(&event, content.to_string()).context("cannot write the event")?;
        let show = |it: &Path| it.display().to_string();
        let work = self.workspace.parent().unwrap_or(&self.workspace);
        let mut all = vec![
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_EVENT_PATH", show(&event)),
            ("GITHUB_WORKSPACE", show(&self.workspace)),
            ("RUNNER_ARCH", architecture().to_owned()),
            (
                "RUNNER_ENVIRONMENT",
                self.job.variable("system.runnerEnvironment").unwrap_or("self-hosted").to_owned(),
            ),
            ("RUNNER_NAME", self.place.settings.agent_name.clone()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_TEMP", show(&self.temp)),
            ("RUNNER_TOOL_CACHE", show(tools)),
            ("RUNNER_WORKSPACE", show(work)),
            (TRACKING, self.tracking.clone()),
        ];
        let orchestration = self.job.variable("system.orchestrationId").map(str::to_owned);
        all.extend(orchestration.map(|it| ("ACTIONS_ORCHESTRATION_ID", it)));
        if self.job.is_on("ACTIONS_STEP_DEBUG") {
            all.push(("RUNNER_DEBUG", "1".to_owned()));
        }
        self.surroundings = all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for name in GITHUB {
            let value = self.job.contexts.evaluate(&format!("github.{name}"))?;
            self.surroundings.insert(format!("GITHUB_{}", name.to_ascii_uppercase()), value);
        }
        if std::env::var_os("CI").is_some() {
            self.surroundings.remove("CI"); // the image knows better
        }
        Ok(())
    }

    /// `env` of the workflow and of the job.
    pub(super) fn job_variables(&self) -> Result<BTreeMap<String, String>, Refusal> {
        let contexts = &self.job.contexts;
        let mut own = BTreeMap::new();
        for token in &self.job.environment {
            for (name, value) in token::mapping(token, contexts)? {
                own.insert(name, token::text(value, contexts)?);
            }
        }
        Ok(own)
    }

    /// Adds variables of the job, which expressions see as `env`.
    pub(super) fn set_variables(&mut self, own: BTreeMap<String, String>) {
        self.variables.extend(own);
        let visible: Map<String, Value> =
            self.variables.iter().map(|(name, it)| (name.clone(), it.as_str().into())).collect();
        self.job.contexts.set("env", visible.into());
    }

    /// `PATH` with what steps have put before it.
    pub(super) fn search_path(&self, variables: &BTreeMap<String, String>) -> String {
        let inherited = std::env::var("PATH").ok();
        let base = variables.get("PATH").cloned().or(inherited).unwrap_or_else(|| PATH.to_owned());
        self.path.iter().cloned().chain([base]).collect::<Vec<_>>().join(":")
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "ARM64",
        "x86_64" => "X64",
        other => other,
    }
}
