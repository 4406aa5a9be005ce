//! What the machine must have, and how it gets it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::say;
use crate::run;

/// Debian packages that the stand-in runner's image is made of: a shell in one static file.
const PACKAGES: [(&str, &str); 1] = [("/bin/busybox", "busybox-static")];

/// What clusters are made of here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// Network namespaces on this machine, by `tests/e2e/cluster`.
    Netns,
    /// `kind`, where Docker runs.
    Kind,
}

impl Provider {
    /// `E2E_PROVIDER`, else kind where Docker and kind are, else namespaces where we are root.
    pub(crate) fn choose() -> Result<Self> {
        match std::env::var("E2E_PROVIDER").ok().as_deref() {
            Some("netns") => return Ok(Self::Netns),
            Some("kind") => return Ok(Self::Kind),
            Some("") | None => {}
            Some(other) => bail!("E2E_PROVIDER is {other:?}; it is netns or kind"),
        }
        if run::on_path("kind") && run::output(Command::new("docker").arg("info")).is_ok() {
            return Ok(Self::Kind);
        }
        if is_root()? {
            return Ok(Self::Netns);
        }
        bail!(
            "a cluster needs either Docker with kind (https://kind.sigs.k8s.io), or root for network namespaces: \
             run the same command with sudo -E"
        )
    }

    /// The word in `E2E_PROVIDER`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Netns => "netns",
            Self::Kind => "kind",
        }
    }
}

/// Refuses a machine that lacks what building needs; says what and how to get it.
pub(crate) fn require(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<_> = programs.iter().filter(|(program, _)| !run::on_path(program)).collect();
    for (program, remedy) in &missing {
        say(format!("missing: {program}: {remedy}"));
    }
    if missing.is_empty() { Ok(()) } else { bail!("install what is missing, then run the command again") }
}

/// Installs the packages that images are made of, where that is allowed.
pub(crate) fn install_packages() -> Result<()> {
    let missing: Vec<_> = PACKAGES
        .iter()
        .filter(|(file, _)| !std::path::Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_root()? || !run::on_path("apt-get") {
        bail!("missing packages: {names}; on Debian or Ubuntu: sudo apt-get install {names}");
    }
    say(format!("-- installing Debian packages: {names}"));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run::logged("apt-update", apt().arg("update"))?;
    run::logged("apt-install", apt().args(["install", "-y", "--no-install-recommends"]).args(&missing))
}

fn is_root() -> Result<bool> {
    let id = run::output(Command::new("id").arg("-u")).context("asking who we are")?;
    Ok(id.trim() == "0")
}
