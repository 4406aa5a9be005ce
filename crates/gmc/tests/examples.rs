//! Every manifest of `examples/` is read as what it says it is, and every gateway among them can be built.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use api::pod_template::Rules;
use api::{ActionsGateway, RunnerGroup, labels};
use gmc::config::Provision;
use gmc::gateway::dereference::References;
use gmc::gateway::identity::Identity;
use gmc::gateway::validate::validate;
use serde::Deserialize as _;
use serde_yaml::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The documents of our kinds, with the file that each stands in.
fn documents(kind: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for folder in [folder(), folder().join("demo")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                let documents =
                    serde_yaml::Deserializer::from_str(&text).map(|it| Value::deserialize(it).unwrap());
                let of_kind = documents.filter(|it| it["kind"] == kind);
                found.extend(of_kind.map(|it| (path.display().to_string(), it)));
            }
        }
    }
    found
}

fn references(identity: Identity) -> References {
    References {
        identity,
        namespace_labels: BTreeMap::from([(labels::TENANT.to_owned(), "true".to_owned())]),
        namespace_deleted: None,
        siblings: Vec::new(),
        controller: None,
        controller_pods: Vec::new(),
        lease: None,
        runner_groups: Vec::new(),
    }
}

#[test]
fn every_gateway_of_the_examples_can_be_built() {
    let gateways = documents("ActionsGateway");
    assert!(gateways.len() >= 2);
    for (file, mut document) in gateways {
        document["metadata"]["uid"] = "u".into();
        document["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
        let gateway: ActionsGateway =
            serde_yaml::from_value(document).unwrap_or_else(|error| panic!("{file}: {error}"));
        let references = references(Identity::of(&gateway.metadata).unwrap());
        let valid = validate(&gateway, &references, &Provision::default());
        assert!(valid.is_ok(), "{file}: {}", valid.unwrap_err());
    }
}

#[test]
fn every_runner_group_of_the_examples_has_a_template_that_is_taken() {
    let groups = documents("RunnerGroup");
    assert!(!groups.is_empty());
    for (file, document) in groups {
        let group: RunnerGroup =
            serde_yaml::from_value(document).unwrap_or_else(|error| panic!("{file}: {error}"));
        let template = api::pod_template::parse(&group.spec.pod_template, &Rules::default());
        assert!(template.is_ok(), "{file}: {:?}", template.unwrap_err());
    }
}

#[test]
fn the_secret_has_the_keys_that_the_controller_reads() {
    let (_, secret) =
        documents("Secret").into_iter().find(|(file, _)| file.ends_with("github-app-secret.yaml")).unwrap();
    for key in [handoff::agc::APP_ID, handoff::agc::INSTALLATION_ID, handoff::agc::PRIVATE_KEY] {
        assert!(secret["stringData"][key].is_string(), "{key}");
    }
}

#[test]
fn the_namespaces_are_handed_over() {
    let namespaces = documents("Namespace");
    let teams = namespaces.iter().filter(|(_, it)| it["metadata"]["name"] == "team-a");
    for (file, namespace) in teams {
        assert_eq!(namespace["metadata"]["labels"][labels::TENANT], "true", "{file}");
    }
}
