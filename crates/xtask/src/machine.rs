//! What the machine must have, and how it gets it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::say;
use crate::run;

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

/// A static `busybox`: the shell of the stand-in runner's image. `BUSYBOX` names another one.
pub(crate) fn busybox() -> Result<PathBuf> {
    match std::env::var_os("BUSYBOX") {
        Some(file) => Ok(file.into()),
        None => from_debian("busybox-static", "bin/busybox", "set BUSYBOX to a static busybox"),
    }
}

/// Prometheus' own checker of metrics.
pub(crate) fn promtool() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).map(|dir| dir.join("promtool")).find(|it| it.is_file()) {
        Some(file) => Ok(file),
        None => from_debian("prometheus", "usr/bin/promtool", "put Prometheus' promtool on the PATH"),
    }
}

/// A file of a Debian package, which is unpacked in the cache: nothing is installed, and no service starts.
fn from_debian(package: &str, file: &str, remedy: &str) -> Result<PathBuf> {
    let folder = run::cache_dir()?.join("debian").join(package);
    let wanted = folder.join(file);
    if wanted.is_file() {
        return Ok(wanted);
    }
    if !run::on_path("apt-get") || !run::on_path("dpkg") {
        bail!("{file} of Debian's package {package} is needed, and this machine has no apt-get: {remedy}");
    }
    say(format!("-- fetching Debian's package {package} into the cache"));
    fs::create_dir_all(&folder)?;
    let download = || {
        let mut command = Command::new("apt-get");
        command.current_dir(&folder).args(["download", package]);
        run::logged("apt-download", &mut command)
    };
    if download().is_err() {
        // A new machine has no package lists yet.
        run::logged("apt-update", Command::new("apt-get").arg("update"))?;
        download()?;
    }
    for archive in fs::read_dir(&folder)? {
        let archive = archive?.path();
        if archive.extension().is_some_and(|it| it == "deb") {
            run::logged("dpkg", Command::new("dpkg").arg("-x").arg(&archive).arg(&folder))?;
            fs::remove_file(archive)?;
        }
    }
    if wanted.is_file() { Ok(wanted) } else { bail!("Debian's package {package} holds no {file}: {remedy}") }
}

fn is_root() -> Result<bool> {
    let id = run::output(Command::new("id").arg("-u")).context("asking who we are")?;
    Ok(id.trim() == "0")
}
