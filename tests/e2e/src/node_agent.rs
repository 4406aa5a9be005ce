//! The node agent: a privileged pod on every node that shares the node's process namespace, so that the suite can kill
//! a container's process as the kernel would, or freeze it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::{World, tools, wait};

/// Namespace of the node agents.
pub const NAMESPACE: &str = "e2e-node-agent";
/// Their DaemonSet, and the value of its label.
const NAME: &str = "node-agent";
/// For an image that is on the nodes to run on all of them.
const STARTED: Duration = Duration::from_secs(60);

/// Signals the process of a container, found by its pod's uid in its environment, and waits until that shows. Of the
/// processes of a pod it means the one called like the program.
const SIGNAL: &str = r#"
set -eu
uid=$1 program=$2 signal=$3
for environment in $(grep -lzx "POD_UID=$uid" /proc/[0-9]*/environ 2>/dev/null); do
    process=${environment%/environ}
    test "$(cat $process/comm)" = "$program" || continue
    kill -"$signal" "${process#/proc/}"
    case $signal in
        STOP) until grep -q '^State:.T' $process/status; do sleep 0.02; done ;;
        KILL) while test -d $process; do sleep 0.02; done ;;
    esac
    exit 0
done
echo "no process $program of pod $uid" >&2
exit 1
"#;

/// A signal for a container's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGKILL: nothing of it runs any more once this has been done.
    Kill,
    /// SIGSTOP: nothing of it runs once this has been done.
    Stop,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Stop => "STOP",
        }
    }
}

/// The node agents of all nodes.
#[derive(Clone)]
pub struct NodeAgent {
    pods: Api<Pod>,
}

impl NodeAgent {
    /// Installs one on every node.
    pub async fn install(world: &World) -> Result<Self> {
        let image = format!("{}:{}", world.environment.repository("runner"), world.environment.tag()?);
        tools::run("kubectl", &["apply", "--server-side", "--force-conflicts", "-f", "-"], &manifest(&image))
            .await?;
        let sets: Api<DaemonSet> = Api::namespaced(world.client.clone(), NAMESPACE);
        wait::until(&sets, NAME, "on every node", STARTED, is_everywhere).await?;
        Ok(Self::reach(world.client.clone()))
    }

    fn reach(client: Client) -> Self {
        Self { pods: Api::namespaced(client, NAMESPACE) }
    }

    /// Signals the program of a pod whose environment holds its uid as `POD_UID`.
    pub async fn signal(&self, pod: &Pod, program: &str, signal: Signal) -> Result<()> {
        let node = pod.spec.as_ref().and_then(|it| it.node_name.as_deref()).context("the pod has a node")?;
        let uid = pod.metadata.uid.as_deref().context("a uid")?;
        let agent = self.of_node(node).await?.name_any();
        let script = ["sh", "-c", SIGNAL, "sh", uid, program, signal.name()];
        let exec = [&["exec", "-n", NAMESPACE, &agent, "--"][..], &script].concat();
        tools::run("kubectl", &exec, "").await.map(drop)
    }

    /// Any of them, with its address.
    pub(crate) async fn any(&self) -> Result<(String, String)> {
        let pods = self.list("").await?;
        let pod = pods.first().context("no node agent is running")?;
        let address = pod.status.as_ref().and_then(|it| it.pod_ip.clone()).context("it has no address")?;
        Ok((pod.name_any(), address))
    }

    async fn of_node(&self, node: &str) -> Result<Pod> {
        let pods = self.list(&format!("spec.nodeName={node}")).await?;
        pods.into_iter().next().with_context(|| format!("no node agent on {node}"))
    }

    async fn list(&self, fields: &str) -> Result<Vec<Pod>> {
        let params = ListParams::default().labels(&format!("app={NAME}")).fields(fields);
        let pods = self.pods.list(&params).await?.items;
        let pods: Vec<_> = pods.into_iter().filter(|it| it.metadata.deletion_timestamp.is_none()).collect();
        ensure!(!pods.is_empty(), "no node agent: {fields}");
        Ok(pods)
    }
}

fn manifest(image: &str) -> String {
    let labels = json!({"app": NAME});
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
    });
    let set = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "hostPID": true,
                    "terminationGracePeriodSeconds": 0,
                    "automountServiceAccountToken": false,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [{
                        "name": NAME,
                        "image": image,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", "while true; do sleep 3600; done"],
                        "securityContext": {"privileged": true, "runAsUser": 0},
                    }],
                },
            },
        },
    });
    format!("{namespace}\n---\n{set}\n")
}

fn is_everywhere(set: &DaemonSet) -> bool {
    let Some(status) = &set.status else { return false };
    let wanted = status.desired_number_scheduled;
    status.observed_generation == set.metadata.generation
        && wanted > 0
        && status.updated_number_scheduled == Some(wanted)
        && status.number_available == Some(wanted)
}
