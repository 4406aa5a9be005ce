//! What happens to a job in the wrapper's hands, and the one place where it becomes report and log line.

use std::io;

use handoff::worker::{NoStopRequest, StopFrame, StopRequest, TaskResult, TerminationReport};
use jiff::Timestamp;
use signal_hook::consts::SIGTERM;

use crate::docker;
use crate::log::{Level, Log};
use crate::watch::End;

/// What happens, as it happens.
#[derive(Debug)]
pub enum Milestone {
    /// The runner waits until a docker daemon answers.
    DockerAwaited {
        /// For this long at most.
        seconds: u64,
    },
    /// What came of that.
    Docker(docker::Outcome),
    /// The process exists.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// The job message has been written whole.
    HandedOver,
    /// The runner closed its end of the pipe.
    PipeBroke(io::Error),
    /// The stop file asked us to stop.
    Requested(StopRequest),
    /// The stop file shows what is no request.
    Nonsense(String, NoStopRequest),
    /// `SIGTERM` or `SIGINT` asked us to stop.
    Signalled(i32),
    /// This frame goes to the runner.
    Told(StopFrame),
    /// A stop was requested before the runner was started; it is not started.
    NeverStarted,
    /// The time is over: the runner has been killed.
    Killed,
    /// The process is gone.
    Ended(End),
}

/// Notes it in the report and says it in the log.
pub fn record(milestone: Milestone, report: &mut TerminationReport, log: &Log) {
    let now = Timestamp::now();
    match milestone {
        Milestone::DockerAwaited { seconds } => {
            log.info("waiting for docker", &[("seconds", seconds.into())]);
        }
        Milestone::Docker(outcome) => docker_outcome(&outcome, log),
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
        Milestone::Requested(request) => {
            report.stopped = true;
            log.info("stop requested", &[("by", "request".into()), ("request", request.to_string().into())]);
        }
        Milestone::Nonsense(text, error) => log.warn(
            "invalid stop request ignored",
            &[("value", text.into()), ("error", error.to_string().into())],
        ),
        Milestone::Signalled(signal) => {
            report.stopped = true;
            let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
            log.info("stop requested", &[("by", name.into())]);
        }
        Milestone::Told(frame) => {
            report.frame = Some(frame.number());
            let msg = match frame {
                StopFrame::Cancel => "cancelling the job",
                StopFrame::Shutdown => "shutting the runner down",
            };
            log.info(msg, &[]);
        }
        Milestone::NeverStarted => log.info("stopped before the runner started", &[]),
        Milestone::Killed => log.warn("the runner did not stop in time: killing it", &[]),
        Milestone::Ended(end) => ended(end, now, report, log),
    }
}

fn docker_outcome(outcome: &docker::Outcome, log: &Log) {
    match outcome {
        docker::Outcome::Ready => log.info("docker is ready", &[]),
        docker::Outcome::NotReady => log.warn("docker is not ready: starting the runner anyway", &[]),
        docker::Outcome::NoClient(error) => log
            .warn("docker cannot be run: starting the runner anyway", &[("error", error.to_string().into())]),
        docker::Outcome::Stopped => {} // NeverStarted says it
    }
}

fn ended(end: End, now: Timestamp, report: &mut TerminationReport, log: &Log) {
    report.phases.ended = Some(now);
    let exit = match end {
        End::Code(code) => code,
        End::Signal(signal) => 128 + signal,
    };
    report.exit = Some(exit);
    report.result = TaskResult::of_exit(exit);
    let result = serde_json::to_value(report.result).unwrap_or_default();
    log.info("runner ended", &[("exit", exit.into()), ("result", result)]);
}
