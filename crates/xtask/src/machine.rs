//! What the machine must have, and how it gets it.

use std::fs;
use std::path::{Path, PathBuf};
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
    unpack(&folder, || Ok(vec![package.to_owned()]))?;
    if wanted.is_file() { Ok(wanted) } else { bail!("Debian's package {package} holds no {file}: {remedy}") }
}

/// A folder of the cache, known by `name`, with Debian packages and all that they depend on, unpacked side by side.
pub(crate) fn debian_root(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = run::cache_dir()?.join("debian").join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    if !run::on_path("apt-get") || !run::on_path("dpkg") {
        bail!("Debian's packages {} are needed, and this machine has no apt-get", packages.join(", "));
    }
    say(format!("-- fetching Debian's packages {}, and what they need, into the cache", packages.join(", ")));
    let unfinished = folder.with_extension("unfinished");
    unpack(&unfinished, || with_dependencies(packages))?;
    fs::rename(&unfinished, &folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Names of the packages and of all that they depend on.
fn with_dependencies(packages: &[&str]) -> Result<Vec<String>> {
    let kinds = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
    let mut command = Command::new("apt-cache");
    command.args(["depends", "--recurse"]).args(kinds.map(|it| format!("--no-{it}"))).args(packages);
    // A line that begins with a letter is a package; its dependencies are indented, and a virtual one is in brackets.
    let printed = run::output(&mut command)?;
    let names = printed.lines().filter(|it| it.starts_with(|it: char| it.is_ascii_alphanumeric()));
    Ok(names.map(str::to_owned).collect())
}

/// Downloads packages into a folder and leaves there what is in them. They are asked for again once the lists of packages
/// are there, which a new machine does not have yet.
fn unpack(folder: &Path, packages: impl Fn() -> Result<Vec<String>>) -> Result<()> {
    fs::create_dir_all(folder)?;
    let download = || {
        let mut command = Command::new("apt-get");
        command.current_dir(folder).arg("download").args(packages()?);
        run::logged("apt-download", &mut command)
    };
    if download().is_err() {
        run::logged("apt-update", Command::new("apt-get").arg("update"))?;
        download()?;
    }
    for archive in fs::read_dir(folder)? {
        let archive = archive?.path();
        if archive.extension().is_some_and(|it| it == "deb") {
            run::logged("dpkg", Command::new("dpkg").arg("-x").arg(&archive).arg(folder))?;
            fs::remove_file(archive)?;
        }
    }
    Ok(())
}

fn is_root() -> Result<bool> {
    let id = run::output(Command::new("id").arg("-u")).context("asking who we are")?;
    Ok(id.trim() == "0")
}
