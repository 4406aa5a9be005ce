//! The steps of a job: what each of them asks for, and which of them run.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::Condition;
use crate::refusal::Refusal;
use crate::token::{self, Contexts};

/// A `run` step. Its tokens are evaluated when its turn comes: they may look at what earlier steps left.
#[derive(Clone, Debug)]
pub struct Step {
    /// GitHub's id of it.
    pub id: String,
    /// Its key in the `steps` context.
    pub context_name: String,
    /// Its name on the page, as far as it is known before its turn.
    pub name: String,
    /// Token of that name.
    pub display_name: Value,
    /// When it runs.
    pub condition: Condition,
    /// A failure of it fails nothing else.
    pub continue_on_error: bool,
    /// The script.
    pub script: Value,
    /// How many minutes it may run.
    pub timeout: Option<f64>,
    /// Token of the shell.
    pub shell: Value,
    /// Below the workspace.
    pub working_directory: Value,
    /// Mapping token of its environment.
    pub environment: Value,
}

/// How a job or step ended, in GitHub's words (protocol §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// Exit code 0.
    Succeeded,
    /// Anything else.
    Failed,
    /// Stopped from outside.
    Canceled,
    /// Its condition did not hold.
    Skipped,
}

impl Conclusion {
    /// The word that expressions see.
    pub fn word(self) -> &'static str {
        match self {
            Conclusion::Succeeded => "success",
            Conclusion::Failed => "failure",
            Conclusion::Canceled => "cancelled",
            Conclusion::Skipped => "skipped",
        }
    }

    /// The number in the results service (protocol §5.7).
    pub fn results_number(self) -> u8 {
        match self {
            Conclusion::Succeeded => 2,
            Conclusion::Failed => 3,
            Conclusion::Canceled => 4,
            Conclusion::Skipped => 7,
        }
    }

    /// The runner's exit code (protocol §6.3).
    pub fn exit_code(self) -> u8 {
        match self {
            Conclusion::Succeeded => 100,
            Conclusion::Failed => 102,
            Conclusion::Canceled => 103,
            Conclusion::Skipped => 104,
        }
    }
}

/// Strict: a key we do not know may change what the step means.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    context_name: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    display_name_token: Value,
    #[serde(default)]
    condition: Option<String>,
    #[serde(default)]
    continue_on_error: Option<Value>,
    #[serde(default)]
    timeout_in_minutes: Value,
    reference: Reference,
    #[serde(default)]
    inputs: Value,
    #[serde(default)]
    environment: Value,
}

#[derive(Deserialize)]
struct Reference {
    r#type: String,
}

impl Step {
    /// Reads a step, or says what in it is beyond us.
    pub fn parse(step: &Value, contexts: &Contexts) -> Result<Step, Refusal> {
        if step.get("type").and_then(Value::as_str) != Some("action") {
            return Err(Refusal(format!("a step of type {} is not supported", step["type"])));
        }
        let wire: Wire =
            serde_json::from_value(step.clone()).map_err(|it| Refusal(format!("a step says {it}")))?;
        if wire.reference.r#type != "script" {
            return Err(Refusal(format!("a step that uses a {} is not supported", wire.reference.r#type)));
        }
        let (mut script, mut working_directory, mut shell) = (None, Value::Null, Value::Null);
        for (name, value) in token::mapping(&wire.inputs, contexts)? {
            match name.as_str() {
                "script" => script = Some(value.clone()),
                "workingDirectory" => working_directory = value.clone(),
                "shell" => shell = value.clone(),
                other => return Err(Refusal(format!("the step input `{other}` is not supported"))),
            }
        }
        let script = script.ok_or_else(|| Refusal("a step without a script is not supported".into()))?;
        let display_name = match wire.display_name_token {
            Value::Null => wire.display_name.unwrap_or_else(|| wire.name.clone()).into(),
            token => token,
        };
        Ok(Step {
            id: wire.id,
            context_name: if wire.context_name.is_empty() { wire.name.clone() } else { wire.context_name },
            name: token::text(&display_name, contexts)?,
            display_name,
            shell,
            condition: Condition::parse(wire.condition.as_deref().unwrap_or_default())?,
            continue_on_error: token::flag(wire.continue_on_error.as_ref(), contexts)?,
            timeout: timeout(&wire.timeout_in_minutes, contexts)?,
            script,
            working_directory,
            environment: wire.environment,
        })
    }
}

fn timeout(token: &Value, contexts: &Contexts) -> Result<Option<f64>, Refusal> {
    let text = token::text(token, contexts)?;
    let minutes = match text.as_str() {
        "" => return Ok(None),
        text => text.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0),
    };
    minutes.map(Some).ok_or_else(|| Refusal(format!("`{text}` is not a number of minutes")))
}

#[cfg(test)]
mod tests;
