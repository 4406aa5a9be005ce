//! Programs under measurement: started, weighed, and stopped by their process id.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Linux counts processor time for user space in hundredths of a second, on every architecture.
const TICK_MS: f64 = 10.0;

/// `ESTABLISHED` in /proc/net/tcp.
const ESTABLISHED: &str = "01";

/// A running program. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    id: u32,
}

/// What a process occupies, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident pages.
    pub resident: f64,
    /// The most that was ever resident.
    pub peak: f64,
    /// Resident pages, shared ones by their share.
    pub proportional: f64,
    /// Resident pages that stand in no file: heap and stacks, without the program itself.
    pub anonymous: f64,
}

impl Process {
    /// Starts a program with this environment alone; what it prints goes to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        program: &Path,
        args: &[String],
        env: &BTreeMap<String, String>,
        log: &Path,
    ) -> Result<Self> {
        let name = program.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let output = File::options().create(true).append(true).open(log).context("opening a log")?;
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(env).stdin(Stdio::null()).kill_on_drop(true);
        command.stderr(output.try_clone()?).stdout(output);
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let id = child.id().with_context(|| format!("{name} ended at once"))?;
        Ok(Self { name, child, id })
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// It did not end within `patience` (then it is killed), or ended with an error.
    pub async fn stop(mut self, patience: Duration) -> Result<()> {
        let pid = i32::try_from(self.id).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("stopping {}", self.name))?;
        match timeout(patience, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if status.success() { Ok(()) } else { bail!("{} ended with {status}", self.name) }
            }
            Err(_) => {
                self.child.kill().await?;
                bail!("{} did not end within {patience:?}", self.name)
            }
        }
    }

    /// Whether it ended by itself.
    ///
    /// # Errors
    /// It did.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself: {status}", self.name),
        }
    }

    /// What it occupies now.
    ///
    /// # Errors
    /// It is gone, or the kernel does not tell.
    pub fn memory(&self) -> Result<Memory> {
        let status = self.proc("status")?;
        let shares = self.proc("smaps_rollup")?;
        Ok(Memory {
            resident: mebibytes(&status, "VmRSS:")?,
            peak: mebibytes(&status, "VmHWM:")?,
            proportional: mebibytes(&shares, "Pss:")?,
            anonymous: mebibytes(&status, "RssAnon:")?,
        })
    }

    /// Processor time since the start, in milliseconds.
    ///
    /// # Errors
    /// As [`Self::memory`].
    pub fn processor_ms(&self) -> Result<f64> {
        let stat = self.proc("stat")?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has a name")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? * TICK_MS)
    }

    /// Established TCP connections to this port.
    ///
    /// # Errors
    /// As [`Self::memory`].
    pub fn connections_to(&self, port: u16) -> Result<usize> {
        let mut ours = BTreeSet::new();
        for entry in fs::read_dir(format!("/proc/{}/fd", self.id))? {
            // A descriptor may be closed while we look.
            let Ok(target) = fs::read_link(entry?.path()) else { continue };
            let target = target.to_string_lossy().into_owned();
            ours.extend(
                target.strip_prefix("socket:[").and_then(|it| it.strip_suffix(']')).map(str::to_owned),
            );
        }
        let table = self.proc("net/tcp")?;
        let remote = format!(":{port:04X}");
        let established = table.lines().skip(1).filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let field = |index: usize| fields.get(index).copied().unwrap_or_default();
            field(2).ends_with(&remote) && field(3) == ESTABLISHED && ours.contains(field(9))
        });
        Ok(established.count())
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.id);
        fs::read_to_string(&path).with_context(|| format!("{}: {path}", self.name))
    }
}

fn mebibytes(text: &str, key: &str) -> Result<f64> {
    let line = text.lines().find_map(|it| it.strip_prefix(key)).with_context(|| key.to_owned())?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
