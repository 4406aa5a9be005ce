//! The generated CRDs: kept equal to `config/crd`, small enough, and complete in their bounds.

use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_core::CustomResourceExt;
use serde_json::Value;

use crate::{ActionsGateway, RunnerGroup, RunnerJob};

/// kubectl keeps an applied object in an annotation of at most 256 KiB.
const LARGEST: usize = 200 * 1024;

fn crds() -> Vec<CustomResourceDefinition> {
    vec![ActionsGateway::crd(), RunnerGroup::crd(), RunnerJob::crd()]
}

fn file_of(crd: &CustomResourceDefinition) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/crd");
    folder.join(format!("{}.yaml", crd.spec.names.plural))
}

fn rendered(crd: &CustomResourceDefinition) -> String {
    let yaml = serde_yaml::to_string(crd).unwrap();
    format!("# Generated from crates/api by `make generate`. Do not edit.\n{yaml}")
}

#[test]
fn the_committed_crds_are_current() {
    let stale: Vec<_> = crds()
        .iter()
        .filter(|crd| std::fs::read_to_string(file_of(crd)).ok().as_ref() != Some(&rendered(crd)))
        .inspect(|crd| std::fs::write(file_of(crd), rendered(crd)).unwrap())
        .map(file_of)
        .collect();
    assert!(stale.is_empty(), "rewrote stale files, commit them: {stale:?}");
}

#[test]
fn the_crds_together_stay_small() {
    let size: usize = crds().iter().map(|crd| rendered(crd).len()).sum();
    assert!(size < LARGEST, "{size} bytes");
}

#[test]
fn every_string_list_and_number_of_a_spec_is_bounded() {
    let mut open = Vec::new();
    for crd in crds() {
        let crd = serde_json::to_value(&crd).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        unbounded(&format!("{}.spec", crd["spec"]["names"]["kind"].as_str().unwrap()), spec, &mut open);
    }
    let ours: Vec<_> = open.iter().filter(|path| !path.contains(".proxy.resources.")).collect();
    assert!(ours.is_empty(), "no bound on {ours:#?}");
}

fn unbounded(path: &str, schema: &Value, open: &mut Vec<String>) {
    let has = |keys: &[&str]| keys.iter().any(|key| schema.get(*key).is_some());
    let bounded = match schema["type"].as_str() {
        Some("string") => has(&["maxLength", "enum"]),
        Some("array") => has(&["maxItems"]),
        Some("integer") => has(&["maximum"]) || path.ends_with(".runnerId"),
        _ => true,
    };
    if !bounded {
        open.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        unbounded(&format!("{path}.{name}"), property, open);
    }
    if schema.get("items").is_some() {
        unbounded(&format!("{path}[]"), &schema["items"], open);
    }
}

#[test]
fn defaults_stand_in_the_schema() {
    let crd = serde_json::to_value(RunnerGroup::crd()).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    for (field, expected) in [
        ("maxListeners", Value::from(1)),
        ("maxEvictionRetries", 2.into()),
        ("evictionRetryDelay", "5s".into()),
        ("maxQuotaRetries", 5.into()),
        ("quotaRetryDelay", "30s".into()),
        ("completedPodTTL", "5m".into()),
        ("pendingPodDeadline", "10m".into()),
        ("maxWorkerLifetime", "12h".into()),
    ] {
        assert_eq!(spec[field]["default"], expected, "{field}");
    }
    assert_eq!(spec["jobHistory"]["default"]["succeeded"], 20);
    let crd = serde_json::to_value(ActionsGateway::crd()).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    assert_eq!(spec["neverStarted"]["default"], "CompleteJob");
}
