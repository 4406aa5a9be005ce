//! `make cluster-conformance`: whether the cluster that the tests trust does what Kubernetes' own specs ask of one.

mod images;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::verdict::{Lists, Verdict};
use crate::cluster::{Cluster, Program, key};
use crate::machine::{self, Provider};
use crate::progress::{heading, say, spoken, step};
use crate::run;

/// The cluster that is judged; it is made for that and removed afterwards.
const CLUSTER: &str = "conformance";
/// Some specs ask what is between nodes.
const NODES: u32 = 2;
/// Upstream's specs as a Go module, and what of them is run.
const MODULE: &str = "tests/e2e/cluster/conformance";
/// How many specs run side by side: with more of them, two cores make upstream's own time limits too short.
const SIDE_BY_SIDE: &str = "4";

/// Runs every listed spec on a new cluster, and fails unless each has run and passed.
pub(crate) fn run() -> Result<()> {
    if Provider::choose()? != Provider::Netns {
        bail!(
            "conformance runs against the cluster of network namespaces only, not kind: E2E_PROVIDER=netns, as root"
        );
    }
    let _lock = run::lock(CLUSTER)?;
    let lists = Lists::read(&Path::new(MODULE).join("specs"))?;
    // What an earlier run has reported must not be taken for this one's.
    let folder = folder()?;
    fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    heading("Building");
    let busybox = machine::busybox()?;
    let tools = machine::debian_root("conformance", &images::DEBIAN)?;
    let cluster = Cluster::open(CLUSTER)?;
    let upstream = Upstream::build()?;
    let program = Program::build()?;
    let archives = step("packing the images that specs use", "10 s", || {
        images::pack(&upstream, &program, &busybox, &tools)
    })?;

    heading("A cluster of two nodes");
    cluster.down()?;
    let outcome = cluster.up(NODES).and_then(|()| {
        step("loading the images", "30 s", || cluster.load(&archives))?;
        judge(&cluster, &upstream, &lists)
    });
    if outcome.is_err() {
        let logs = folder.join("cluster");
        fs::create_dir_all(&logs)?;
        cluster.logs(&logs)?;
    }
    if std::env::var_os("E2E_KEEP").is_some() {
        say(format!("E2E_KEEP is set: the cluster {CLUSTER} stays"));
        return outcome;
    }
    outcome.and(cluster.down())
}

/// Upstream's specs, the program that runs them side by side, and what their pods are made of.
struct Upstream(PathBuf);

impl Upstream {
    fn build() -> Result<Self> {
        let folder = run::cache_dir()?.join("conformance").join(key(MODULE)?);
        if !folder.is_dir() {
            step("building upstream's specs and agnhost", "3 min after the cluster's build", || {
                run::built(&folder, "go-build", Command::new(Path::new(MODULE).join("build.sh")))
            })?;
        }
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Every image that a spec may ask for.
    fn images(&self) -> Result<Vec<String>> {
        let printed = run::output(Command::new(self.file("conformance.test")).arg("--list-images"))?;
        Ok(printed.lines().map(str::to_owned).collect())
    }
}

fn judge(cluster: &Cluster, upstream: &Upstream, lists: &Lists) -> Result<()> {
    heading("Upstream's specs");
    let folder = folder()?;
    let report = folder.join("report.json");
    let names = folder.join("specs.txt");
    fs::write(&names, lists.required().collect::<Vec<_>>().join("\n"))?;

    let mut command = cluster.inside(&upstream.file("ginkgo"))?;
    command.args(["--procs", SIDE_BY_SIDE, "--no-color", "--timeout", "60m"]);
    command.args(["--json-report", "report.json", "--output-dir"]).arg(&folder);
    command
        .arg(upstream.file("conformance.test"))
        .args(["--", "--provider", "skeleton", "--specs"])
        .arg(names);
    command.arg("--report-dir").arg(&folder);
    let start = Instant::now();
    let count = lists.required().count();
    let ended = step(&format!("{count} specs, {SIDE_BY_SIDE} at a time"), "8 min", || {
        run::logged("conformance", &mut command)
    });

    // Without a report nothing can be said but how the runner ended.
    let text = match (fs::read_to_string(&report), &ended) {
        (Err(_), Err(error)) => bail!("the specs did not run: {error:#}"),
        (text, _) => text.with_context(|| report.display().to_string())?,
    };
    let verdict = Verdict::of(&text, lists)?;
    say(format!("{verdict}\n{} on {NODES} nodes; reports: {}", spoken(start.elapsed()), folder.display()));
    verdict.into_result()?;
    // All specs passed, and yet: something before or after them did not.
    ended
}

/// The folder for what a run reports.
fn folder() -> Result<PathBuf> {
    let folder = run::output_dir()?.join("conformance");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
