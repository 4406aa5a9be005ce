//! What is wrong with an object beyond what its schema can say: all of it at once, by field.
//!
//! Whoever admits objects and whoever works on them ask the same questions here. Pure: what a rule needs of the cluster is
//! an argument.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodTemplateSpec;
use url::Url;

use crate::actions_gateway::{ActionsGatewaySpec, SecurityProfile, Tracing};
use crate::field_error::FieldError;
use crate::pod_template::Rules;
use crate::priority::PriorityClasses;
use crate::runner_group::RunnerGroupSpec;
use crate::{labels, pod_template};

/// The namespace that an object stands in.
#[derive(Clone, Copy, Debug)]
pub struct Namespace<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels, by which the platform grants what a tenant may ask for.
    pub labels: &'a BTreeMap<String, String>,
}

/// What is wrong with a gateway's spec in this namespace. Whether its GitHub address is one is not asked here.
pub fn actions_gateway(
    spec: &ActionsGatewaySpec,
    namespace: Namespace<'_>,
    priority_classes: &PriorityClasses,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    security_profile(spec.security_profile, namespace, &mut errors);
    if let Some(tracing) = &spec.tracing {
        trace_export(tracing, &mut errors);
    }
    let rules = Rules {
        profile: spec.security_profile,
        app_secret: spec.git_hub_app_ref.name.clone(),
        priority_classes: priority_classes.clone(),
    };
    let mut names = BTreeSet::new();
    for (index, entry) in spec.runner_groups.iter().enumerate() {
        let path = format!("spec.runnerGroups[{index}]");
        if !names.insert(&entry.name) {
            let rule = format!("{:?} stands twice", entry.name);
            errors.push(FieldError::new(format!("{path}.name"), rule, "names are unique, rename one"));
        }
        let group = runner_group(&entry.spec, &rules).err();
        errors.extend(group.into_iter().flatten().map(|it| it.below(&path)));
    }
    errors
}

/// The pod template of a RunnerGroup whose gateway has these rules, or what is wrong with the group: with paths from its
/// spec's root, which is a gateway's entry or the group's own `spec`.
///
/// # Errors
/// Everything that is wrong.
pub fn runner_group(spec: &RunnerGroupSpec, rules: &Rules) -> Result<PodTemplateSpec, Vec<FieldError>> {
    let mut errors = Vec::new();
    if spec.runner_labels.is_empty() {
        let rule = "no job can choose a group without labels";
        errors.push(FieldError::new("runnerLabels", rule, "name at least one"));
    }
    errors.extend(rules.priority_classes.problems(spec));
    match pod_template::parse(&spec.pod_template, rules) {
        Ok(template) if errors.is_empty() => Ok(template),
        Ok(_) => Err(errors),
        Err(template) => {
            errors.extend(template.into_iter().map(|it| it.below("podTemplate")));
            Err(errors)
        }
    }
}

fn security_profile(profile: SecurityProfile, namespace: Namespace<'_>, errors: &mut Vec<FieldError>) {
    let label = labels::PRIVILEGED_PROFILE;
    let allowed = namespace.labels.get(label).is_some_and(|it| it == "allowed");
    if profile == SecurityProfile::Privileged && !allowed {
        let rule = "privileged is not allowed in this namespace";
        let remedy = format!(
            "choose baseline, or whoever runs the cluster must allow it: kubectl label namespace {} {label}=allowed",
            namespace.name
        );
        errors.push(FieldError::new("spec.securityProfile", rule, remedy));
    }
}

fn trace_export(tracing: &Tracing, errors: &mut Vec<FieldError>) {
    if tracing.endpoint.contains("://") && !is_collector(&tracing.endpoint) {
        let rule = "must be http(s)://HOST:PORT or HOST:PORT, without credentials";
        errors.push(FieldError::new("spec.tracing.endpoint", rule, "correct it"));
    }
    for (key, value) in &tracing.resource_attributes {
        let separators = [',', '='];
        if key.contains(separators) || value.0.contains(separators) {
            let path = format!("spec.tracing.resourceAttributes[{key}]");
            let rule = "keys and values must be free of ',' and '=', which separate them in the environment";
            errors.push(FieldError::new(path, rule, "choose others"));
        }
    }
}

fn is_collector(endpoint: &str) -> bool {
    Url::parse(endpoint).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

#[cfg(test)]
mod tests;
