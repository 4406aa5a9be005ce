//! `make check`, `make test`, `make e2e`, `make generate`.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::cluster::{Cluster, Program};
use crate::images::{self, Images};
use crate::machine::{self, Provider};
use crate::progress::{heading, say, step};
use crate::run;

/// The cluster that the suite makes, and removes when it is done.
const CLUSTER: &str = "test";

/// Tests that write the files they check, by package. The chart copies what the first one writes.
const GENERATING: [(&str, &str); 4] = [
    ("api", "the_committed_crds_are_current"),
    ("api", "the_reference_pages_are_current"),
    ("job", "the_reference_page_is_up_to_date"),
    ("gmc", "the_chart_holds_current_copies_of_config"),
];

/// Tests at a time: most of them wait for sockets rather than compute.
const THREADS: &str = "6";

/// Formatting, lints and every test that needs no cluster.
pub(crate) fn check() -> Result<()> {
    heading("Formatting, lints, tests without a cluster");
    run::shown(cargo().args(["fmt", "--all", "--check"])).context("run `make fmt`")?;
    step("lints", "4 min cold, 20 s warm", || {
        let lints = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run::logged("clippy", cargo().args(lints))
    })?;
    step("compiling the tests", "5 min cold, 30 s warm", || {
        run::logged("test-build", cargo().args(["test", "--workspace", "--no-run"]))
    })?;
    let mut tests = cargo();
    run::shown(
        tests.args(["test", "--workspace", "--exclude", "e2e", "--quiet"]).env("RUST_TEST_THREADS", THREADS),
    )
}

/// Everything.
pub(crate) fn test() -> Result<()> {
    Provider::choose()?;
    // Asked for first: what is missing should be said before the compilers have run.
    machine::busybox()?;
    machine::promtool()?;
    let (program, checked) = thread::scope(|scope| {
        let program = scope.spawn(Program::build);
        let checked = check();
        (program.join(), checked)
    });
    program.map_err(|_| anyhow!("the thread that built the cluster program panicked"))??;
    checked?;
    e2e(&[])
}

/// The suite on a real cluster.
pub(crate) fn e2e(args: &[String]) -> Result<()> {
    heading("The suite on a real cluster");
    let _lock = run::lock(CLUSTER)?;
    let images = images::build()?;
    let cluster = Cluster::open(CLUSTER)?;
    go_checks()?;
    cluster.down()?;
    let outcome = cluster.up(1).and_then(|()| suite(&cluster, &images, args));
    if outcome.is_err() {
        save_logs(&cluster)?;
    }
    if std::env::var_os("E2E_KEEP").is_some() {
        say(format!("E2E_KEEP is set: the cluster {CLUSTER} stays"));
        return outcome;
    }
    outcome.and(cluster.down())
}

fn save_logs(cluster: &Cluster) -> Result<()> {
    let folder = run::output_dir()?.join("e2e-logs");
    fs::create_dir_all(&folder)?;
    // The suite's own failure is the one to report; without logs it is harder to read, no more.
    match cluster.logs(&folder) {
        Ok(()) => say(format!("logs of every component: {}", folder.display())),
        Err(error) => say(format!("the logs could not be saved: {error:#}")),
    }
    Ok(())
}

/// Rewrites generated files by running the tests that keep them current.
pub(crate) fn generate() -> Result<()> {
    for (package, test) in GENERATING {
        // The first run rewrites and fails, if there is anything to rewrite; only the second one is judged.
        let run = || run::logged("generate", cargo().args(["test", "--package", package, test]));
        if run().is_err() {
            run()?;
        }
    }
    Ok(())
}

fn suite(cluster: &Cluster, images: &Images, args: &[String]) -> Result<()> {
    step("loading the images", "5 s", || cluster.load(&images.archives))?;
    if args.is_empty() {
        cluster.check_isolation()?;
        step("what controllers are made of, against a real API server", "30 s", || {
            run::logged("real-api", &mut against(cluster, "real_api", &["--ignored".to_owned()])?)
        })?;
    }
    let threads = ["--test-threads".to_owned(), "4".to_owned()];
    let mut command = against(cluster, "suite", &[&threads, args].concat())?;
    command.env("E2E_IMAGE_REGISTRY", images::REGISTRY).env("E2E_IMAGE_TAG", &images.tag);
    run::shown(&mut command)
}

/// A test program of that name with the cluster in its environment. The whole workspace is named, so that the features
/// of dependencies are those of every other build.
fn against(cluster: &Cluster, test: &str, args: &[String]) -> Result<Command> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--test", test, "--"]).args(args);
    cluster.environment(&mut command, &[machine::promtool()?])?;
    Ok(command)
}

fn go_checks() -> Result<()> {
    step("tests of the cluster program", "1 min cold, 5 s warm", || {
        let go = || {
            let mut command = Command::new("go");
            command.current_dir("tests/e2e/cluster").env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0");
            command
        };
        let unformatted = run::output(Command::new("gofmt").args(["-l", "tests/e2e/cluster"]))?;
        if !unformatted.is_empty() {
            bail!("gofmt would change:\n{unformatted}");
        }
        run::logged("go-vet", go().args(["vet", "-trimpath", "./..."]))?;
        run::logged("go-test", go().args(["test", "-trimpath", "./..."]))
    })
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
