//! From the object and what it refers to, to one value that holds only what can be honoured. Pure.
//!
//! After this nobody reads the ActionsGateway for configuration.

use api::actions_gateway::{LogLevel, NeverStarted, RunnerGroupEntry, SecurityProfile, Tracing};
use api::field_error::{self, FieldError};
use api::priority::PriorityClasses;
use api::problems::{self, Namespace};
use api::{ActionsGateway, ActionsGatewaySpec, labels};
use github_proto::url::Target;

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
    #[error("{}", field_error::message(.0))]
    InvalidSpec(Vec<FieldError>),
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
    let spec = &cr.spec;
    let namespace = Namespace { name: &identity.namespace, labels: &references.namespace_labels };
    let errors = problems(spec, namespace, &platform.priority_classes);
    if !errors.is_empty() {
        return Err(Error::InvalidSpec(errors));
    }
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

/// All that is wrong with the spec of a gateway in this namespace.
pub fn problems(
    spec: &ActionsGatewaySpec,
    namespace: Namespace<'_>,
    priority_classes: &PriorityClasses,
) -> Vec<FieldError> {
    github_url(&spec.git_hub_url)
        .into_iter()
        .chain(problems::actions_gateway(spec, namespace, priority_classes))
        .collect()
}

/// What GitHub's addresses look like, its protocol knows.
fn github_url(text: &str) -> Option<FieldError> {
    let path = "spec.gitHubURL";
    if !text.starts_with("https://") {
        return Some(FieldError::new(path, "must begin with https://", "credentials are sent there"));
    }
    let remedy = "write it as https://github.com/ORG, …/OWNER/REPO or …/enterprises/NAME";
    Target::parse(text, false).err().map(|error| FieldError::new(path, error.to_string(), remedy))
}

#[cfg(test)]
mod tests;
