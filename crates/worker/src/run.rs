//! `worker run`: the steps from a claim in a directory to a runner that has ended.

use std::ffi::OsString;
use std::path::Path;

use handoff::worker::{RunInfo, TerminationReport};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::environment::Environment;
use crate::exec::Runner;
use crate::frame::{Kind, encode};
use crate::log::{Level, Log};
use crate::milestone::{Milestone, record};
use crate::watch::Watch;
use crate::{Outcome, ca, docker, dotenv, environment, exec, jit, payload, plan, report, usage};

/// Runs the claimed job and gives the exit code for the container.
pub(crate) fn run(config: &Config, container: &Environment, report: &mut TerminationReport) -> Outcome {
    report.phases.wrapper = Some(Timestamp::now());
    let mut watch = Watch::begin(config.stop_file.clone())?; // before anything that takes time: no signal is missed
    let used_before = usage::read(Path::new(usage::CGROUP));
    report.runner_version = report::runner_version(&config.home);
    let claim = payload::take(&config.run_dir.join(&config.claim))?;
    let log = announce(Log::new(config.log_level), &claim.run, report.runner_version.as_deref());
    for doubt in &config.doubts {
        log.warn("environment variable adjusted", &[("error", doubt.to_string().into())]);
    }

    unpack_jit(&claim.jit, &config.home, &log)?;
    let environment = environment::build(
        container.clone(),
        claim.run.as_ref().unwrap_or(&RunInfo::default()),
        trust(config, &log)?,
        &dotenv::read(&config.home)?.unwrap_or_default(),
    );
    let (program, dir) = plan::command(&config.home, Path::is_file);
    let runner = Runner { program, dir, environment };
    let job = encode(Kind::NewJobRequest, &claim.job)?;
    drop(claim);

    let mut observe = |it| record(it, report, &log);
    if !wait_for_docker(&mut watch, &runner.environment, &log, &mut observe)?
        || watch.told_to_stop(watch.now(), &mut observe)
    {
        observe(Milestone::NeverStarted);
        return Ok(plan::NEVER_STARTED);
    }
    let end = exec::supervise(&mut watch, &runner, job, config.limits, &mut observe)?;
    report.usage = usage::between(used_before, usage::read(Path::new(usage::CGROUP)));
    Ok(plan::exit_code(end))
}

/// Waits as long as the image or the template wants. False: we were told to stop meanwhile.
fn wait_for_docker(
    watch: &mut Watch,
    environment: &Environment,
    log: &Log,
    observe: &mut impl FnMut(Milestone),
) -> Result<bool, crate::watch::Error> {
    let seconds = docker::seconds(environment).unwrap_or_else(|error| {
        log.warn("not waiting for docker", &[("error", error.to_string().into())]);
        0
    });
    if seconds == 0 {
        return Ok(true);
    }
    observe(Milestone::DockerAwaited { seconds });
    let outcome = docker::wait(watch, environment, seconds, observe)?;
    let goes_on = !matches!(outcome, docker::Outcome::Stopped);
    observe(Milestone::Docker(outcome));
    Ok(goes_on)
}

/// The header line of the container's log, and the ids that every later line carries.
fn announce(log: Log, run: &Result<RunInfo, serde_json::Error>, runner_version: Option<&str>) -> Log {
    let run = match run {
        Ok(run) => run,
        Err(error) => {
            log.warn("failed to read the ids of the run", &[("error", error.to_string().into())]);
            return log;
        }
    };
    let ids = [
        ("namespace", &run.namespace),
        ("runner_group", &run.runner_group),
        ("run_id", &run.run_id),
        ("job", &run.job_name),
        ("trace_id", &run.trace_id),
        ("span_id", &run.span_id),
    ];
    let context: Map<String, Value> = ids
        .into_iter()
        .filter(|(_, id)| !id.is_empty())
        .map(|(name, id)| (name.into(), id.as_str().into()))
        .collect();
    let log = log.with_context(context);
    log.info(
        "job received",
        &[
            ("repository", run.repository.as_str().into()),
            ("workflow", run.workflow.as_str().into()),
            ("run_attempt", run.run_attempt.into()),
            ("plan_id", run.plan_id.as_str().into()),
            ("job_id", run.job_id.as_str().into()),
            ("runner_version", runner_version.into()),
        ],
    );
    log
}

fn unpack_jit(blob: &str, home: &Path, log: &Log) -> Result<(), jit::Error> {
    let config = jit::decode(blob)?;
    for name in &config.refused {
        log.warn("unknown file in the JIT configuration ignored", &[("file", name.as_str().into())]);
    }
    if config.key_dropped {
        log.write(
            Level::Debug,
            "the runner's private key is not delivered: the worker does not need it",
            &[],
        );
    }
    jit::write(&config, home)
}

/// The variables that make the runner trust the extra CAs. Without one there is nothing to change.
fn trust(config: &Config, log: &Log) -> Result<Vec<(&'static str, OsString)>, ca::Error> {
    let proxy = extra_ca(config.proxy_ca.as_deref(), log)?;
    let github = extra_ca(config.github_ca.as_deref(), log)?;
    if proxy.is_none() && github.is_none() {
        return Ok(Vec::new());
    }
    let system = ca::read_first(&config.system_cas)?;
    let bundle = ca::join(system.iter().chain(&proxy).chain(&github).map(String::as_str));
    let path = ca::write(&bundle, &[&config.home, &config.run_dir])?;
    let for_proxies = proxy.map(|_| ca::GIT_PROXY);
    Ok(ca::VARIABLES.into_iter().chain(for_proxies).map(|name| (name, path.clone().into())).collect())
}

fn extra_ca(path: Option<&Path>, log: &Log) -> Result<Option<String>, ca::Error> {
    let Some(path) = path else { return Ok(None) };
    let pem = ca::read_extra(path)?;
    if pem.is_none() {
        log.warn("CA file without a certificate skipped", &[("path", path.display().to_string().into())]);
    }
    Ok(pem)
}
