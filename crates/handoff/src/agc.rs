//! What the GMC writes on the container of the tenant's controller.
//!
//! Credentials are never among it: they come as files, in [`AgcEnv::credentials_dir`]. Pod name, namespace and uid
//! come by the downward API, so the writer leaves them to the manifest (see [`DOWNWARD`]). Tracing is configured
//! by OpenTelemetry's own `OTEL_*` variables beside these.

use std::collections::BTreeMap;

use crate::env::{EnvError, Reader, Writer};

/// File of the App's id (or client id) in the credentials folder, and key of the Secret.
pub const APP_ID: &str = "appId";
/// File of the installation's id.
pub const INSTALLATION_ID: &str = "installationId";
/// File of the App's private key, PEM.
pub const PRIVATE_KEY: &str = "privateKey";
/// Where the Secret of `gitHubAppRef` is mounted.
pub const CREDENTIALS_DIR: &str = "/etc/actions-gateway/github-app";
/// Port of `/metrics`.
pub const METRICS_PORT: u16 = 8080;
/// Port of `/healthz`, `/readyz` and `/statusz`.
pub const HEALTH_PORT: u16 = 8081;
/// The newest runner version known here. The chart's `runner.version` and the tag of its `runner.image` are the same: a
/// test says so. GitHub stops serving each release some weeks after the next (protocol §2.9, §4.10).
pub const RUNNER_VERSION: &str = "2.337.0";

/// Variables that the manifest fills from the pod itself, with the field each comes from.
pub const DOWNWARD: [(&str, &str); 3] =
    [("POD_NAME", "metadata.name"), ("POD_NAMESPACE", "metadata.namespace"), ("POD_UID", "metadata.uid")];

/// The environment of the tenant's controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgcEnv {
    /// Name of the pod (downward API).
    pub pod_name: String,
    /// Namespace of the pod, and of everything the controller touches (downward API).
    pub pod_namespace: String,
    /// Uid of the pod: the identity of the Lease's holder (downward API).
    pub pod_uid: String,
    /// Name of the ActionsGateway.
    pub gateway_name: String,
    /// The configured GitHub address.
    pub github_url: String,
    /// Folder with the files [`APP_ID`], [`INSTALLATION_ID`], [`PRIVATE_KEY`]; may be empty.
    pub credentials_dir: String,
    /// The Secret that these come from, which no worker may read.
    pub app_secret: String,
    /// File with GitHub's private CA.
    pub github_ca_file: Option<String>,
    /// ConfigMap with that CA, for mounting into workers.
    pub github_ca_config_map: Option<String>,
    /// ServiceAccount of worker pods.
    pub worker_service_account: String,
    /// Runner image of a group that names none.
    pub worker_image: String,
    /// Image of the wrapper, for the install container.
    pub wrapper_image: String,
    /// `restricted`, `baseline` or `privileged`.
    pub security_profile: String,
    /// The PriorityClasses that workers may have, with commas between; empty for all that are nobody else's.
    pub allowed_priority_classes: String,
    /// Those of the platform's own pods, with commas between.
    pub reserved_priority_classes: String,
    /// `info` or `debug`.
    pub log_level: String,
    /// Runner version in `worker_image`: reported to GitHub by groups that know of no better one.
    pub runner_version: String,
    /// `CompleteJob` or `ForceCancel`: what is done at GitHub about a claimed job that can never start.
    pub never_started: String,
    /// GitHub's runner group; 1 is the default group (protocol §2.2).
    pub runner_group_id: i64,
}

impl AgcEnv {
    /// The variables to write, without those of [`DOWNWARD`].
    pub fn to_env(&self) -> BTreeMap<String, String> {
        let mut env = Writer::default();
        env.set("GATEWAY_NAME", &self.gateway_name);
        env.set("GITHUB_URL", &self.github_url);
        env.set("GITHUB_CREDENTIALS_DIR", &self.credentials_dir);
        env.set("GITHUB_APP_SECRET_NAME", &self.app_secret);
        env.set_optional("GITHUB_CA_FILE", self.github_ca_file.as_deref());
        env.set_optional("GITHUB_CA_CONFIGMAP_NAME", self.github_ca_config_map.as_deref());
        env.set("WORKER_SERVICE_ACCOUNT", &self.worker_service_account);
        env.set("WORKER_IMAGE", &self.worker_image);
        env.set("WRAPPER_IMAGE", &self.wrapper_image);
        env.set("SECURITY_PROFILE", &self.security_profile);
        env.set_optional("ALLOWED_PRIORITY_CLASSES", some(&self.allowed_priority_classes));
        env.set_optional("RESERVED_PRIORITY_CLASSES", some(&self.reserved_priority_classes));
        env.set("LOG_LEVEL", &self.log_level);
        env.set("GITHUB_RUNNER_VERSION", &self.runner_version);
        env.set("NEVER_STARTED", &self.never_started);
        env.set("GITHUB_RUNNER_GROUP_ID", self.runner_group_id.to_string());
        env.0
    }

    /// Reads what [`Self::to_env`] and the downward API wrote.
    pub fn from_env(env: &BTreeMap<String, String>) -> Result<Self, EnvError> {
        let env = Reader(env);
        Ok(Self {
            pod_name: env.required("POD_NAME")?,
            pod_namespace: env.required("POD_NAMESPACE")?,
            pod_uid: env.required("POD_UID")?,
            gateway_name: env.required("GATEWAY_NAME")?,
            github_url: env.required("GITHUB_URL")?,
            credentials_dir: env.or("GITHUB_CREDENTIALS_DIR", CREDENTIALS_DIR),
            app_secret: env.required("GITHUB_APP_SECRET_NAME")?,
            github_ca_file: env.optional("GITHUB_CA_FILE"),
            github_ca_config_map: env.optional("GITHUB_CA_CONFIGMAP_NAME"),
            worker_service_account: env.required("WORKER_SERVICE_ACCOUNT")?,
            worker_image: env.required("WORKER_IMAGE")?,
            wrapper_image: env.required("WRAPPER_IMAGE")?,
            security_profile: env.or("SECURITY_PROFILE", "baseline"),
            allowed_priority_classes: env.or("ALLOWED_PRIORITY_CLASSES", ""),
            reserved_priority_classes: env.or("RESERVED_PRIORITY_CLASSES", ""),
            log_level: env.or("LOG_LEVEL", "info"),
            runner_version: env.or("GITHUB_RUNNER_VERSION", RUNNER_VERSION),
            never_started: env.or("NEVER_STARTED", "CompleteJob"),
            runner_group_id: env.parsed("GITHUB_RUNNER_GROUP_ID", 1, "a number")?,
        })
    }
}

/// An empty list need not be written.
fn some(list: &str) -> Option<&str> {
    Some(list).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests;
