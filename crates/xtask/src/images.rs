//! Container images: release binaries without a C library beside them, packed from scratch as OCI archives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};

use crate::cluster::Program;
use crate::machine;
use crate::progress::{say, step};
use crate::run;

/// Where local images seem to come from; nothing is ever pulled from it.
pub(crate) const REGISTRY: &str = "localhost/actions-gateway";

/// Programs that are an image of their own: the binary, at the image's root.
const PROGRAMS: [&str; 5] = ["gmc", "agc", "proxy", "worker", "fakegithub"];
/// The stand-in for GitHub's runner.
const RUNNER: &str = "standin-runner";
/// Shell commands that workflow steps of tests and demo use.
const APPLETS: [&str; 22] = [
    "sh", "cat", "chmod", "date", "dd", "echo", "env", "false", "find", "grep", "head", "id", "ls", "mkdir",
    "printf", "rm", "sed", "sleep", "test", "tr", "true", "wc",
];

/// What was built.
pub(crate) struct Images {
    /// Digest of the binaries: a tag that never moves.
    pub(crate) tag: String,
    /// One archive an image.
    pub(crate) archives: Vec<PathBuf>,
}

impl Images {
    /// Says what was built.
    pub(crate) fn print(&self) {
        say(format!("tag: {}", self.tag));
        for archive in &self.archives {
            let size = fs::metadata(archive).map_or(0, |it| it.len());
            say(format!("{:>6.1} MiB  {}", size as f64 / f64::from(1 << 20), archive.display()));
        }
    }
}

/// Builds the programs and packs every image. The packer is part of the cluster program, whose build is as long as the
/// programs' own: the Go compiler and rustc leave each other room on two cores, so they run side by side.
pub(crate) fn build() -> Result<Images> {
    let busybox = machine::busybox()?;
    let (packer, binaries) = thread::scope(|scope| {
        let packer = scope.spawn(Program::build);
        let binaries = compile();
        (packer.join(), binaries)
    });
    let packer = packer.map_err(|_| anyhow!("the thread that built the cluster program panicked"))??;
    pack(&binaries?, &packer, &busybox)
}

/// Compiles the programs for images; returns the folder that they are in.
pub(crate) fn compile() -> Result<PathBuf> {
    machine::require(&[
        ("cargo", "Rust 1.95 or newer: https://rustup.rs"),
        ("cc", "a C compiler, for the TLS library: sudo apt-get install gcc libc6-dev"),
    ])?;
    let target = host_target()?;
    step("building the programs for the images", "7 min cold, 30 s warm", || {
        let mut command = release(&target);
        for program in PROGRAMS {
            command.args(["--package", program]);
        }
        run::logged("cargo-release", command.args(["--package", RUNNER]))
    })?;
    Ok(Path::new("target").join(target).join("release"))
}

/// Compiles what measures the programs, by itself: asked for together, it could give them features that they do not
/// have when they are shipped. Returns its path.
pub(crate) fn compile_bench() -> Result<PathBuf> {
    let target = host_target()?;
    step("building what measures", "3 min cold, 10 s warm", || {
        run::logged("cargo-bench", release(&target).args(["--package", "bench"]))
    })?;
    Ok(Path::new("target").join(target).join("release/bench"))
}

/// A build of static programs.
fn release(target: &str) -> Command {
    let mut command = Command::new("cargo");
    command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    command.args(["build", "--release", "--target", target]);
    command
}

/// Packs the images.
fn pack(binaries: &Path, program: &Program, busybox: &Path) -> Result<Images> {
    let tag = tag(binaries)?;
    let folder = run::output_dir()?.join("images");
    fs::create_dir_all(&folder)?;
    let mut archives = Vec::new();
    for name in PROGRAMS {
        let archive = folder.join(format!("{name}.tar"));
        let mut command = start(program, name, &tag, &archive);
        command.args(["--entrypoint", &format!("/{name}"), "--user", "65532:65532"]);
        command.arg("--file").arg(format!("{}:/{name}:0755", binaries.join(name).display()));
        run::logged("image-pack", &mut command)?;
        archives.push(archive);
    }
    let archive = folder.join("runner.tar");
    let command = start(program, "runner", &tag, &archive);
    run::logged("image-pack", &mut runner(command, binaries, busybox))?;
    archives.push(archive);
    Ok(Images { tag, archives })
}

fn start(program: &Program, name: &str, tag: &str, archive: &Path) -> Command {
    let mut command = program.command();
    command.args(["image", "pack", "--name", &format!("{REGISTRY}/{name}:{tag}"), "-o"]).arg(archive);
    command
}

/// The stock runner image's layout, with the stand-in for its `Runner.Worker` and a shell.
fn runner(mut command: Command, binaries: &Path, busybox: &Path) -> Command {
    command.args(["--user", "1001:1001", "--workdir", "/home/runner", "--env", "HOME=/home/runner"]);
    command.args(["--env", "PATH=/bin", "--dir", "/tmp:1777", "--dir", "/home/runner:0755:1001"]);
    command.args(["--dir", "/home/runner/bin:0755:1001"]);
    command.arg("--file").arg(format!("{}:/bin/busybox:0755", busybox.display()));
    command
        .arg("--file")
        .arg(format!("{}:/home/runner/bin/Runner.Worker:0755", binaries.join(RUNNER).display()));
    for applet in APPLETS {
        command.args(["--link", &format!("/bin/{applet}:busybox")]);
    }
    command
}

fn tag(binaries: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for name in PROGRAMS.iter().chain([&RUNNER]) {
        let path = binaries.join(name);
        hash.update(fs::read(&path).with_context(|| path.display().to_string())?);
    }
    Ok(hex::encode(&hash.finalize()[..6]))
}

fn host_target() -> Result<String> {
    let text = run::output(Command::new("rustc").arg("-vV"))?;
    let line = text.lines().find_map(|it| it.strip_prefix("host: "));
    Ok(line.context("rustc does not say what it builds for")?.to_owned())
}
