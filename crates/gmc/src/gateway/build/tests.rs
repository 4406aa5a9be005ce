use api::ActionsGateway;
use api::priority::PriorityClasses;
use serde_json::{Value, json};

use super::*;
use crate::config::Provision;
use crate::gateway::dereference::References;
use crate::gateway::identity::Identity;
use crate::gateway::validate::validate;

const MINIMAL: &str = include_str!("tests/minimal.yaml");
const FULL: &str = include_str!("tests/full.yaml");

fn platform() -> Provision {
    Provision {
        system_namespace: "actions-gateway-system".to_owned(),
        agc_image: "example.org/agc:1".to_owned(),
        wrapper_image: "example.org/worker:1".to_owned(),
        worker_image: "example.org/runner:1".to_owned(),
        runner_version: "2.336.0".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        priority_classes: PriorityClasses::parse("high,low", ""),
        agc_extra_env: BTreeMap::new(),
    }
}

fn built(manifest: &str, platform: &Provision) -> Resources<Built> {
    let mut cr: ActionsGateway = serde_yaml::from_str(manifest).unwrap();
    cr.metadata.uid = Some("uid-of-team-a".to_owned());
    cr.metadata.creation_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
    let references = References {
        identity: Identity::of(&cr.metadata).unwrap(),
        namespace_labels: BTreeMap::from([(labels::TENANT.to_owned(), "true".to_owned())]),
        namespace_deleted: None,
        siblings: Vec::new(),
        controller: None,
        controller_pods: Vec::new(),
        lease: None,
        runner_groups: Vec::new(),
    };
    build(&validate(&cr, &references, platform).unwrap())
}

/// All children, in the order in which they are written.
fn manifests(resources: Resources<Built>) -> Vec<Value> {
    let Resources { controller_account, worker_account, role_binding, service, runner_groups, deployment } =
        resources;
    let groups = runner_groups.iter().map(|it| serde_json::to_value(it).unwrap());
    let mut all: Vec<Value> = groups.collect();
    all.push(serde_json::to_value(controller_account).unwrap());
    all.push(serde_json::to_value(worker_account).unwrap());
    all.push(serde_json::to_value(role_binding).unwrap());
    all.push(serde_json::to_value(service).unwrap());
    all.push(serde_json::to_value(deployment).unwrap());
    all
}

fn environment_of(resources: Resources<Built>) -> Vec<(String, String)> {
    let pod = resources.deployment.spec.unwrap().template.spec.unwrap();
    let env = pod.containers.into_iter().next().unwrap().env.unwrap();
    env.into_iter().map(|it| (it.name, it.value.unwrap_or_else(|| "(the pod's)".to_owned()))).collect()
}

#[test]
fn the_children_of_a_minimal_gateway() {
    insta::assert_yaml_snapshot!(manifests(built(MINIMAL, &platform())));
}

#[test]
fn the_children_of_a_gateway_that_says_everything() {
    insta::assert_yaml_snapshot!(manifests(built(FULL, &platform())));
}

#[test]
fn every_child_is_ours_is_labelled_and_stands_in_the_gateways_namespace() {
    for child in manifests(built(FULL, &platform())) {
        let meta = &child["metadata"];
        assert_eq!(meta["namespace"], "team-a", "{child}");
        assert_eq!(meta["labels"][labels::MANAGED_BY], labels::MANAGED_BY_VALUE, "{child}");
        assert_eq!(meta["ownerReferences"][0]["uid"], "uid-of-team-a", "{child}");
        assert_eq!(meta["ownerReferences"][0]["controller"], true, "{child}");
        assert!(child["kind"].is_string() && child["apiVersion"].is_string(), "{child}");
    }
}

#[test]
fn without_an_endpoint_no_variable_of_opentelemetry_is_written() {
    let env = environment_of(built(MINIMAL, &platform()));
    assert!(!env.iter().any(|(name, _)| name.starts_with("OTEL_")), "{env:?}");
}

#[test]
fn overrides_come_last_and_a_name_stands_once() {
    let extra = [("LOG_LEVEL", "debug"), ("AAA", "first by name, last in place")];
    let agc_extra_env = extra.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let env = environment_of(built(FULL, &Provision { agc_extra_env, ..platform() }));
    let last: Vec<&str> = env.iter().rev().take(2).map(|(name, _)| name.as_str()).collect();
    assert_eq!(last, ["LOG_LEVEL", "AAA"]);
    let mut names: Vec<&String> = env.iter().map(|(name, _)| name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "server-side apply refuses a list with two entries of one key");
}

#[test]
fn the_controller_reads_back_what_was_written_for_it() {
    let mut env: BTreeMap<String, String> = environment_of(built(FULL, &platform())).into_iter().collect();
    env.insert("POD_NAME".to_owned(), "pod".to_owned());
    let read = handoff::agc::AgcEnv::from_env(&env).unwrap();
    assert_eq!(read.gateway_name, "team-a");
    assert_eq!(read.github_url, "https://ghes.example.org/acme/demo");
    assert_eq!(read.github_ca_file.as_deref(), Some("/etc/actions-gateway/github-ca/ca.crt"));
    assert_eq!(read.security_profile, "restricted");
    assert_eq!(read.log_level, "debug");
}

#[test]
fn no_secret_is_in_the_environment() {
    let deployment = serde_json::to_value(built(FULL, &platform()).deployment).unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert!(container.get("envFrom").is_none());
    for variable in container["env"].as_array().unwrap() {
        assert!(variable["valueFrom"].get("secretKeyRef").is_none(), "{variable}");
    }
}
