//! From the object and what it refers to, to one value that holds only what can be honoured. Pure.
//!
//! After this nobody reads the ActionsGateway for configuration.

use std::collections::BTreeSet;
use std::fmt;

use api::actions_gateway::{LogLevel, NeverStarted, RunnerGroupEntry, SecurityProfile, Tracing};
use api::{ActionsGateway, labels, pod_template};
use github_proto::url::Target;
use url::Url;

use crate::config::Provision;
use crate::gateway::dereference::References;
use crate::gateway::identity::Identity;

/// A gateway that can be built.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Which object it is.
    pub identity: Identity,
    /// Where runners register, as the user wrote it.
    pub github_url: String,
    /// Secret with the App's credentials.
    pub credentials_secret: String,
    /// ConfigMap with GitHub's private CA.
    pub github_ca: Option<String>,
    /// The sets of runners.
    pub runner_groups: Vec<RunnerGroupEntry>,
    /// What workers may do.
    pub security_profile: SecurityProfile,
    /// What is done at GitHub about a claimed job that can never start.
    pub never_started: NeverStarted,
    /// How much the controller logs.
    pub log_level: LogLevel,
    /// Where traces go; absent when they go nowhere.
    pub tracing: Option<Tracing>,
    /// What the platform decides.
    pub platform: Provision,
}

/// Why nothing can be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The namespace is the cluster's own, or ours.
    #[error(
        "namespace {0} is reserved for the cluster itself; make the gateway in a namespace of the team's own"
    )]
    ReservedNamespace(String),
    /// The platform has not handed the namespace to a tenant.
    #[error(
        "namespace {0} is not labelled {label}: \"true\"; whoever runs the cluster must allow it: kubectl label \
         namespace {0} {label}=true",
        label = labels::TENANT
    )]
    NotATenant(String),
    /// An older gateway stands in the namespace.
    #[error(
        "gateway {elder} is older and stands in this namespace, which holds one; delete one of the two, or make this \
         one elsewhere"
    )]
    AnotherGateway {
        /// Its name.
        elder: String,
    },
    /// Fields of the spec cannot be honoured.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(". "))]
    InvalidSpec(Vec<Problem>),
}

/// One field that cannot be honoured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path from the object's root.
    pub path: String,
    /// The rule it breaks, and what to do.
    pub rule: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.rule)
    }
}

/// Checks everything, and says everything that is wrong with the spec at once.
///
/// # Errors
/// The first of: the namespace may hold no gateway, another gateway stands there, the spec is invalid.
pub fn validate(
    cr: &ActionsGateway,
    references: &References,
    platform: &Provision,
) -> Result<Gateway, Error> {
    let identity = &references.identity;
    namespace_allowed(references, platform)?;
    if let Some(elder) = references.elder() {
        return Err(Error::AnotherGateway { elder: elder.name.clone() });
    }
    let problems = problems(cr, references);
    if !problems.is_empty() {
        return Err(Error::InvalidSpec(problems));
    }
    let spec = &cr.spec;
    Ok(Gateway {
        identity: identity.clone(),
        github_url: spec.git_hub_url.clone(),
        credentials_secret: spec.git_hub_app_ref.name.clone(),
        github_ca: spec.git_hub_ca_bundle_ref.as_ref().map(|it| it.name.clone()),
        runner_groups: spec.runner_groups.clone(),
        security_profile: spec.security_profile,
        never_started: spec.never_started,
        log_level: spec.log_level,
        tracing: spec.tracing.clone().filter(|it| !it.endpoint.is_empty()),
        platform: platform.clone(),
    })
}

/// Whether a gateway may never live in a namespace of that name.
pub fn is_reserved(namespace: &str, platform: &Provision) -> bool {
    namespace == "default" || namespace.starts_with("kube-") || namespace == platform.system_namespace
}

fn namespace_allowed(references: &References, platform: &Provision) -> Result<(), Error> {
    let namespace = &references.identity.namespace;
    if is_reserved(namespace, platform) {
        return Err(Error::ReservedNamespace(namespace.clone()));
    }
    if references.namespace_label(labels::TENANT) != Some("true") {
        return Err(Error::NotATenant(namespace.clone()));
    }
    Ok(())
}

fn problems(cr: &ActionsGateway, references: &References) -> Vec<Problem> {
    let mut found = Problems::default();
    github_url(&cr.spec.git_hub_url, &mut found);
    security_profile(cr.spec.security_profile, references, &mut found);
    if let Some(tracing) = &cr.spec.tracing {
        trace_export(tracing, &mut found);
    }
    let mut names = BTreeSet::new();
    for (index, entry) in cr.spec.runner_groups.iter().enumerate() {
        let path = format!("spec.runnerGroups[{index}]");
        if !names.insert(&entry.name) {
            found.add(
                format!("{path}.name"),
                format!("{:?} stands twice; names are unique, rename one", entry.name),
            );
        }
        runner_group(&path, entry, cr.spec.security_profile, &mut found);
    }
    found.0
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: impl Into<String>, rule: impl Into<String>) {
        self.0.push(Problem { path: path.into(), rule: rule.into() });
    }
}

fn github_url(text: &str, found: &mut Problems) {
    let path = "spec.gitHubURL";
    if !text.starts_with("https://") {
        found.add(path, "must begin with https://; credentials are sent there");
    } else if let Err(error) = Target::parse(text, false) {
        let example = "write it as https://github.com/ORG, …/OWNER/REPO or …/enterprises/NAME";
        found.add(path, format!("{error}; {example}"));
    }
}

fn security_profile(profile: SecurityProfile, references: &References, found: &mut Problems) {
    let allowed = references.namespace_label(labels::PRIVILEGED_PROFILE) == Some("allowed");
    if profile == SecurityProfile::Privileged && !allowed {
        let namespace = &references.identity.namespace;
        let label = labels::PRIVILEGED_PROFILE;
        found.add(
            "spec.securityProfile",
            format!(
                "privileged is not allowed in this namespace; choose baseline, or whoever runs the cluster must allow \
                 it: kubectl label namespace {namespace} {label}=allowed"
            ),
        );
    }
}

fn trace_export(tracing: &Tracing, found: &mut Problems) {
    if tracing.endpoint.contains("://") && !is_collector(&tracing.endpoint) {
        found.add(
            "spec.tracing.endpoint",
            "must be http(s)://HOST:PORT or HOST:PORT, without credentials; correct it",
        );
    }
    for (key, value) in &tracing.resource_attributes {
        let separators = [',', '='];
        if key.contains(separators) || value.0.contains(separators) {
            found.add(
                format!("spec.tracing.resourceAttributes[{key}]"),
                "keys and values must be free of ',' and '=', which separate them in the environment; choose others",
            );
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

fn runner_group(path: &str, entry: &RunnerGroupEntry, profile: SecurityProfile, found: &mut Problems) {
    for error in pod_template::parse(&entry.spec.pod_template, profile).err().into_iter().flatten() {
        found.add(template_path(path, &error.path), error.problem);
    }
}

/// A template that cannot be read at all is named by itself.
fn template_path(group: &str, below: &str) -> String {
    match below {
        "podTemplate" => format!("{group}.podTemplate"),
        _ => format!("{group}.podTemplate.{below}"),
    }
}

#[cfg(test)]
mod tests;
