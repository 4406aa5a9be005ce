//! Workflows as their authors write them: parsed strictly, matrices expanded.

mod expand;
mod known;
mod ordered;

pub(crate) use expand::{JobPlan, expand};
pub(crate) use ordered::Ordered;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A run to start: a workflow file plus what GitHub knows about the event.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workflow {
    /// `owner/name`.
    pub(crate) repository: String,
    /// The workflow's name.
    #[serde(default = "default_name", alias = "name")]
    pub(crate) workflow: String,
    #[serde(default = "default_event")]
    pub(crate) event: String,
    #[serde(default = "default_ref", rename = "ref")]
    pub(crate) git_ref: String,
    #[serde(default = "default_actor")]
    pub(crate) actor: String,
    #[serde(default)]
    pub(crate) env: Ordered<Value>,
    #[serde(default)]
    pub(crate) vars: Ordered<Value>,
    #[serde(default)]
    pub(crate) inputs: Ordered<Value>,
    #[serde(default)]
    pub(crate) secrets: Ordered<Value>,
    /// Bytes of filling in each job message.
    #[serde(default, rename = "payloadPadding")]
    pub(crate) payload_padding: usize,
    pub(crate) jobs: Ordered<JobSpec>,
}

/// One entry of `jobs:`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobSpec {
    pub(crate) name: Option<String>,
    #[serde(rename = "runs-on")]
    pub(crate) runs_on: OneOrMany,
    #[serde(default)]
    pub(crate) needs: OneOrMany,
    #[serde(default)]
    pub(crate) strategy: Strategy,
    #[serde(default)]
    pub(crate) env: Ordered<Value>,
    /// After so many minutes a running job is cancelled.
    #[serde(rename = "timeout-minutes")]
    pub(crate) timeout_minutes: Option<u32>,
    /// What dependants read as `needs.….outputs`; the worker evaluates them.
    #[serde(default)]
    pub(crate) outputs: Ordered<Value>,
    #[serde(default)]
    pub(crate) steps: Vec<StepSpec>,
}

/// `strategy:` of a job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Strategy {
    #[serde(default)]
    pub(crate) matrix: Ordered<Vec<Value>>,
    /// Only `false` is played: siblings of a failed job go on.
    pub(crate) fail_fast: Option<bool>,
}

/// One `run:` step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StepSpec {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) run: String,
    #[serde(rename = "if")]
    pub(crate) condition: Option<String>,
    pub(crate) shell: Option<String>,
    pub(crate) working_directory: Option<String>,
    #[serde(default)]
    pub(crate) continue_on_error: bool,
    pub(crate) timeout_minutes: Option<u32>,
    #[serde(default)]
    pub(crate) env: Ordered<Value>,
}

/// `x` or `[x, y]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl OneOrMany {
    pub(crate) fn as_slice(&self) -> &[String] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

/// Why a run cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not the YAML or JSON of a workflow.
    #[error("the workflow cannot be read: {0}")]
    Syntax(String),
    /// `repository` is not `owner/name`.
    #[error("'repository' must be owner/name, not '{0}'")]
    Repository(String),
    /// There is nothing to run.
    #[error("'jobs' must name at least one job")]
    NoJobs,
    /// A job without labels.
    #[error("'jobs.{0}.runs-on' must hold at least one label")]
    NoLabels(String),
    /// A job that waits for one that is not there, or for itself.
    #[error("'jobs.{job}.needs' names '{need}', which is not an earlier job")]
    Needs {
        /// The job.
        job: String,
        /// What it waits for.
        need: String,
    },
    /// A feature of GitHub that this server does not play.
    #[error("'{0}' is not supported")]
    Unsupported(String),
}

/// Reads a workflow from YAML or JSON.
pub(crate) fn parse(text: &str) -> Result<Workflow, Error> {
    // Twice: the typed reading keeps the order of jobs and axes, and tells no paths.
    known::check(&read::<Value>(text)?)?;
    let workflow: Workflow = read(text)?;
    match workflow.repository.split_once('/') {
        Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => Ok(workflow),
        _ => Err(Error::Repository(workflow.repository)),
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| Error::Syntax(error.to_string())),
        false => serde_saphyr::from_str(text).map_err(|error| Error::Syntax(error.to_string())),
    }
}

/// A scalar as it appears in an environment variable.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn default_name() -> String {
    "ci".into()
}

fn default_event() -> String {
    "push".into()
}

fn default_ref() -> String {
    "refs/heads/main".into()
}

fn default_actor() -> String {
    "octocat".into()
}

#[cfg(test)]
mod tests;
