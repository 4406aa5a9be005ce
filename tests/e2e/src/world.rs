//! What all tests share: the cluster, and the product installed in it once.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use tokio::sync::OnceCell;

use crate::environment::{Environment, Need};
use crate::github::{self, GitHub};
use crate::grants::Outage;
use crate::node_agent::NodeAgent;
use crate::{artifacts, logs, tools, wait};

/// Where the manager runs.
pub const SYSTEM: &str = "actions-gateway-system";
/// The manager's Deployment.
pub const MANAGER: &str = "actions-gateway-gmc";
/// The checkout.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// For an image that is on the node to become an available Deployment.
const STARTED: Duration = Duration::from_secs(120);

/// The cluster, and what is in it once for all tests.
pub struct World {
    /// What the suite was told.
    pub environment: Environment,
    /// The administrator's client.
    pub client: Client,
    /// A name of this run's own.
    pub run: String,
    /// When this run began.
    pub started: Timestamp,
    /// Folder of the containers' logs, by namespace.
    pub logs: PathBuf,
    /// Folder of the tests' artifacts, by namespace.
    pub objects: PathBuf,
    outages: Mutex<Vec<Outage>>,
    kinds: OnceCell<Vec<ApiResource>>,
    definitions: OnceCell<()>,
    product: OnceCell<()>,
    github: OnceCell<GitHub>,
    node_agent: OnceCell<NodeAgent>,
}

impl World {
    /// Reaches the cluster. `scratch` is a folder of this run's own.
    pub async fn open(scratch: PathBuf) -> Result<Arc<Self>> {
        let environment = Environment::read()?;
        let client = environment.client().await?;
        let version = client.apiserver_version().await.context("asking the API server for its version")?;
        crate::report::say(&format!(
            "cluster: {:?}, Kubernetes {}",
            environment.provider, version.git_version
        ));
        let logs = empty_folder(scratch.join("e2e-logs"))?;
        let objects = empty_folder(scratch.join("e2e-objects"))?;
        let (definitions, product, github) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let (kinds, node_agent) = (OnceCell::new(), OnceCell::new());
        let (run, started) = (uuid::Uuid::new_v4().to_string(), Timestamp::now());
        Ok(Arc::new(Self {
            environment,
            client,
            run,
            started,
            logs,
            objects,
            outages: Mutex::default(),
            kinds,
            definitions,
            product,
            github,
            node_agent,
        }))
    }

    /// Notes that a test made the API server unavailable for a while.
    pub fn note_outage(&self, outage: Outage) {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner).push(outage);
    }

    /// When the API server was unavailable.
    pub fn outages(&self) -> Vec<Outage> {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every kind whose objects are artifacts of a test.
    pub async fn kinds(&self) -> Result<&[ApiResource]> {
        // The CRDs' kinds are among them.
        self.definitions().await?;
        self.kinds.get_or_try_init(|| artifacts::kinds(&self.client)).await.map(Vec::as_slice)
    }

    /// The CRDs, installed by the chart where its images are there, else by themselves.
    pub async fn definitions(&self) -> Result<()> {
        if self.environment.has(Need::Images) {
            return self.product().await;
        }
        self.definitions.get_or_try_init(|| Box::pin(self.apply_definitions())).await.map(drop)
    }

    /// The chart, installed or brought up to date.
    pub async fn product(&self) -> Result<()> {
        self.product.get_or_try_init(|| Box::pin(self.install())).await.map(drop)
    }

    /// The fake GitHub.
    pub async fn github(&self) -> Result<&GitHub> {
        self.github.get_or_try_init(|| Box::pin(self.start_github())).await
    }

    /// The node agents.
    pub async fn node_agent(&self) -> Result<&NodeAgent> {
        self.node_agent.get_or_try_init(|| Box::pin(NodeAgent::install(self))).await
    }

    async fn apply_definitions(&self) -> Result<()> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for entry in std::fs::read_dir(format!("{ROOT}/config/crd"))? {
            let text = std::fs::read_to_string(entry?.path())?;
            let definition: CustomResourceDefinition = serde_yaml::from_str(&text)?;
            let name = definition.metadata.name.clone().context("a definition has a name")?;
            let params = PatchParams::apply("e2e").force();
            api.patch(&name, &params, &Patch::Apply(&definition)).await.with_context(|| name.clone())?;
            tokio::time::timeout(STARTED, await_condition(api.clone(), &name, is_crd_established()))
                .await
                .with_context(|| format!("{name} was not established"))??;
        }
        Ok(())
    }

    async fn install(&self) -> Result<()> {
        let mut arguments: Vec<String> =
            ["upgrade", "--install", "actions-gateway", &format!("{ROOT}/charts/actions-gateway")]
                .map(str::to_owned)
                .to_vec();
        arguments
            .extend(["--namespace", SYSTEM, "--create-namespace", "--take-ownership"].map(str::to_owned));
        arguments.extend(["--wait", "--timeout", "150s"].map(str::to_owned));
        let tag = self.environment.tag()?;
        let repository = |program| self.environment.repository(program);
        for value in [
            "image.registry=".to_owned(),
            format!("image.tag={tag}"),
            format!("gmc.image.repository={}", repository("gmc")),
            format!("agc.image.repository={}", repository("agc")),
            format!("worker.image.repository={}", repository("worker")),
            format!("runner.image={}", self.runner_image()?),
        ] {
            arguments.extend(["--set-string".to_owned(), value]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let outcome = tools::run("helm", &arguments, "").await;
        logs::follow(self.client.clone(), SYSTEM.to_owned(), self.logs.clone());
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(anyhow!("{error:#}\n{}", crate::report::of_namespace(self, SYSTEM).await)),
        }
    }

    /// The runner image that workers get: it has a shell and the usual tools.
    pub fn runner_image(&self) -> Result<String> {
        Ok(format!("{}:{}", self.environment.repository("runner"), self.environment.tag()?))
    }

    async fn start_github(&self) -> Result<GitHub> {
        let manifest = std::fs::read_to_string(format!("{ROOT}/examples/fake-github.yaml"))?;
        let image = format!("{}:{}", self.environment.repository("fakegithub"), self.environment.tag()?);
        let manifest = manifest.replace("IMAGE", &image);
        tools::run("kubectl", &["apply", "--server-side", "--force-conflicts", "-f", "-"], &manifest).await?;
        logs::follow(self.client.clone(), github::NAMESPACE.to_owned(), self.logs.clone());
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), github::NAMESPACE);
        let started = wait::until(&api, "fakegithub", "available", STARTED, is_rolled_out).await;
        match started {
            Ok(_) => GitHub::connect(self.client.clone()).await,
            Err(error) => {
                Err(anyhow!("{error:#}\n{}", crate::report::of_namespace(self, github::NAMESPACE).await))
            }
        }
    }
}

/// A folder with nothing in it.
fn empty_folder(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Whether every replica of a Deployment is of its current template and available.
pub fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1);
    let current =
        deployment.status.as_ref().and_then(|it| it.observed_generation) == deployment.metadata.generation;
    let status = deployment.status.as_ref();
    let count = |field: Option<i32>| field.unwrap_or(0);
    current
        && status.is_some_and(|it| {
            count(it.updated_replicas) == wanted
                && count(it.replicas) == wanted
                && count(it.available_replicas) == wanted
        })
}
