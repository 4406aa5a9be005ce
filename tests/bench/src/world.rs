//! The API server that a controller works with, real or not, and the tenant in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use http::{HeaderValue, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::calls::Calls;
use crate::stub::{Stub, TOKEN};

/// The tenant's namespace.
pub const NAMESPACE: &str = "bench";
/// Its only RunnerGroup.
pub const GROUP: &str = "blue";
/// The controller's ServiceAccount, as the manager names it.
const ACCOUNT: &str = "actions-gateway-controller";
const OURS: &str = "/apis/actions-gateway.github.com/v1alpha1/namespaces/bench";

/// An API server.
pub struct World {
    /// `stub` or `cluster`.
    pub name: &'static str,
    /// Ours: the administrator and the kubelet.
    pub client: Client,
    /// For the program under measurement.
    pub kubeconfig: PathBuf,
    /// What that program asks.
    pub calls: Calls,
}

impl World {
    /// The stub, in this process, over HTTPS on loopback.
    ///
    /// # Errors
    /// It cannot be served.
    pub async fn stub(dir: &Path) -> Result<Self> {
        let stub = Stub::start().await?;
        let ca = dir.join("stub-ca.pem");
        fs::write(&ca, &stub.ca_pem)?;
        let cluster = json!({ "server": stub.url, "certificate-authority": ca });
        let kubeconfig = write_kubeconfig(dir, "stub", &cluster, TOKEN)?;
        let client = client(kubeconfig_of(&cluster, "administrator")).await?;
        Ok(Self { name: "stub", client, kubeconfig, calls: Calls::Kept(stub.calls) })
    }

    /// A real API server: its administrator's kubeconfig, and its audit log.
    ///
    /// # Errors
    /// It cannot be reached, or refuses what the controller needs.
    pub async fn cluster(dir: &Path, admin: &Path, audit: &Path, config: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(admin).context("the administrator's kubeconfig")?;
        let value = serde_json::to_value(&file)?;
        let client = client(file).await?;
        for folder in
            ["crd/actionsgateways.yaml", "crd/runnergroups.yaml", "crd/runnerjobs.yaml", "rbac/agc.yaml"]
        {
            apply_file(&client, &config.join(folder)).await?;
        }
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
        apply(&client, "/api/v1/namespaces", &namespace).await?;
        for name in [ACCOUNT, "actions-gateway-worker"] {
            let account =
                json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
            apply(&client, "/api/v1/namespaces/bench/serviceaccounts", &account).await?;
        }
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": ACCOUNT },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "actions-gateway-agc" },
            "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE }],
        });
        apply(&client, "/apis/rbac.authorization.k8s.io/v1/namespaces/bench/rolebindings", &binding).await?;
        let path = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token");
        let wanted = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "expirationSeconds": 7200 },
        });
        let issued: Value =
            client.request(Request::post(path).body(wanted.to_string().into_bytes())?).await?;
        let token = issued["status"]["token"].as_str().context("a token")?;
        let kubeconfig = write_kubeconfig(dir, "cluster", &value["clusters"][0]["cluster"], token)?;
        let user = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
        Ok(Self { name: "cluster", client, kubeconfig, calls: Calls::Audit(audit.to_owned(), user) })
    }

    /// Makes gateway and group. No scheduler takes the workers: we are their node.
    ///
    /// # Errors
    /// They are refused.
    pub async fn tenant(&self, github: &str) -> Result<()> {
        let gateway = json!({
            "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "ActionsGateway",
            "metadata": { "name": "bench", "namespace": NAMESPACE },
            "spec": { "gitHubAppRef": { "name": "app" }, "gitHubURL": github },
        });
        apply(&self.client, &format!("{OURS}/actionsgateways"), &gateway).await?;
        let group = json!({
            "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerGroup",
            "metadata": { "name": GROUP, "namespace": NAMESPACE },
            "spec": {
                "runnerLabels": ["bench"],
                "maxListeners": 4,
                "maxWorkers": 10_000,
                "completedPodTTL": "0s",
                "jobHistory": { "succeeded": 1000, "failed": 1000, "ttl": "24h" },
                "podTemplate": { "spec": { "schedulerName": "bench" } },
            },
        });
        apply(&self.client, &format!("{OURS}/runnergroups"), &group).await
    }

    /// The jobs as the controller has written them down.
    ///
    /// # Errors
    /// The API server fails.
    pub async fn runner_jobs(&self) -> Result<Vec<Value>> {
        self.list(&format!("{OURS}/runnerjobs")).await
    }

    /// All pods.
    ///
    /// # Errors
    /// The API server fails.
    pub async fn pods(&self) -> Result<Vec<Value>> {
        self.list(&format!("/api/v1/namespaces/{NAMESPACE}/pods")).await
    }

    async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut listed: Value = self.client.request(Request::get(path).body(Vec::new())?).await?;
        Ok(match listed["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        })
    }
}

async fn apply_file(client: &Client, file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    for document in serde_yaml::Deserializer::from_str(&text) {
        let object = Value::deserialize(document)?;
        let collection = match object["kind"].as_str() {
            Some("CustomResourceDefinition") => "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            Some("ClusterRole") => "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            _ => continue,
        };
        apply(client, collection, &object).await?;
    }
    Ok(())
}

async fn apply(client: &Client, collection: &str, object: &Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().context("an object has a name")?;
    let uri = format!("{collection}/{name}?fieldManager=bench&force=true");
    let request = Request::patch(&uri).header("content-type", "application/apply-patch+yaml");
    let _: Value = client.request(request.body(object.to_string().into_bytes())?).await.context(uri)?;
    Ok(())
}

async fn client(file: Kubeconfig) -> Result<Client> {
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    config.headers.push((http::header::USER_AGENT, HeaderValue::from_static("actions-gateway-bench/1")));
    Ok(Client::try_from(config)?)
}

fn kubeconfig_value(cluster: &Value, token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{ "name": "bench", "cluster": cluster }],
        "users": [{ "name": "bench", "user": { "token": token } }],
        "contexts": [{ "name": "bench", "context": { "cluster": "bench", "user": "bench", "namespace": NAMESPACE } }],
    })
}

fn kubeconfig_of(cluster: &Value, token: &str) -> Kubeconfig {
    serde_json::from_value(kubeconfig_value(cluster, token)).unwrap_or_default()
}

/// JSON is YAML.
fn write_kubeconfig(dir: &Path, name: &str, cluster: &Value, token: &str) -> Result<PathBuf> {
    let path = dir.join(format!("{name}.kubeconfig"));
    fs::write(&path, kubeconfig_value(cluster, token).to_string())?;
    Ok(path)
}
