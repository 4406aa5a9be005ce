//! Environment of the controller's container. Nothing secret is ever among it.

use std::collections::BTreeMap;

use api::actions_gateway::Tracing;
use api::names;
use api::priority::PriorityClasses;
use handoff::agc::{AgcEnv, CREDENTIALS_DIR, DOWNWARD};
use handoff::pod::GITHUB_CA_DIR;
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector};

use crate::gateway::validate::Gateway;

/// GitHub's own id of an account's default runner group (protocol §2.2).
const DEFAULT_RUNNER_GROUP: i64 = 1;

/// What the pod is, what the controller is told, where traces go; the platform's overrides come last and win.
/// A name stands once, since server-side apply keys the list by name.
pub(super) fn environment(gateway: &Gateway) -> Vec<EnvVar> {
    let overrides = &gateway.platform.agc_extra_env;
    let written = controller(gateway).to_env().into_iter().chain(tracing(gateway.tracing.as_ref()));
    let own = DOWNWARD.iter().map(downward).chain(written.map(literal));
    let own = own.filter(|it| !overrides.contains_key(&it.name));
    own.chain(overrides.clone().into_iter().map(literal)).collect()
}

fn controller(gateway: &Gateway) -> AgcEnv {
    AgcEnv {
        // These three are the pod's own: see `DOWNWARD`.
        pod_name: String::new(),
        pod_namespace: String::new(),
        pod_uid: String::new(),
        gateway_name: gateway.identity.name.clone(),
        github_url: gateway.github_url.clone(),
        credentials_dir: CREDENTIALS_DIR.to_owned(),
        app_secret: gateway.credentials_secret.clone(),
        github_ca_file: gateway.github_ca.as_ref().map(|_| format!("{GITHUB_CA_DIR}/{}", names::CA_KEY)),
        github_ca_config_map: gateway.github_ca.clone(),
        worker_service_account: names::WORKER.to_owned(),
        worker_image: gateway.platform.worker_image.clone(),
        wrapper_image: gateway.platform.wrapper_image.clone(),
        security_profile: <&str>::from(gateway.security_profile).to_owned(),
        allowed_priority_classes: PriorityClasses::list(&gateway.platform.priority_classes.allowed),
        reserved_priority_classes: PriorityClasses::list(&gateway.platform.priority_classes.reserved),
        log_level: <&str>::from(gateway.log_level).to_owned(),
        runner_version: gateway.platform.runner_version.clone(),
        never_started: <&str>::from(gateway.never_started).to_owned(),
        runner_group_id: DEFAULT_RUNNER_GROUP,
    }
}

/// OpenTelemetry's own variables; none at all without an endpoint.
fn tracing(tracing: Option<&Tracing>) -> BTreeMap<String, String> {
    let Some(tracing) = tracing else { return BTreeMap::new() };
    let attributes = &tracing.resource_attributes;
    let attributes =
        attributes.iter().map(|(key, value)| format!("{key}={}", value.0)).collect::<Vec<_>>().join(",");
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Some(tracing.endpoint.clone())),
        ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", Some(tracing.insecure.to_string())),
        ("OTEL_TRACES_SAMPLER", tracing.sampler.map(|it| <&str>::from(it).to_owned())),
        ("OTEL_TRACES_SAMPLER_ARG", tracing.sampler_arg.clone()),
        ("OTEL_RESOURCE_ATTRIBUTES", Some(attributes).filter(|it| !it.is_empty())),
    ];
    variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn literal((name, value): (String, String)) -> EnvVar {
    EnvVar { name, value: Some(value), value_from: None }
}

fn downward((name, field): &(&str, &str)) -> EnvVar {
    let source = ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: (*field).to_owned() };
    EnvVar {
        name: (*name).to_owned(),
        value: None,
        value_from: Some(EnvVarSource { field_ref: Some(source), ..EnvVarSource::default() }),
    }
}
