//! The chart holds no twin: CRDs, roles and policies are copies of `config/`, written here. A stale copy is
//! rewritten, and then the test fails, so that the diff is seen. (`make generate` runs this too.)

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use handoff::agc::RUNNER_VERSION;
use serde_yaml::Value;

/// The namespace that `config/` is written for; the chart puts the release's in its place.
const SYSTEM_NAMESPACE: &str = "actions-gateway-system";

struct Copy {
    /// Below the chart's `templates`.
    template: &'static str,
    /// Below `config`, with the value that turns the file on, if there is one.
    sources: &'static [(&'static str, Option<&'static str>)],
}

const COPIES: [Copy; 3] = [
    Copy {
        template: "crds.yaml",
        sources: &[
            ("crd/actionsgateways.yaml", Some("crds.install")),
            ("crd/runnergroups.yaml", Some("crds.install")),
            ("crd/runnerjobs.yaml", Some("crds.install")),
        ],
    },
    Copy {
        template: "rbac.yaml",
        sources: &[
            ("rbac/gmc.yaml", None),
            ("rbac/agc.yaml", None),
            ("rbac/users.yaml", Some("rbac.aggregate")),
        ],
    },
    Copy {
        template: "admission.yaml",
        sources: &[("admission/policies.yaml", Some("admissionPolicy.enabled"))],
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rendered(copy: &Copy) -> String {
    let mut text = "# Generated from config/ by crates/gmc/tests/chart.rs. Do not edit.\n".to_owned();
    for (source, value) in copy.sources {
        let body = template(&read(&format!("config/{source}")));
        match value {
            Some(value) => {
                text.push_str(&format!("{{{{- if .Values.{value} }}}}\n---\n{body}{{{{- end }}}}\n"))
            }
            None => text.push_str(&format!("---\n{body}")),
        }
    }
    text
}

/// A manifest as a template: what Helm would take for an action is quoted, CRDs survive an uninstall.
fn template(manifest: &str) -> String {
    let mut text = String::new();
    let mut is_crd = false;
    for line in
        manifest.lines().filter(|it| !it.starts_with("# Generated") && !it.contains("is generated from"))
    {
        let line = line.replace("{{", "{{ \"{{\" }}").replace(SYSTEM_NAMESPACE, "{{ .Release.Namespace }}");
        text.push_str(&line);
        text.push('\n');
        is_crd |= line == "kind: CustomResourceDefinition";
        if is_crd && line == "metadata:" {
            text.push_str("  annotations:\n    helm.sh/resource-policy: keep\n");
            is_crd = false;
        }
    }
    text
}

#[test]
fn the_chart_holds_current_copies_of_config() {
    let templates = root().join("charts/actions-gateway/templates");
    let stale: Vec<&str> = COPIES
        .iter()
        .filter(|copy| fs::read_to_string(templates.join(copy.template)).ok() != Some(rendered(copy)))
        .inspect(|copy| fs::write(templates.join(copy.template), rendered(copy)).unwrap())
        .map(|copy| copy.template)
        .collect();
    assert!(stale.is_empty(), "rewritten, look at the diff: {stale:?}");
}

#[test]
fn every_file_of_config_is_in_the_chart() {
    let copied: BTreeSet<String> =
        COPIES.iter().flat_map(|it| it.sources).map(|(source, _)| (*source).to_owned()).collect();
    let mut present = BTreeSet::new();
    for folder in ["crd", "rbac", "admission"] {
        for entry in fs::read_dir(root().join("config").join(folder)).unwrap() {
            present.insert(format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap()));
        }
    }
    assert_eq!(copied, present);
}

#[test]
fn the_chart_carries_the_version_of_the_programs() {
    let chart: Value = serde_yaml::from_str(&read("charts/actions-gateway/Chart.yaml")).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

/// GitHub stops serving a runner version that nobody moves: whoever moves one of these moves all.
#[test]
fn the_newest_runner_version_is_the_charts_and_the_tag_of_every_runner_image() {
    let values: Value = serde_yaml::from_str(&read("charts/actions-gateway/values.yaml")).unwrap();
    let group: Value = serde_yaml::from_str(&read("examples/runner-group.yaml")).unwrap();
    let tag = |image: &Value| image.as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(values["runner"]["version"], RUNNER_VERSION);
    assert_eq!(tag(&values["runner"]["image"]), RUNNER_VERSION);
    assert_eq!(group["spec"]["runnerVersion"], RUNNER_VERSION);
    assert_eq!(tag(&group["spec"]["workerImage"]), RUNNER_VERSION);
}

#[test]
fn the_managers_deployment_passes_the_charts_runner_version_on() {
    let deployment = read("charts/actions-gateway/templates/deployment.yaml");
    assert!(deployment.contains("- --runner-version={{ .Values.runner.version }}\n"), "{deployment}");
}

#[test]
fn the_managers_deployment_and_its_admission_policy_go_by_the_same_priority_classes() {
    let (allowed, reserved) =
        ("join \",\" .Values.workers.allowedPriorityClasses", ".Values.priorityClassName");
    let deployment = read("charts/actions-gateway/templates/deployment.yaml");
    assert!(
        deployment.contains(&format!("- --allowed-priority-classes={{{{ {allowed} }}}}\n")),
        "{deployment}"
    );
    assert!(
        deployment.contains(&format!("- --reserved-priority-classes={{{{ {reserved} }}}}\n")),
        "{deployment}"
    );
    let params = read("charts/actions-gateway/templates/priorityclasses.yaml");
    assert!(params.contains(&format!("allowed: {{{{ {allowed} | quote }}}}\n")), "{params}");
    assert!(params.contains(&format!("reserved: {{{{ {reserved} | quote }}}}\n")), "{params}");
}

#[test]
fn the_charts_schema_knows_each_value_and_no_other() {
    let values: Value = serde_yaml::from_str(&read("charts/actions-gateway/values.yaml")).unwrap();
    let schema: Value = serde_yaml::from_str(&read("charts/actions-gateway/values.schema.json")).unwrap();
    let mut unknown = Vec::new();
    compare("", &values, &schema, &schema, &mut unknown);
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Each closed object of the schema has exactly the keys that stand in the values; `global` is Helm's own.
fn compare(path: &str, values: &Value, schema: &Value, root: &Value, unknown: &mut Vec<String>) {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => &root["definitions"][reference.trim_start_matches("#/definitions/")],
        None => schema,
    };
    let Some(properties) = schema.get("properties").and_then(Value::as_mapping) else { return };
    let keys = |it: &serde_yaml::Mapping| -> BTreeSet<String> {
        it.keys().filter_map(Value::as_str).filter(|it| *it != "global").map(str::to_owned).collect()
    };
    let (known, written) = (keys(properties), keys(values.as_mapping().unwrap()));
    unknown.extend(known.symmetric_difference(&written).map(|it| format!("{path}.{it}")));
    for key in known.intersection(&written) {
        compare(&format!("{path}.{key}"), &values[key.as_str()], &properties[key.as_str()], root, unknown);
    }
}

#[test]
fn what_looks_like_an_action_is_quoted() {
    assert_eq!(template("a: {{ b }}\n"), "a: {{ \"{{\" }} b }}\n");
}
