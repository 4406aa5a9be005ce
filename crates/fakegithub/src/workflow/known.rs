//! Which keys of a workflow are played: anything else is named by its path, so that nobody waits for what never comes.

use serde_json::{Map, Value};

use super::Error;

const WORKFLOW: [&str; 12] = [
    "repository",
    "workflow",
    "name",
    "event",
    "ref",
    "actor",
    "env",
    "vars",
    "inputs",
    "secrets",
    "payloadPadding",
    "jobs",
];

const JOB: [&str; 8] = ["name", "runs-on", "needs", "strategy", "env", "outputs", "timeout-minutes", "steps"];

const STEP: [&str; 9] =
    ["id", "name", "run", "if", "shell", "working-directory", "continue-on-error", "timeout-minutes", "env"];

/// The shells that need no template.
const SHELLS: [&str; 3] = ["bash", "sh", "python"];

/// Finds the first thing that is not played.
pub(super) fn check(workflow: &Value) -> Result<(), Error> {
    let Some(workflow) = workflow.as_object() else { return Ok(()) };
    keys(workflow, &WORKFLOW, "")?;
    let jobs = workflow.get("jobs").and_then(Value::as_object);
    for (key, job) in jobs.into_iter().flatten() {
        if let Some(job) = job.as_object() {
            check_job(job, &format!("jobs.{key}."))?;
        }
    }
    Ok(())
}

fn check_job(job: &Map<String, Value>, path: &str) -> Result<(), Error> {
    keys(job, &JOB, path)?;
    if let Some(strategy) = job.get("strategy").and_then(Value::as_object) {
        keys(strategy, &["matrix", "fail-fast"], &format!("{path}strategy."))?;
        let matrix = strategy.get("matrix").and_then(Value::as_object);
        let special =
            matrix.and_then(|it| ["include", "exclude"].into_iter().find(|key| it.contains_key(*key)));
        if let Some(special) = special {
            return Err(Error::Unsupported(format!("{path}strategy.matrix.{special}")));
        }
    }
    let steps = job.get("steps").and_then(Value::as_array);
    for (index, step) in steps.into_iter().flatten().enumerate() {
        let Some(step) = step.as_object() else { continue };
        let path = format!("{path}steps[{index}].");
        keys(step, &STEP, &path)?;
        if let Some(shell) = step.get("shell").and_then(Value::as_str)
            && !SHELLS.contains(&shell)
            && !shell.contains("{0}")
        {
            return Err(Error::Unsupported(format!("{path}shell: {shell}")));
        }
    }
    Ok(())
}

fn keys(object: &Map<String, Value>, known: &[&str], path: &str) -> Result<(), Error> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Error::Unsupported(format!("{path}{key}"))),
        None => Ok(()),
    }
}
