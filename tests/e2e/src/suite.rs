//! The harness: which tests there are, which of them this cluster can run, and how they ended.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Handle;

use crate::{Namespace, Need, World, artifacts, report};

/// No test takes longer: the slowest waits for a pod to start, twice.
const LIMIT: Duration = Duration::from_secs(300);

/// How long each test took, its namespace's making and end included.
type Times = Arc<Mutex<Vec<(Duration, &'static str)>>>;

type Run = Box<dyn FnOnce(Namespace) -> BoxFuture<'static, Result<()>> + Send>;

/// One test.
pub struct Test {
    name: &'static str,
    needs: Vec<Need>,
    run: Run,
}

impl Test {
    /// A test whose name is a sentence.
    pub fn new<F, T>(name: &'static str, run: F) -> Self
    where
        F: FnOnce(Namespace) -> T + Send + 'static,
        T: Future<Output = Result<()>> + Send + 'static,
    {
        Self { name, needs: Vec::new(), run: Box::new(|namespace| run(namespace).boxed()) }
    }

    /// The same, for clusters that have this only.
    pub fn needing(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    fn trial(self, world: &Arc<World>, handle: &Handle, times: &Times) -> Trial {
        let unmet = self.unmet(world);
        let (world, handle, times) = (world.clone(), handle.clone(), times.clone());
        let (name, run) = (self.name, self.run);
        Trial::test(name, move || {
            let start = Instant::now();
            let outcome = handle.block_on(attempt(world, name, run));
            times.lock().unwrap_or_else(PoisonError::into_inner).push((start.elapsed(), name));
            outcome.map_err(|error| Failed::from(format!("{error:#}")))
        })
        .with_ignored_flag(!unmet.is_empty())
    }

    fn unmet(&self, world: &World) -> Vec<Need> {
        self.needs.iter().copied().filter(|need| !world.environment.has(*need)).collect()
    }
}

/// All tests, by when they run.
pub struct Suite {
    /// At the same time, as many as there are threads.
    pub side_by_side: Vec<Test>,
    /// Then one by one: each does something to the cluster that others would notice.
    pub alone: Vec<Test>,
    /// At last, one by one: these judge the whole run.
    pub afterwards: Vec<Test>,
}

impl Suite {
    fn in_order(&self) -> impl Iterator<Item = &Test> {
        self.side_by_side.iter().chain(&self.alone).chain(&self.afterwards)
    }
}

/// Runs the suite, and says what was left out. `scratch` is a folder for logs and objects.
pub fn main(suite: Suite, scratch: PathBuf) -> ExitCode {
    match try_main(suite, scratch) {
        Ok(code) => code,
        Err(error) => {
            report::say(&format!("the suite could not start: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn try_main(suite: Suite, scratch: PathBuf) -> Result<ExitCode> {
    let arguments = Arguments::from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    if arguments.list {
        // Listing must work without a cluster.
        let names = suite.in_order().map(|it| Trial::test(it.name, || Ok(()))).collect();
        return Ok(libtest_mimic::run(&arguments, names).exit_code());
    }
    let world = runtime.block_on(World::open(scratch)).context("reaching the cluster")?;

    let left_out: Vec<String> = suite
        .in_order()
        .flat_map(|test| test.unmet(&world).into_iter().map(|need| format!("{}: needs {need}", test.name)))
        .collect();
    let times = Times::default();
    let trials = |tests: Vec<Test>| tests.into_iter().map(|it| it.trial(&world, &handle, &times)).collect();
    let Suite { side_by_side, alone, afterwards } = suite;
    let run = libtest_mimic::run(&arguments, trials(side_by_side));
    let one_by_one = Arguments { test_threads: Some(1), ..arguments };
    let run_alone = libtest_mimic::run(&one_by_one, trials(alone));
    // What is said of the whole run is judged when nothing of it goes on.
    let judged = libtest_mimic::run(&one_by_one, trials(afterwards));
    if !left_out.is_empty() {
        report::say(&format!("not run on this cluster:\n  {}", left_out.join("\n  ")));
    }
    report::say(&format!("seconds of each test, side by side:\n{}", table(&times)));
    report::say(&format!("logs of every container: {}", world.logs.display()));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let failed = [run, run_alone, judged].iter().any(libtest_mimic::Conclusion::has_failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn table(times: &Times) -> String {
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    times.sort_unstable_by(|a, b| b.cmp(a));
    times
        .iter()
        .map(|(took, name)| format!("{:>6.1}  {name}", took.as_secs_f64()))
        .collect::<Vec<_>>()
        .join("\n")
}

/// One test in a namespace of its own, with what there is to see when it fails.
async fn attempt(world: Arc<World>, name: &'static str, run: Run) -> Result<()> {
    let namespace = Namespace::create(world, name).await.context("creating the namespace")?;
    let outcome =
        match tokio::time::timeout(LIMIT, AssertUnwindSafe(run(namespace.clone())).catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(anyhow!("panicked: {}", panic_message(&*panic))),
            Err(_) => Err(anyhow!("not done within {LIMIT:?}")),
        };
    let outcome = match outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(anyhow!("{error:#}\n\n{}", report::of(&namespace).await)),
    };
    let collected = artifacts::collect(namespace.world(), namespace.name())
        .await
        .context("collecting the test's artifacts");
    namespace.delete().await?;
    outcome.and(collected)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
