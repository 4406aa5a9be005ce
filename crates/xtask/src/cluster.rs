//! Clusters: our own of network namespaces, or kind.

mod kind;
mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use self::kind::Kind;
pub(crate) use self::program::{Program, key};
use crate::machine::Provider;
use crate::progress::{say, step};
use crate::run;

/// `e2e-cluster up` ends with this when the cluster is there already.
const ALREADY_UP: i32 = 3;

/// One named cluster.
pub(crate) struct Cluster {
    name: String,
    /// The folder with all that is its own.
    state: PathBuf,
    made: Made,
}

/// What it is made of.
enum Made {
    /// Network namespaces, by the cluster program.
    Netns(Program),
    /// Docker's containers, by kind.
    Kind(Kind),
}

/// What can be done to a node: its plug and its cable.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum NodeVerb {
    /// Pulls the plug.
    Poweroff,
    /// Starts it again.
    Boot,
    /// Pulls the cable.
    Partition,
    /// Plugs the cable in.
    Heal,
}

impl NodeVerb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Poweroff => "poweroff",
            Self::Boot => "boot",
            Self::Partition => "partition",
            Self::Heal => "heal",
        }
    }
}

impl Cluster {
    /// A cluster by name; builds the cluster program when it is needed and missing.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let state = run::cache_dir()?.join("clusters").join(name);
        let made = match Provider::choose()? {
            Provider::Netns => Made::Netns(Program::build()?),
            Provider::Kind => Made::Kind(Kind::new(name, &state)),
        };
        Ok(Self { name: name.to_owned(), state, made })
    }

    /// Starts it, and leaves it be when it is there.
    pub(crate) fn up(&self, nodes: u32) -> Result<()> {
        let program = match &self.made {
            Made::Netns(program) => program,
            Made::Kind(kind) => return kind.up(nodes),
        };
        run::shown(program.command().args(["preflight", "--install"]))?;
        let mut command = program.command();
        command.args(["up", "--name", &self.name, "--nodes", &nodes.to_string()]);
        let status = command.stdin(Stdio::null()).status().context("starting the cluster program")?;
        if !status.success() && status.code() != Some(ALREADY_UP) {
            bail!("the cluster did not come up");
        }
        Ok(())
    }

    /// Removes it.
    pub(crate) fn down(&self) -> Result<()> {
        match &self.made {
            Made::Netns(program) => run::shown(program.command().args(["down", "--name", &self.name])),
            Made::Kind(kind) => kind.down(),
        }
    }

    /// An interactive shell with kubectl and helm.
    pub(crate) fn shell(&self) -> Result<()> {
        let mut command = match &self.made {
            Made::Netns(program) => {
                let mut command = program.command();
                command.args(["shell", "--name", &self.name]);
                command
            }
            Made::Kind(_) => {
                let mut command = Command::new(std::env::var_os("SHELL").unwrap_or_else(|| "sh".into()));
                self.environment(&mut command, &[])?;
                command
            }
        };
        // How the person left the shell is theirs to judge.
        command.status()?;
        Ok(())
    }

    /// Puts image archives on every node.
    pub(crate) fn load(&self, archives: &[PathBuf]) -> Result<()> {
        match &self.made {
            Made::Netns(program) => {
                let mut command = program.command();
                command.args(["image", "load", "--name", &self.name]).args(archives);
                run::logged("image-load", &mut command)
            }
            Made::Kind(kind) => kind.load(archives),
        }
    }

    /// Does to a node what the verb says.
    pub(crate) fn node(&self, verb: NodeVerb, node: &str) -> Result<()> {
        match &self.made {
            Made::Netns(program) => {
                run::shown(program.command().args(["node", verb.as_str(), node, "--name", &self.name]))
            }
            Made::Kind(kind) => kind.node(verb, node),
        }
    }

    /// Proves that a pod is isolated before its first container starts, where the cluster is our own.
    pub(crate) fn check_isolation(&self) -> Result<()> {
        let Made::Netns(program) = &self.made else {
            say("skipped: isolation from a pod's first instant: kind's network does not promise it");
            return Ok(());
        };
        step("isolation from a pod's first instant", "15 s", || {
            run::logged("netpol-check", program.command().args(["netpol-check", "--name", &self.name]))
        })
    }

    /// Copies logs of all components to `dir`.
    pub(crate) fn logs(&self, dir: &Path) -> Result<()> {
        match &self.made {
            Made::Netns(program) => {
                run::logged("cluster-logs", program.command().args(["logs", "--name", &self.name]).arg(dir))
            }
            Made::Kind(kind) => kind.logs(dir),
        }
    }

    /// Sets what a process on this machine needs in order to use the cluster, and puts `tools` on its PATH.
    pub(crate) fn environment(&self, command: &mut Command, tools: &[PathBuf]) -> Result<()> {
        let mut folders: Vec<_> = tools.iter().filter_map(|it| it.parent()).map(Path::to_owned).collect();
        match &self.made {
            Made::Netns(_) => {
                command.env("KUBECONFIG", self.state.join("kubeconfig.local")).env("E2E_PROVIDER", "netns");
                // With these two the suite can stop what the control plane is made of, and read who asked it for what.
                command
                    .env("E2E_CLUSTER", &self.name)
                    .env("E2E_AUDIT_LOG", self.state.join("logs/audit.log"));
                folders.push(self.state.join("bin"));
            }
            Made::Kind(kind) => kind.environment(command),
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        folders.extend(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders)?);
        Ok(())
    }

    /// A kubectl or helm command for this cluster.
    pub(crate) fn tool(&self, name: &str) -> Result<Command> {
        let mut command = match &self.made {
            Made::Netns(program) => {
                let mut command = program.command();
                command.arg(name);
                command
            }
            Made::Kind(_) => Command::new(name),
        };
        self.environment(&mut command, &[])?;
        Ok(command)
    }

    /// A command that runs where pods and nodes have addresses. Only a cluster of our own has such a place.
    pub(crate) fn inside(&self, program: &Path) -> Result<Command> {
        let Made::Netns(cluster) = &self.made else {
            bail!("only a cluster of network namespaces can run programs within it: E2E_PROVIDER=netns")
        };
        let mut command = cluster.command();
        command.args(["exec", "--name", &self.name, "--"]).arg(program);
        Ok(command)
    }
}
