//! Figures as JSON and as a table, beside those of the run before.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::figures::Figure;
use crate::tally::Tally;

/// Everything that a run has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it ended.
    pub time: Timestamp,
    /// Processor, cores and memory.
    pub machine: String,
    /// What was measured, by API server.
    pub worlds: BTreeMap<String, Measured>,
}

/// What was measured with one API server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The figures, in the order of measuring.
    pub figures: Vec<Figure>,
    /// Calls a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<Tally>,
}

impl Report {
    /// An empty one, of this machine and moment.
    pub fn new() -> Self {
        Self { time: Timestamp::now(), machine: machine(), worlds: BTreeMap::new() }
    }

    /// A report that was written earlier, if there is one that can be read.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// Writes it, all or nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let new = path.with_extension("json.new");
        fs::write(&new, serde_json::to_string_pretty(self)? + "\n")?;
        fs::rename(&new, path).with_context(|| path.display().to_string())
    }

    /// The table; with a run before, how many times its median each median is.
    pub fn table(&self, before: Option<&Self>) -> String {
        let mut lines = vec![self.machine.clone()];
        for (name, measured) in &self.worlds {
            lines.push(format!("\n{name}"));
            lines.push(format!(
                "{:<66} {:>5} {:>6} {:>9} {:>9} {:>9} {:>6} {:>7}",
                "figure", "unit", "n", "p50", "p99", "max", "load", "before"
            ));
            let old = before.and_then(|it| it.worlds.get(name));
            lines.extend(measured.figures.iter().map(|figure| row(figure, old)));
            lines.extend(measured.calls.iter().flat_map(tally));
        }
        lines.join("\n") + "\n"
    }
}

fn row(figure: &Figure, old: Option<&Measured>) -> String {
    let before = old.and_then(|it| it.figures.iter().find(|it| it.name == figure.name));
    let ratio =
        before.filter(|it| it.p50 > 0.0).map_or(String::new(), |it| format!("×{:.2}", figure.p50 / it.p50));
    let Figure { name, unit, count, p50, p99, max, load } = figure;
    format!("{name:<66} {unit:>5} {count:>6} {p50:>9.2} {p99:>9.2} {max:>9.2} {load:>6.2} {ratio:>7}")
}

fn tally(tally: &Tally) -> Vec<String> {
    let list = |calls: &BTreeMap<String, f64>| {
        calls.iter().map(|(name, count)| format!("{name} {count:.2}")).collect::<Vec<_>>().join(", ")
    };
    vec![
        format!("calls a job, n = {}: {:.2} writes, {:.2} reads", tally.jobs, tally.writes, tally.reads),
        format!("  API server: {}", list(&tally.api)),
        format!("  beside:     {}", list(&tally.beside)),
        format!("  GitHub:     {}", list(&tally.github)),
    ]
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let value = |text: String, key: &str| {
        let line = text.lines().find(|it| it.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once(':').map_or(String::new(), |it| it.1.trim().to_owned())
    };
    let processor = value(read("/proc/cpuinfo"), "model name");
    let memory = value(read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{processor}, {cores} cores, {memory}, Linux {}", kernel.trim())
}
