//! `worker run`: the steps from a claim in a directory to a runner that has ended.

use std::ffi::OsString;
use std::path::Path;

use handoff::worker::{CLAIM_DIR, RunInfo, TaskResult, TerminationReport};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::exec::{End, Milestone, Runner};
use crate::frame::{Kind, encode};
use crate::log::{Level, Log};
use crate::{Outcome, ca, exec, jit, payload, plan, report, usage};

/// Runs the claimed job and gives the exit code for the container.
pub(crate) fn run(config: &Config, report: &mut TerminationReport) -> Outcome {
    report.phases.wrapper = Some(Timestamp::now());
    let used_before = usage::read(Path::new(usage::CGROUP));
    report.runner_version = report::runner_version(&config.home);
    let events = exec::listen()?; // before anything that takes time: a signal is never missed
    let claim = payload::take(&config.run_dir.join(CLAIM_DIR))?;
    let log = announce(Log::new(config.log_level), &claim.run, report.runner_version.as_deref());

    unpack_jit(&claim.jit, &config.home, &log)?;
    let environment = trust(config, &log)?;
    let (program, dir) = plan::command(&config.home, Path::is_file);
    let runner = Runner { program, dir, environment };
    let job = encode(Kind::NewJobRequest, &claim.job)?;
    drop(claim);

    let end = exec::supervise(events, &runner, job, config.grace, |it| record(it, report, &log))?;
    report.usage = usage::between(used_before, usage::read(Path::new(usage::CGROUP)));
    Ok(plan::exit_code(end))
}

/// The header line of the container's log, and the ids that every later line carries.
fn announce(log: Log, run: &Result<RunInfo, serde_json::Error>, runner_version: Option<&str>) -> Log {
    let run = match run {
        Ok(run) => run,
        Err(error) => {
            log.warn("the ids of this run cannot be read", &[("error", error.to_string().into())]);
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
        log.warn("a file of the JIT configuration is refused", &[("file", name.as_str().into())]);
    }
    jit::write(&config, home)
}

/// The variables that make the runner trust the extra CAs. Without one there is nothing to change.
fn trust(config: &Config, log: &Log) -> Result<Vec<(&'static str, OsString)>, ca::Error> {
    let mut extra = Vec::new();
    for path in &config.extra_cas {
        match ca::read_extra(path)? {
            Some(pem) => extra.push(pem),
            None => {
                log.warn("a CA file holds no certificate", &[("path", path.display().to_string().into())])
            }
        }
    }
    if extra.is_empty() {
        return Ok(Vec::new());
    }
    let system = ca::read_first(&config.system_cas)?;
    let bundle = ca::join(system.iter().chain(&extra).map(String::as_str));
    let path = ca::write(&bundle, &[&config.home, &config.run_dir])?;
    Ok(ca::VARIABLES.into_iter().map(|name| (name, path.clone().into())).collect())
}

/// One place where what happens becomes report and log line.
fn record(milestone: Milestone, report: &mut TerminationReport, log: &Log) {
    let now = Timestamp::now();
    match milestone {
        Milestone::Started { pid } => {
            report.phases.runner = Some(now);
            log.info("runner started", &[("pid", pid.into())]);
        }
        Milestone::HandedOver => {
            report.phases.handed_over = Some(now);
            log.write(Level::Debug, "job handed over", &[]);
        }
        Milestone::PipeBroke(error) => {
            log.warn("the runner closed its pipe", &[("error", error.to_string().into())]);
        }
        Milestone::Cancelling { signal } => {
            report.stopped = true;
            log.info("told to stop: cancelling the job", &[("signal", signal.into())]);
        }
        Milestone::Killed => log.warn("the runner did not stop in time and is killed", &[]),
        Milestone::Ended(end) => {
            report.phases.ended = Some(now);
            let exit = match end {
                End::Code(code) => code,
                End::Signal(signal) => 128 + signal,
            };
            report.exit = Some(exit);
            report.result = TaskResult::of_exit(exit);
            log.info(
                "runner ended",
                &[("exit", exit.into()), ("result", serde_json::to_value(report.result).unwrap_or_default())],
            );
        }
    }
}
