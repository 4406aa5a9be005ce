//! `make bench`: the shipped controller under measurement, with a stub and with a real API server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cluster::{Cluster, Program};
use crate::images;
use crate::machine::Provider;
use crate::progress::{heading, say};
use crate::run;

/// The cluster that is measured, and removed afterwards.
const CLUSTER: &str = "bench";

/// What one measurement is told, whichever API server it works with.
struct Bench {
    program: PathBuf,
    args: Vec<String>,
}

/// Measures; `args` go to the measuring program. With `stub_only`, without a real API server.
pub(crate) fn measure(stub_only: bool, args: &[String]) -> Result<()> {
    heading("Measuring the controller");
    let programs = images::compile()?;
    let program = images::compile_bench()?;
    let folder = run::output_dir()?;
    let (report, before) = (folder.join("bench.json"), folder.join("bench-before.json"));
    if report.is_file() {
        fs::rename(&report, &before)?;
    }
    let root = run::root()?;
    let paths = [
        ("--programs", root.join(programs)),
        ("--output", report.clone()),
        ("--before", before),
        ("--logs", folder),
        ("--config", root.join("config")),
    ];
    let named = paths.iter().flat_map(|(flag, path)| [(*flag).to_owned(), path.display().to_string()]);
    let bench = Bench { program: root.join(program), args: named.chain(args.iter().cloned()).collect() };
    say("with the stub: some 5 min");
    let stub = run::shown(Command::new(&bench.program).args(&bench.args));
    let cluster = if stub_only { Ok(()) } else { bench.on_cluster() };
    say(format!("figures: {}", report.display()));
    stub.and(cluster)
}

impl Bench {
    /// Within the cluster's network, so that no forwarder stands between the controller and the API server.
    fn on_cluster(&self) -> Result<()> {
        if !matches!(Provider::choose()?, Provider::Netns) {
            say("skipped: the real API server: kind gives no audit log to take times from");
            return Ok(());
        }
        let (program, cluster) = (Program::build()?, Cluster::open(CLUSTER)?);
        cluster.down()?;
        let measured = cluster.up(1).and_then(|()| {
            say("with a real API server: some 6 min");
            let state = run::cache_dir()?.join("clusters").join(CLUSTER);
            let mut command = program.command();
            command.args(["exec", "--name", CLUSTER, "--"]).arg(&self.program).args(&self.args);
            command.arg("--kubeconfig").arg(state.join("kubeconfig"));
            command.arg("--audit-log").arg(state.join("logs/audit.log"));
            run::shown(&mut command)
        });
        measured.and(cluster.down())
    }
}
