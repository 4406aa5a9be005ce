//! The job message (protocol §5.5), as far as a job of `run` steps needs it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::mask::Masks;
use crate::token::{self, Contexts};

/// A job, told apart from how it is to be run.
pub struct Job {
    /// The run attempt.
    pub plan_id: String,
    /// The job in it.
    pub job_id: String,
    /// Its name on the page.
    pub display_name: String,
    /// The run service of this job, with the job token.
    pub connection: Connection,
    /// The results service, if logs and steps are to be sent there.
    pub results_url: Option<String>,
    /// Sent back with the result.
    pub billing_owner_id: Option<String>,
    variables: BTreeMap<String, String>,
    /// What expressions may look into.
    pub contexts: Contexts,
    /// What must not be shown.
    pub masks: Masks,
    /// Mapping tokens of the job's environment.
    pub environment: Vec<Value>,
    /// Steps as they came.
    pub steps: Vec<Value>,
    /// Mapping token of the job's outputs.
    pub outputs: Value,
    /// Mapping tokens of `defaults`.
    pub defaults: Vec<Value>,
    /// Names of parts that only the real runner can honour.
    pub unsupported: Vec<&'static str>,
}

/// Where the job reports and how it proves itself.
pub struct Connection {
    /// Base URL of the run service.
    pub url: String,
    /// The job token.
    pub token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    message_type: String,
    plan: Plan,
    job_id: String,
    #[serde(default)]
    job_display_name: String,
    resources: Resources,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    #[serde(default)]
    context_data: BTreeMap<String, Value>,
    #[serde(default)]
    mask: Vec<Mask>,
    #[serde(default)]
    steps: Vec<Value>,
    #[serde(default)]
    environment_variables: Vec<Value>,
    #[serde(default)]
    defaults: Vec<Value>,
    #[serde(default)]
    job_container: Value,
    #[serde(default)]
    job_service_containers: Value,
    #[serde(default)]
    job_outputs: Value,
    billing_owner_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    plan_id: String,
}

#[derive(Deserialize)]
struct Resources {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    authorization: Option<Authorization>,
}

#[derive(Deserialize)]
struct Authorization {
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Variable {
    value: Option<String>,
    is_secret: Option<bool>,
}

#[derive(Deserialize)]
struct Mask {
    r#type: Value,
    #[serde(default)]
    value: String,
}

impl Job {
    /// Reads a message. Without plan, job and connection nobody can be told about it: an error and no result.
    pub fn parse(message: &str) -> anyhow::Result<Job> {
        let wire: Wire = serde_json::from_str(message).context("the job message cannot be read")?;
        let known = wire.message_type.eq_ignore_ascii_case("RunnerJobRequest");
        ensure!(known, "a message of type {} is not a job of the run service", wire.message_type);
        let connection =
            connection(wire.resources).context("the job message has no SystemVssConnection with a token")?;
        let results = wire.variables.get("system.github.results_endpoint").and_then(|it| it.value.clone());
        let parts = [
            ("a job container", token::is_set(&wire.job_container)),
            ("service containers", token::is_set(&wire.job_service_containers)),
        ];
        Ok(Job {
            plan_id: wire.plan.plan_id,
            job_id: wire.job_id,
            display_name: wire.job_display_name,
            results_url: results.filter(|it| !it.is_empty()),
            billing_owner_id: wire.billing_owner_id,
            masks: masks(&wire.mask, &wire.variables, &connection.token),
            contexts: contexts(&wire.context_data, &wire.variables),
            connection,
            variables: plain(wire.variables),
            defaults: wire.defaults,
            environment: wire.environment_variables,
            steps: wire.steps,
            outputs: wire.job_outputs,
            unsupported: parts.into_iter().filter_map(|(name, set)| set.then_some(name)).collect(),
        })
    }
}

impl Job {
    /// A variable, whatever the case of its name.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a variable is true.
    pub fn is_on(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|it| it == "1" || it.eq_ignore_ascii_case("true"))
    }
}

fn plain(variables: BTreeMap<String, Variable>) -> BTreeMap<String, String> {
    variables.into_iter().filter_map(|(name, it)| Some((name, it.value?))).collect()
}

fn connection(resources: Resources) -> Option<Connection> {
    let named = |it: &Endpoint| it.name.eq_ignore_ascii_case("SystemVssConnection");
    let endpoint = resources.endpoints.into_iter().find(named)?;
    let parameters = endpoint.authorization?.parameters;
    let (_, token) = parameters.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("AccessToken"))?;
    (!endpoint.url.is_empty() && !token.is_empty()).then_some(Connection { url: endpoint.url, token })
}

/// Secrets that are none, though the message says so.
const SHOWN: [&str; 2] = ["ACTIONS_STEP_DEBUG", "ACTIONS_RUNNER_DEBUG"];

/// The number of `regex` among mask types. The other, `variable`, masks nothing.
const REGEX: u64 = 2;

fn masks(masks: &[Mask], variables: &BTreeMap<String, Variable>, job_token: &str) -> Masks {
    let is_regex = |it: &Mask| match &it.r#type {
        Value::String(word) => word.eq_ignore_ascii_case("regex"),
        number => number.as_u64() == Some(REGEX),
    };
    let expressions: Vec<String> =
        masks.iter().filter(|it| is_regex(it)).map(|it| it.value.clone()).collect();
    let hidden = |name: &str| !SHOWN.iter().any(|it| it.eq_ignore_ascii_case(name));
    let secret = variables.iter().filter(|(name, it)| it.is_secret == Some(true) && hidden(name));
    let values: Vec<String> =
        secret.filter_map(|(_, it)| it.value.clone()).chain([job_token.to_owned()]).collect();
    Masks::new(&expressions, &values)
}

fn contexts(data: &BTreeMap<String, Value>, variables: &BTreeMap<String, Variable>) -> Contexts {
    let mut contexts = Contexts::default();
    for (name, value) in data {
        contexts.set(name, token::plain(value));
    }
    let secrets: Map<String, Value> = variables
        .iter()
        .filter(|(_, it)| it.is_secret == Some(true))
        .filter_map(|(name, it)| Some((name.clone(), it.value.clone()?.into())))
        .collect();
    contexts.set("secrets", secrets.into());
    // The key of the job is the one part of the `github` context that travels apart (protocol §5.5).
    if let (Some(Value::Object(mut github)), Some(key)) = (
        data.get("github").map(token::plain),
        variables.get("system.github.job").and_then(|it| it.value.clone()),
    ) {
        github.insert("job".into(), key.into());
        contexts.set("github", github.into());
    }
    contexts
}

#[cfg(test)]
mod tests;
