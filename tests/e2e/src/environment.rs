//! What the suite knows of the world: the variables that whoever starts it sets.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use kube::{Client, Config};

/// Where the images are when `E2E_IMAGE_REGISTRY` does not say.
const REGISTRY: &str = "localhost/actions-gateway";

/// Something that a test needs and not every cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The images of this checkout, loaded into the nodes: `E2E_IMAGE_TAG`.
    Images,
    /// A control plane that can be stopped and started, by the cluster program: `E2E_CLUSTER`.
    ControlPlaneFault,
    /// The API server's audit log as a file that grows: `E2E_AUDIT_LOG`.
    AuditLog,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Images => "images (set E2E_IMAGE_TAG)",
            Self::AuditLog => "the API server's audit log (set E2E_AUDIT_LOG)",
            Self::ControlPlaneFault => {
                "a control plane that can be stopped (set E2E_CLUSTER to a netns cluster's name)"
            }
        })
    }
}

/// How the cluster was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Our own, of network namespaces.
    Netns,
    /// kind.
    Kind,
}

/// The suite's whole configuration.
#[derive(Clone, Debug)]
pub struct Environment {
    /// How the cluster was made.
    pub provider: Provider,
    /// The cluster's name, where the cluster program answers to it.
    pub cluster: Option<String>,
    registry: String,
    tag: Option<String>,
    audit_log: Option<PathBuf>,
}

impl Environment {
    /// Reads `E2E_PROVIDER`, `E2E_CLUSTER`, `E2E_IMAGE_REGISTRY`, `E2E_IMAGE_TAG` and `E2E_AUDIT_LOG`.
    pub fn read() -> Result<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let provider = match variable("E2E_PROVIDER").as_deref() {
            None | Some("netns") => Provider::Netns,
            Some("kind") => Provider::Kind,
            Some(other) => bail!("E2E_PROVIDER={other}: it is netns or kind"),
        };
        Ok(Self {
            provider,
            cluster: variable("E2E_CLUSTER"),
            registry: variable("E2E_IMAGE_REGISTRY").unwrap_or_else(|| REGISTRY.to_owned()),
            tag: variable("E2E_IMAGE_TAG"),
            audit_log: variable("E2E_AUDIT_LOG").map(PathBuf::from),
        })
    }

    /// Whether the cluster has what a test needs.
    pub fn has(&self, need: Need) -> bool {
        match need {
            Need::Images => self.tag.is_some(),
            Need::AuditLog => self.audit_log.is_some(),
            Need::ControlPlaneFault => self.provider == Provider::Netns && self.cluster.is_some(),
        }
    }

    /// The name of an image without its tag.
    pub fn repository(&self, program: &str) -> String {
        format!("{}/{program}", self.registry)
    }

    /// The tag of all images.
    pub fn tag(&self) -> Result<&str> {
        self.tag.as_deref().context("E2E_IMAGE_TAG is not set")
    }

    /// Where the API server's audit log grows.
    pub fn audit_log(&self) -> Result<&Path> {
        self.audit_log.as_deref().context("E2E_AUDIT_LOG is not set")
    }

    /// A client of the cluster that `KUBECONFIG` names.
    pub async fn client(&self) -> Result<Client> {
        Client::try_from(config().await?).context("making a client")
    }

    /// The same, as somebody else.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client> {
        let mut config = config().await?;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.iter().map(|it| (*it).to_owned()).collect());
        Client::try_from(config).context("making a client that impersonates")
    }
}

async fn config() -> Result<Config> {
    // Without the question whether a file is there, a test would talk to whatever ~/.kube/config names.
    if std::env::var_os("KUBECONFIG").is_none() {
        bail!("KUBECONFIG is not set: the suite runs only against a cluster that it is told to use");
    }
    Config::infer().await.context("reading KUBECONFIG")
}
