//! Clusters of kind: what Docker and kind are told.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::NodeVerb;
use crate::machine;
use crate::progress::say;
use crate::run;

/// The nodes' network. kind's own has no subnet that was asked for, and without one Docker refuses to give a container
/// the address back that it had.
const NETWORK: &str = "actions-gateway";
const SUBNET: &str = "172.30.78.0/24";

/// What our own cluster notes of requests is noted here as well.
const AUDIT_POLICY: &str =
    include_str!("../../../../tests/e2e/cluster/internal/controlplane/audit-policy.yaml");
/// Folders of the control plane's node, both shown to the API server.
const POLICY_FOLDER: &str = "/etc/kubernetes/audit";
const LOG_FOLDER: &str = "/var/log/kubernetes";

/// One cluster of kind.
pub(super) struct Kind {
    name: String,
    state: PathBuf,
}

impl Kind {
    pub(super) fn new(name: &str, state: &Path) -> Self {
        Self { name: name.to_owned(), state: state.to_owned() }
    }

    pub(super) fn up(&self, nodes: u32) -> Result<()> {
        machine::require(&[
            ("docker", "https://docs.docker.com/engine/install"),
            ("kind", "https://kind.sigs.k8s.io, one binary"),
            ("kubectl", "https://kubernetes.io/docs/tasks/tools, one binary"),
            ("helm", "https://helm.sh, one binary"),
        ])?;
        if lists(Command::new("kind").args(["get", "clusters"]), &self.name)? {
            say(format!("the kind cluster {} is up already", self.name));
            return Ok(());
        }
        fs::create_dir_all(self.state.join("audit"))?;
        fs::create_dir_all(self.state.join("logs"))?;
        fs::write(self.state.join("audit/policy.yaml"), AUDIT_POLICY)?;
        let config = self.state.join("kind.json");
        fs::write(&config, self.config(nodes).to_string())?;
        if !lists(Command::new("docker").args(["network", "ls", "--format", "{{.Name}}"]), NETWORK)? {
            run::shown(Command::new("docker").args(["network", "create", "--subnet", SUBNET, NETWORK]))?;
        }
        let mut command = self.kind(&["create", "cluster", "--wait", "120s"]);
        run::shown(command.arg("--config").arg(config).arg("--kubeconfig").arg(self.kubeconfig()))
    }

    pub(super) fn down(&self) -> Result<()> {
        run::shown(self.kind(&["delete", "cluster"]).arg("--kubeconfig").arg(self.kubeconfig()))?;
        // Docker keeps the network when another cluster has nodes on it, and that is as it should be.
        let _ = run::output(Command::new("docker").args(["network", "rm", NETWORK]));
        Ok(())
    }

    pub(super) fn load(&self, archives: &[PathBuf]) -> Result<()> {
        archives.iter().try_for_each(|archive| {
            run::logged("image-load", self.kind(&["load", "image-archive"]).arg(archive))
        })
    }

    pub(super) fn logs(&self, dir: &Path) -> Result<()> {
        run::logged("cluster-logs", self.kind(&["export", "logs"]).arg(dir))
    }

    /// A node is a container of the same name.
    pub(super) fn node(&self, verb: NodeVerb, node: &str) -> Result<()> {
        let mut docker = Command::new("docker");
        match verb {
            // No time to say goodbye: what is practised is a power cut.
            NodeVerb::Poweroff => docker.args(["stop", "-t", "0", node]),
            NodeVerb::Boot => docker.args(["start", node]),
            NodeVerb::Partition => {
                fs::write(self.address_of(node), address(node)?)?;
                docker.args(["network", "disconnect", NETWORK, node])
            }
            NodeVerb::Heal => {
                let file = self.address_of(node);
                let address = fs::read_to_string(&file)
                    .with_context(|| format!("{node} was not cut off: no {}", file.display()))?;
                docker.args(["network", "connect", "--ip", &address, NETWORK, node])
            }
        };
        run::shown(&mut docker)
    }

    pub(super) fn environment(&self, command: &mut Command) {
        command.env("KUBECONFIG", self.kubeconfig()).env("E2E_PROVIDER", "kind");
        // The API server writes it as root, for itself alone: tests of it are skipped for people who may not read it.
        let log = self.state.join("logs/audit.log");
        if File::open(&log).is_ok() {
            command.env("E2E_AUDIT_LOG", log);
        }
    }

    fn kind(&self, verb: &[&str]) -> Command {
        let mut command = Command::new("kind");
        command.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", NETWORK).args(verb).args(["--name", &self.name]);
        command
    }

    fn kubeconfig(&self) -> PathBuf {
        self.state.join("kubeconfig")
    }

    fn address_of(&self, node: &str) -> PathBuf {
        self.state.join(format!("{node}.address"))
    }

    /// The cluster as kind wants it described. The patch names no version of kubeadm's configuration: kind fits such a
    /// one to the version that the node's Kubernetes takes.
    fn config(&self, nodes: u32) -> serde_json::Value {
        let folder = |name, path| json!({"name": name, "hostPath": path, "mountPath": path});
        let patch = json!({
            "kind": "ClusterConfiguration",
            "apiServer": {
                "extraArgs": {
                    "enable-admission-plugins": "NodeRestriction,OwnerReferencesPermissionEnforcement",
                    "audit-policy-file": format!("{POLICY_FOLDER}/policy.yaml"),
                    "audit-log-path": format!("{LOG_FOLDER}/audit.log"),
                },
                "extraVolumes": [folder("audit-policy", POLICY_FOLDER), folder("audit-log", LOG_FOLDER)],
            },
        });
        let mut all = vec![json!({
            "role": "control-plane",
            "extraMounts": [
                {"hostPath": self.state.join("audit"), "containerPath": POLICY_FOLDER, "readOnly": true},
                {"hostPath": self.state.join("logs"), "containerPath": LOG_FOLDER},
            ],
            "kubeadmConfigPatches": [patch.to_string()],
        })];
        all.extend((1..nodes).map(|_| json!({"role": "worker"})));
        json!({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": all})
    }
}

fn address(node: &str) -> Result<String> {
    let format = format!("{{{{(index .NetworkSettings.Networks \"{NETWORK}\").IPAddress}}}}");
    let printed = run::output(Command::new("docker").args(["inspect", "--format", &format, node]))?;
    Ok(printed.trim().to_owned())
}

/// Whether the command prints that line.
fn lists(command: &mut Command, line: &str) -> Result<bool> {
    Ok(run::output(command)?.lines().any(|it| it == line))
}
