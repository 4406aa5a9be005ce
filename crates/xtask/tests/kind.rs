//! What the programs of a machine with Docker are told when clusters are made of kind. They are stand-ins that write
//! down their arguments: kind itself is not here.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Notes what it was called with, and answers what there is to ask.
const STAND_IN: &str = r#"#!/bin/sh
network=${KIND_EXPERIMENTAL_DOCKER_NETWORK:+"on $KIND_EXPERIMENTAL_DOCKER_NETWORK: "}
echo "$network${0##*/} $*" >> "$CALLS"
case "${0##*/} $*" in
"kind get clusters") echo "$CLUSTERS" ;;
"docker network ls"*) echo "$NETWORKS" ;;
"docker network rm"*) exit 1 ;;
"docker inspect"*) echo 172.30.78.3 ;;
"shell ") echo "$KUBECONFIG $E2E_PROVIDER $E2E_CLUSTER $E2E_AUDIT_LOG" >> "$CALLS" ;;
esac
"#;

/// A machine with nothing but stand-ins on its path.
struct Machine {
    folder: TempDir,
    clusters: &'static str,
    networks: &'static str,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for program in ["docker", "helm", "kind", "kubectl", "shell"] {
            let file = bin.join(program);
            fs::write(&file, STAND_IN).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder, clusters: "No kind clusters found.", networks: "bridge\nhost\nkind" }
    }

    fn without(self, program: &str) -> Self {
        fs::remove_file(self.folder.path().join("bin").join(program)).unwrap();
        self
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("cache/actions-gateway/clusters/team")
    }

    fn calls(&self) -> PathBuf {
        self.folder.path().join("calls")
    }

    fn run(&self, args: &[&str]) -> Output {
        let _ = fs::remove_file(self.calls());
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(args).env_clear().env("E2E_PROVIDER", "kind");
        command
            .env("PATH", self.folder.path().join("bin"))
            .env("SHELL", self.folder.path().join("bin/shell"));
        command.env("XDG_CACHE_HOME", self.folder.path().join("cache")).env("CALLS", self.calls());
        command.env("CLUSTERS", self.clusters).env("NETWORKS", self.networks);
        command.output().unwrap()
    }

    /// What is called, in order, when that succeeds. The cluster's folder is written as STATE.
    fn calls_of(&self, args: &[&str]) -> Vec<String> {
        let output = self.run(args);
        assert!(output.status.success(), "{output:?}");
        let calls = fs::read_to_string(self.calls()).unwrap();
        calls.lines().map(|it| it.replace(self.state().to_str().unwrap(), "STATE")).collect()
    }

    fn config(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.state().join("kind.json")).unwrap()).unwrap()
    }
}

#[test]
fn a_cluster_is_created_on_a_network_whose_addresses_can_be_asked_for() {
    let machine = Machine::new();
    assert_eq!(
        machine.calls_of(&["cluster-up", "team", "--nodes", "3"]),
        [
            "kind get clusters",
            "docker network ls --format {{.Name}}",
            "docker network create --subnet 172.30.78.0/24 actions-gateway",
            "on actions-gateway: kind create cluster --wait 120s --name team --config STATE/kind.json \
             --kubeconfig STATE/kubeconfig",
        ]
    );
    let config = machine.config();
    let roles = config["nodes"].as_array().unwrap().iter().map(|it| it["role"].clone());
    assert_eq!(roles.collect::<Vec<_>>(), ["control-plane", "worker", "worker"]);
}

#[test]
fn the_api_server_keeps_an_audit_log_in_the_clusters_folder() {
    let machine = Machine::new();
    machine.calls_of(&["cluster-up", "team"]);
    let node = &machine.config()["nodes"][0];
    assert_eq!(
        node["extraMounts"],
        json!([
            {"hostPath": machine.state().join("audit"), "containerPath": "/etc/kubernetes/audit", "readOnly": true},
            {"hostPath": machine.state().join("logs"), "containerPath": "/var/log/kubernetes"},
        ])
    );
    let patch: Value = serde_json::from_str(node["kubeadmConfigPatches"][0].as_str().unwrap()).unwrap();
    let server = &patch["apiServer"];
    assert_eq!(server["extraArgs"]["audit-policy-file"], "/etc/kubernetes/audit/policy.yaml");
    assert_eq!(server["extraArgs"]["audit-log-path"], "/var/log/kubernetes/audit.log");
    let shown = server["extraVolumes"].as_array().unwrap().iter().map(|it| it["mountPath"].clone());
    assert_eq!(shown.collect::<Vec<_>>(), ["/etc/kubernetes/audit", "/var/log/kubernetes"]);
    let policy = fs::read_to_string(machine.state().join("audit/policy.yaml")).unwrap();
    assert!(policy.contains("kind: Policy"), "{policy}");
}

