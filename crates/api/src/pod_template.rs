//! The worker's pod template: an open object in the CRD, parsed strictly here.
//!
//! The schema of a whole PodTemplateSpec would make the CRD larger than `kubectl apply` takes. So the object is
//! open, and [`parse`] refuses what the API server would have refused, and what is ours to set.

mod fence;
mod secrets;
mod volumes;

use std::borrow::Cow;

use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, PodTemplateSpec};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actions_gateway::SecurityProfile;
use crate::field_error::FieldError;
use crate::priority::PriorityClasses;
use crate::{labels, names};

/// Environment variables of a worker that only we set, compared without case.
const RESERVED_ENV: [&str; 11] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "proxy_ca_cert_path",
    "github_ca_cert_path",
    "payload_secret_path",
    "worker_mode",
    "termination_message_path",
    "pod_termination_grace_seconds",
    "worker_stop_file",
    "actions_gateway_claim",
];

/// A pod template as the user wrote it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodTemplate(pub Map<String, Value>);

impl PodTemplate {
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl JsonSchema for PodTemplate {
    fn schema_name() -> Cow<'static, str> {
        "PodTemplate".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// What a gateway decides about the templates of its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What a job may do.
    pub profile: SecurityProfile,
    /// The Secret with the App's credentials (`spec.gitHubAppRef.name`), which no worker may read.
    pub app_secret: String,
    /// The PriorityClasses of workers.
    pub priority_classes: PriorityClasses,
}

/// Reads a template by the rules of its gateway, or says everything that is wrong with it, with paths from the
/// template's root, as in `spec.containers[0].env[1]`.
///
/// # Errors
/// Everything that is wrong.
pub fn parse(template: &PodTemplate, rules: &Rules) -> Result<PodTemplateSpec, Vec<FieldError>> {
    let mut written = Value::Object(template.0.clone());
    quantities_as_text(&mut written);
    let typed: PodTemplateSpec = serde_json::from_value(written.clone()).map_err(|error| {
        vec![FieldError::new("", format!("is not a pod template: {error}"), "correct it")]
    })?;
    let understood = serde_json::to_value(&typed)
        .map_err(|error| vec![FieldError::new("", format!("cannot be serialized: {error}"), "correct it")])?;

    let mut errors = Vec::new();
    unknown_fields("", &written, &understood, &mut errors);
    reserved_metadata(&typed, &mut errors);
    if let Some(spec) = &typed.spec {
        reserved_spec(spec, &mut errors);
        if rules.profile != SecurityProfile::Privileged {
            fence::judge(spec, &mut errors);
        }
    }
    if let Some(spec) = understood.get("spec") {
        volumes::judge(spec, &mut errors);
        secrets::judge(spec, &rules.app_secret, &mut errors);
    }
    if errors.is_empty() { Ok(typed) } else { Err(errors) }
}

/// Kubernetes reads `cpu: 1` as it reads `cpu: "1"`; the typed API takes text only.
fn quantities_as_text(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Object(entries) if name == "limits" || name == "requests" => {
                        entries.values_mut().for_each(number_as_text);
                    }
                    _ if name == "sizeLimit" => number_as_text(field),
                    _ => quantities_as_text(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(quantities_as_text),
        _ => {}
    }
}

fn number_as_text(value: &mut Value) {
    if let Value::Number(number) = value {
        *value = Value::String(number.to_string());
    }
}

/// What was written and is missing from what was understood is a field that Kubernetes does not know.
fn unknown_fields(path: &str, written: &Value, understood: &Value, errors: &mut Vec<FieldError>) {
    match (written, understood) {
        (Value::Object(written), Value::Object(understood)) => {
            for (name, value) in written {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match understood.get(name) {
                    Some(other) => unknown_fields(&path, value, other, errors),
                    None if value.is_null() => {}
                    None => errors.push(FieldError::new(
                        path,
                        "is not a field of a pod template",
                        "correct or remove it",
                    )),
                }
            }
        }
        (Value::Array(written), Value::Array(understood)) => {
            for (index, (value, other)) in written.iter().zip(understood).enumerate() {
                unknown_fields(&format!("{path}[{index}]"), value, other, errors);
            }
        }
        _ => {}
    }
}

fn reserved_metadata(template: &PodTemplateSpec, errors: &mut Vec<FieldError>) {
    let Some(metadata) = &template.metadata else { return };
    let mut refuse = |set: bool, field: &str| {
        if set {
            let rule = "is set by the gateway for every worker";
            errors.push(FieldError::new(format!("metadata.{field}"), rule, "remove it"));
        }
    };
    refuse(metadata.name.is_some(), "name");
    refuse(metadata.generate_name.is_some(), "generateName");
    refuse(metadata.namespace.is_some(), "namespace");
    refuse(metadata.finalizers.is_some(), "finalizers");
    refuse(metadata.owner_references.is_some(), "ownerReferences");
    for (field, keys) in [("labels", &metadata.labels), ("annotations", &metadata.annotations)] {
        for key in keys.iter().flat_map(|it| it.keys()).filter(|it| is_ours(it)) {
            let rule = "keys of this prefix are the gateway's";
            errors.push(FieldError::new(format!("metadata.{field}[{key}]"), rule, "choose another key"));
        }
    }
}

fn is_ours(key: &str) -> bool {
    key.split_once('/').is_some_and(|(prefix, _)| prefix == labels::GROUP) || key == labels::MANAGED_BY
}

fn reserved_spec(spec: &PodSpec, errors: &mut Vec<FieldError>) {
    let mut refuse = |broken: bool, field: &str, (rule, remedy): (&str, &str)| {
        if broken {
            errors.push(FieldError::new(format!("spec.{field}"), rule, remedy));
        }
    };
    let account = ("workers run under the gateway's own account without grants", "remove it");
    refuse(spec.service_account_name.is_some(), "serviceAccountName", account);
    refuse(spec.service_account.is_some(), "serviceAccount", account);
    let token = ("workers have no Kubernetes credentials", "remove it or set false");
    refuse(spec.automount_service_account_token == Some(true), "automountServiceAccountToken", token);
    let host = ("workers share no namespace with the node", "remove it or set false");
    refuse(spec.host_network == Some(true), "hostNetwork", host);
    refuse(spec.host_pid == Some(true), "hostPID", host);
    refuse(spec.host_ipc == Some(true), "hostIPC", host);
    let shared = (
        "a container beside the runner would see its processes, files and secrets",
        "remove it or set false",
    );
    refuse(spec.share_process_namespace == Some(true), "shareProcessNamespace", shared);
    let on_create = ("the API server takes none in a new pod", "remove them");
    refuse(
        spec.ephemeral_containers.as_ref().is_some_and(|it| !it.is_empty()),
        "ephemeralContainers",
        on_create,
    );
    let restart = ("a job runs once", "remove it or set Never");
    refuse(spec.restart_policy.as_deref().is_some_and(|it| it != "Never"), "restartPolicy", restart);
    let grace = ("the runner needs 25 s to end a job and report it", "set 30 or more");
    refuse(
        spec.termination_grace_period_seconds.is_some_and(|it| it < 30),
        "terminationGracePeriodSeconds",
        grace,
    );
    let class = ("is chosen by priorityTiers", "remove it");
    refuse(spec.priority.is_some(), "priority", class);

    for (path, container) in all_containers(spec) {
        reserved_container(&path, container, errors);
    }
}

/// Every container of a template, with its path.
fn all_containers(spec: &PodSpec) -> impl Iterator<Item = (String, &Container)> {
    let inits = spec.init_containers.as_deref().unwrap_or_default();
    let lists = [("initContainers", inits), ("containers", &spec.containers)];
    lists.into_iter().flat_map(|(list, containers)| {
        let path = move |index: usize| format!("spec.{list}[{index}]");
        containers.iter().enumerate().map(move |(index, container)| (path(index), container))
    })
}

fn reserved_container(path: &str, container: &Container, errors: &mut Vec<FieldError>) {
    if container.name == names::INSTALL_CONTAINER {
        let rule = "this name is the gateway's";
        errors.push(FieldError::new(format!("{path}.name"), rule, "choose another name"));
    }
    if container.name == names::RUNNER_CONTAINER {
        let rule = "the runner container runs the gateway's wrapper";
        if container.command.is_some() {
            errors.push(FieldError::new(format!("{path}.command"), rule, "remove it"));
        }
        if container.args.is_some() {
            errors.push(FieldError::new(format!("{path}.args"), rule, "remove it"));
        }
    }
    for (index, EnvVar { name, .. }) in container.env.iter().flatten().enumerate() {
        if RESERVED_ENV.iter().any(|it| it.eq_ignore_ascii_case(name)) {
            let rule = format!("{name} is set by the gateway");
            errors.push(FieldError::new(format!("{path}.env[{index}]"), rule, "remove it"));
        }
    }
}

#[cfg(test)]
mod tests;
