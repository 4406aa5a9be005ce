//! The job message (protocol §5.5): what `acquirejob` answers, complete enough for a real `Runner.Worker`.

use rand::{Rng as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::State;
use super::runs::{Job, Run};
use crate::workflow::{StepSpec, scalar};

/// Who pays: a constant, since one fake company owns everything.
pub(crate) const BILLING_OWNER: &str = "U_FAKEOWNER";

impl State {
    /// The message of a claimed job. `token` is the job's, `workflow_token` the one of its steps.
    pub(super) fn job_message(&mut self, id: u64, token: &str, workflow_token: &str) -> Value {
        let step_ids: Vec<Uuid> = {
            let count = self.job(id).map_or(0, |job| job.plan.spec.steps.len());
            (0..count).map(|_| self.ids.guid()).collect()
        };
        let Some((job, run)) = self.job(id).zip(self.run_of_job(id)) else { return Value::Null };
        let plan = self.plan_of(id);
        let spec = &job.plan.spec;
        let mut message = json!({
            "messageType": "RunnerJobRequest",
            "plan": {"planType": "actions", "version": 0, "planId": plan, "artifactUri": "", "artifactLocation": ""},
            "timeline": {"id": plan, "changeId": 0, "location": null},
            "jobId": job.guid,
            "jobDisplayName": job.plan.name,
            "jobName": "__default",
            "requestId": 0,
            // The unset date of .NET, which has no zone.
            "lockedUntil": "0001-01-01T00:00:00",
            "resources": {"endpoints": self.endpoints(id, token)},
            "variables": self.variables(job, run, workflow_token),
            "contextData": self.contexts(job, run, workflow_token),
            "mask": mask(run, workflow_token),
            "steps": steps(&spec.steps, &step_ids),
            "fileTable": [format!(".github/workflows/{}.yml", run.workflow.workflow)],
            "environmentVariables": environment(run, job),
            "defaults": [],
            "workspace": {},
            "billingOwnerId": BILLING_OWNER,
        });
        if !spec.outputs.is_empty() {
            message["jobOutputs"] = mapping(spec.outputs.iter());
        }
        message
    }

    fn endpoints(&self, id: u64, token: &str) -> Value {
        if self.settings.strip_connection {
            return json!([]);
        }
        json!([{
            "name": "SystemVssConnection",
            "url": self.run_service_url(id),
            "authorization": {"scheme": "OAuth", "parameters": {"AccessToken": token}},
            "data": {
                "ResultsServiceUrl": format!("{}/results/", self.base),
                // With a query, for steps append `&audience=…`.
                "GenerateIdTokenUrl": format!("{}/run-service/{id}/idtoken?api-version=2.0", self.base),
                "ServerId": "",
                "ServerName": "",
            },
            "isShared": false,
            "isReady": true,
        }])
    }

    fn variables(&self, job: &Job, run: &Run, workflow_token: &str) -> Value {
        let plain = |value: &str| json!({"value": value});
        let secret = |value: &str| json!({"value": value, "isSecret": true});
        let mut variables = Map::new();
        let mut put = |name: &str, value: Value| variables.insert(name.to_owned(), value);
        put("system.github.job", plain(&job.plan.key));
        put("system.github.token", secret(workflow_token));
        put("system.github.token.permissions", plain(r#"{"Contents":"read","Metadata":"read"}"#));
        put("github_token", secret(workflow_token));
        put("system.github.results_endpoint", plain(&format!("{}/results/", self.base)));
        put("system.github.launch_endpoint", plain(&self.base));
        put("system.orchestrationId", plain(&self.orchestration_id(job.id).unwrap_or_default()));
        put("system.phaseDisplayName", plain(&job.plan.name));
        put("system.runnerEnvironment", plain("self-hosted"));
        put("system.runnerGroupName", plain("Default"));
        put("system.from_run_service", plain("true"));
        put("system.runner.lowdiskspacethreshold", plain("100"));
        put("Actions.EnableHttpRedirects", plain("true"));
        // Logs go up in Azure's own dialect, and `::notice::` becomes an annotation (protocol §5.7, §6.9).
        put("system.github.results_upload_with_sdk", plain("true"));
        put("DistributedTask.EnhancedAnnotations", plain("true"));
        for (name, value) in run.workflow.secrets.iter() {
            put(name, secret(&scalar(value)));
        }
        if run.workflow.payload_padding > 0 {
            put("fakegithub.padding", plain(&padding(run.workflow.payload_padding)));
        }
        for (name, value) in self.settings.choices.message_variables.layers(run.owner()).flatten() {
            match value {
                Some(value) => variables.insert(name.clone(), plain(value)),
                None => variables.remove(name),
            };
        }
        Value::Object(variables)
    }

    fn contexts(&self, job: &Job, run: &Run, workflow_token: &str) -> Value {
        let plan = &job.plan;
        let matrix: Vec<(String, Value)> = plan.matrix.clone();
        let matrix_context = if matrix.is_empty() { Value::Null } else { dictionary(matrix) };
        let pairs = |map: &crate::workflow::Ordered<Value>| {
            dictionary(map.iter().map(|(key, value)| (key.to_owned(), encode(value))).collect())
        };
        json!({
            "github": self.github_context(job, run, workflow_token),
            "needs": self.needs_context(job, run),
            "strategy": dictionary(vec![
                ("fail-fast".into(), json!(false)),
                ("job-index".into(), json!(plan.index)),
                ("job-total".into(), json!(plan.total)),
                ("max-parallel".into(), json!(plan.total)),
            ]),
            "matrix": matrix_context,
            "inputs": pairs(&run.workflow.inputs),
            "vars": pairs(&run.workflow.vars),
        })
    }

    fn needs_context(&self, job: &Job, run: &Run) -> Value {
        let jobs = run.attempt(job.attempt).map(|attempt| attempt.jobs.clone()).unwrap_or_default();
        let needed = jobs
            .iter()
            .filter_map(|id| self.job(*id))
            .filter(|other| job.plan.needs.contains(&other.plan.key));
        let mut entries: Vec<(String, Value)> = Vec::new();
        for other in needed {
            let result = other.life.conclusion().map_or("success", |conclusion| conclusion.rest());
            let outputs =
                other.outputs.as_object().into_iter().flatten().map(|(name, output)| {
                    (name.clone(), output.get("value").map(encode).unwrap_or(Value::Null))
                });
            let value = dictionary(vec![
                ("result".into(), json!(result)),
                ("outputs".into(), dictionary(outputs.collect())),
            ]);
            entries.retain(|(key, _)| *key != other.plan.key);
            entries.push((other.plan.key.clone(), value));
        }
        dictionary(entries)
    }

    fn github_context(&self, job: &Job, run: &Run, workflow_token: &str) -> Value {
        let (owner, name) = run.repository.split_once('/').unwrap_or_default();
        let event =
            json!({"repository": {"full_name": run.repository, "name": name, "owner": {"login": owner}}});
        let text = std::iter::once(("token", workflow_token.to_owned())).chain(self.facts(job, run));
        let mut entries: Vec<(String, Value)> =
            text.map(|(key, value)| (key.to_owned(), Value::String(value))).collect();
        entries.push(("ref_protected".into(), json!(false)));
        entries.push(("event".into(), encode(&event)));
        dictionary(entries)
    }
}

/// Text that compression leaves at three quarters, as it does with base64: filling that shrinks to nothing would never
/// be too large for anyone. The same at each call.
fn padding(length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = rand::rngs::StdRng::seed_from_u64(0);
    let letters = (0..length).map(|_| ALPHABET[usize::from(random.random::<u8>() % 64)]);
    letters.map(char::from).collect()
}

/// A dictionary in the typed encoding of `contextData`; its entries are encoded already.
fn dictionary(entries: Vec<(String, Value)>) -> Value {
    if entries.is_empty() {
        return json!({"t": 2});
    }
    let pairs: Vec<Value> = entries.into_iter().map(|(key, value)| json!({"k": key, "v": value})).collect();
    json!({"t": 2, "d": pairs})
}

/// A JSON value in the typed encoding of `contextData`.
fn encode(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            dictionary(map.iter().map(|(key, value)| (key.clone(), encode(value))).collect())
        }
        Value::Array(items) if items.is_empty() => json!({"t": 1}),
        Value::Array(items) => json!({"t": 1, "a": items.iter().map(encode).collect::<Vec<_>>()}),
        bare => bare.clone(),
    }
}

/// What a worker must not print: regular expressions, as at GitHub.
fn mask(run: &Run, workflow_token: &str) -> Value {
    let secrets =
        run.workflow.secrets.iter().map(|(_, value)| scalar(value)).filter(|value| !value.is_empty());
    let all = std::iter::once(workflow_token.to_owned()).chain(secrets);
    Value::Array(all.map(|secret| json!({"type": "regex", "value": escape_regex(&secret)})).collect())
}

/// A secret as it stands among the masks of a job message.
pub(super) fn escape_regex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\*+?|{[()^$.#".contains(character) || character.is_whitespace() {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// `env:` of the workflow and of the job, outermost first.
fn environment(run: &Run, job: &Job) -> Value {
    let both = [&run.workflow.env, &job.plan.spec.env];
    Value::Array(both.into_iter().filter(|env| !env.is_empty()).map(|env| mapping(env.iter())).collect())
}

fn steps(specs: &[StepSpec], ids: &[Uuid]) -> Value {
    let mut unnamed = 0;
    let mut all = Vec::new();
    for (spec, id) in specs.iter().zip(ids) {
        let context = spec.id.clone().unwrap_or_else(|| {
            unnamed += 1;
            if unnamed == 1 { "__run".into() } else { format!("__run_{unnamed}") }
        });
        all.push(step(spec, *id, &context));
    }
    Value::Array(all)
}

fn step(spec: &StepSpec, id: Uuid, context: &str) -> Value {
    let mut inputs = vec![("script", Value::String(spec.run.clone()))];
    inputs.extend(spec.shell.iter().map(|shell| ("shell", Value::String(shell.clone()))));
    inputs
        .extend(spec.working_directory.iter().map(|path| ("workingDirectory", Value::String(path.clone()))));
    let first_line = spec.run.lines().next().unwrap_or_default();
    let display = spec.name.clone().unwrap_or_else(|| format!("Run {first_line}"));
    let mut step = json!({
        "type": "action",
        "id": id,
        "name": context,
        "contextName": context,
        "displayNameToken": token(&Value::String(display)),
        "condition": spec.condition.as_deref().map_or_else(|| "success()".to_owned(), condition),
        "reference": {"type": "script"},
        "inputs": mapping(inputs.iter().map(|(key, value)| (*key, value))),
    });
    if let Some(object) = step.as_object_mut() {
        if spec.continue_on_error {
            object.insert("continueOnError".into(), json!(true));
        }
        if let Some(minutes) = spec.timeout_minutes {
            object.insert("timeoutInMinutes".into(), json!(minutes));
        }
        if !spec.env.is_empty() {
            object.insert("environment".into(), mapping(spec.env.iter()));
        }
    }
    step
}

/// GitHub adds `success() &&` to a condition that calls no status function.
fn condition(text: &str) -> String {
    let bare =
        text.trim().strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(text).trim();
    let judges = ["success()", "failure()", "always()", "cancelled()"].iter().any(|call| bare.contains(call));
    if judges { bare.to_owned() } else { format!("success() && ({bare})") }
}

/// A mapping token.
fn mapping<'a>(pairs: impl Iterator<Item = (&'a str, &'a Value)>) -> Value {
    let pairs: Vec<Value> = pairs.map(|(key, value)| json!({"Key": key, "Value": token(value)})).collect();
    json!({"type": 2, "map": pairs})
}

/// A template token: text with `${{ … }}` becomes an expression, anything else a literal.
fn token(value: &Value) -> Value {
    let Value::String(text) = value else { return Value::String(scalar(value)) };
    match expression(text) {
        Some(expression) => json!({"type": 3, "expr": expression}),
        None => value.clone(),
    }
}

/// The expression that text with `${{ … }}` stands for; none for plain text.
fn expression(text: &str) -> Option<String> {
    let mut format = String::new();
    let mut arguments: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("${{") {
        let (inner, after) = tail.split_once("}}")?;
        format.push_str(&literal(head));
        format.push_str(&format!("{{{}}}", arguments.len()));
        arguments.push(inner.trim());
        rest = after;
    }
    format.push_str(&literal(rest));
    match arguments.as_slice() {
        [] => None,
        [only] if format == "{0}" => Some((*only).to_owned()),
        many => Some(format!("format('{format}', {})", many.join(", "))),
    }
}

/// Text inside the first argument of `format`.
fn literal(text: &str) -> String {
    text.replace('\'', "''").replace('{', "{{").replace('}', "}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_an_expression_becomes_a_format_call() {
        assert_eq!(
            expression("echo 'a' {b} ${{ matrix.n }}").unwrap(),
            "format('echo ''a'' {{b}} {0}', matrix.n)"
        );
        assert_eq!(expression("${{ secrets.KEY }}").unwrap(), "secrets.KEY");
        assert_eq!(expression("make"), None);
    }

    #[test]
    fn filling_is_as_long_as_asked_and_not_a_pattern() {
        let text = padding(10_000);
        assert_eq!((text.len(), padding(10_000)), (10_000, text.clone()));
        let pairs: std::collections::HashSet<&[u8]> = text.as_bytes().windows(2).collect();
        assert!(pairs.len() > 3_000, "only {} of 4,096 pairs occur", pairs.len());
    }

    #[test]
    fn nested_values_are_typed() {
        assert_eq!(
            encode(&json!({"a": [1, {}], "b": "x"})),
            json!({"t": 2, "d": [{"k": "a", "v": {"t": 1, "a": [1, {"t": 2}]}}, {"k": "b", "v": "x"}]})
        );
    }

    #[test]
    fn a_condition_without_a_status_function_also_wants_success() {
        assert_eq!(condition("${{ matrix.n == 1 }}"), "success() && (matrix.n == 1)");
        assert_eq!(condition("always()"), "always()");
    }
}