#[test]
fn a_network_that_is_there_is_used_again() {
    let machine = Machine { networks: "bridge\nactions-gateway", ..Machine::new() };
    let calls = machine.calls_of(&["cluster-up", "team"]);
    assert!(calls.iter().all(|it| !it.contains("network create")), "{calls:?}");
}

#[test]
fn a_cluster_that_is_up_is_left_alone() {
    let machine = Machine { clusters: "other\nteam", ..Machine::new() };
    assert_eq!(machine.calls_of(&["cluster-up", "team"]), ["kind get clusters"]);
}

#[test]
fn nothing_is_begun_without_the_tools() {
    for program in ["docker", "helm", "kind", "kubectl"] {
        let machine = Machine::new().without(program);
        let output = machine.run(&["cluster-up", "team"]);
        assert!(!output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("missing: {program}: https://")), "{said}");
        assert!(!machine.calls().exists());
    }
}

#[test]
fn images_are_loaded_one_archive_at_a_time() {
    assert_eq!(
        Machine::new().calls_of(&["cluster-load", "team", "a.tar", "b.tar"]),
        [
            "on actions-gateway: kind load image-archive --name team a.tar",
            "on actions-gateway: kind load image-archive --name team b.tar",
        ]
    );
}

#[test]
fn a_nodes_power_is_its_containers() {
    let machine = Machine::new();
    let calls = machine.calls_of(&["cluster-node", "team", "poweroff", "team-worker"]);
    assert_eq!(calls, ["docker stop -t 0 team-worker"]);
    assert_eq!(
        machine.calls_of(&["cluster-node", "team", "boot", "team-worker"]),
        ["docker start team-worker"]
    );
}

#[test]
fn a_node_that_was_cut_off_comes_back_with_the_address_it_had() {
    let machine = Machine::new();
    machine.calls_of(&["cluster-up", "team"]);
    assert_eq!(
        machine.calls_of(&["cluster-node", "team", "partition", "team-worker"]),
        [
            "docker inspect --format {{(index .NetworkSettings.Networks \"actions-gateway\").IPAddress}} team-worker",
            "docker network disconnect actions-gateway team-worker",
        ]
    );
    assert_eq!(
        machine.calls_of(&["cluster-node", "team", "heal", "team-worker"]),
        ["docker network connect --ip 172.30.78.3 actions-gateway team-worker"]
    );
}

#[test]
fn a_node_that_was_not_cut_off_is_not_healed() {
    let machine = Machine::new();
    let output = machine.run(&["cluster-node", "team", "heal", "team-worker"]);
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("team-worker was not cut off"));
    assert!(!machine.calls().exists());
}

#[test]
fn logs_are_exported() {
    let calls = Machine::new().calls_of(&["cluster-logs", "team", "there"]);
    assert_eq!(calls, ["on actions-gateway: kind export logs --name team there"]);
}

#[test]
fn a_network_that_other_clusters_use_outlives_a_cluster() {
    assert_eq!(
        Machine::new().calls_of(&["cluster-down", "team"]),
        [
            "on actions-gateway: kind delete cluster --name team --kubeconfig STATE/kubeconfig",
            "docker network rm actions-gateway",
        ]
    );
}

#[test]
fn processes_are_told_of_an_audit_log_that_they_can_read_and_of_no_other() {
    let machine = Machine::new();
    machine.calls_of(&["cluster-up", "team"]);
    assert_eq!(machine.calls_of(&["cluster-shell", "team"])[1], "STATE/kubeconfig kind  ");
    fs::write(machine.state().join("logs/audit.log"), "").unwrap();
    assert_eq!(
        machine.calls_of(&["cluster-shell", "team"])[1],
        "STATE/kubeconfig kind  STATE/logs/audit.log"
    );
}
