//! Measures the release binary of the controller as its own process, against a fake GitHub in another one and an API
//! server: a stub, or a real one. `make bench` runs it; docs/operating/benchmarks.md says how to read it.

#![expect(clippy::print_stdout, reason = "the table is what a person runs this for")]

mod calls;
mod controller;
mod figures;
mod github;
mod kubelet;
mod manager;
mod measure;
mod process;
mod report;
mod stub;
mod tally;
mod timeline;
mod wait;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use crate::controller::Installation;
use crate::github::GitHub;
use crate::kubelet::Kubelet;
use crate::measure::{Amounts, Bench};
use crate::report::{Measured, Report};
use crate::world::World;

/// How long the fake GitHub may take to end.
const STOP: Duration = Duration::from_secs(10);

/// Measures Actions Gateway. Run it through `make bench`
#[derive(Parser)]
struct Args {
    /// Folder with the programs `agc`, `gmc` and `fakegithub`
    #[arg(long, value_name = "FOLDER")]
    programs: PathBuf,
    /// Where the report goes; what stands there of other API servers is kept
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Folder for logs of the programs
    #[arg(long, value_name = "FOLDER")]
    logs: PathBuf,
    /// The run to compare with
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// A real API server, as its administrator; else the stub
    #[arg(long, value_name = "FILE", requires = "audit_log")]
    kubeconfig: Option<PathBuf>,
    /// The audit log of that API server
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,
    /// Folder with CRDs and roles to install there
    #[arg(long, value_name = "FOLDER", default_value = "config")]
    config: PathBuf,
    #[command(flatten)]
    amounts: Amounts,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    runtime::tls::install_provider();
    let dir = tempfile::tempdir()?;
    let world = match (&args.kubeconfig, &args.audit_log) {
        (Some(admin), Some(audit)) => World::cluster(dir.path(), admin, audit, &args.config).await?,
        _ => World::stub(dir.path()).await?,
    };
    let log = |name: &str| args.logs.join(format!("bench-{}-{name}.log", world.name));
    let github = GitHub::start(&args.programs.join("fakegithub"), &log("fakegithub")).await?;
    world.tenant(&format!("{}/{}", github.base, github::ACCOUNT)).await?;
    let agc = args.programs.join("agc");
    let mut bench = Bench {
        world: &world,
        github: &github,
        kubelet: Kubelet::start(&world.client, github.http()),
        installation: Installation::new(&agc, &world, &github, dir.path(), &log("agc"))?,
        amounts: &args.amounts,
        figures: Vec::new(),
    };
    let calls = bench.run().await;
    let mut figures = std::mem::take(&mut bench.figures);
    drop(bench);
    let managed = match &args.kubeconfig {
        None => {
            let (program, log) = (args.programs.join("gmc"), log("gmc"));
            manager::measure(&program, &World::stub(dir.path()).await?, &log, args.amounts.starts).await
        }
        Some(_) => Ok(Vec::new()),
    };
    let stopped = github.process.stop(STOP).await;

    // What was measured is worth telling even where something failed.
    let before = args.before.as_deref().and_then(Report::read);
    let mut report = Report::new();
    report.worlds.extend(Report::read(&args.output).into_iter().flat_map(|it| it.worlds));
    figures.extend(managed.as_ref().ok().into_iter().flatten().cloned());
    report.worlds.insert(world.name.to_owned(), Measured { figures, calls: calls.as_ref().ok().cloned() });
    report.write(&args.output)?;
    print!("{}", report.table(before.as_ref()));
    calls?.check()?;
    managed?;
    stopped
}
