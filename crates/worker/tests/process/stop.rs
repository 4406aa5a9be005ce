//! Stopping a job: which frame the runner reads, and when it is killed.

use std::fs;
use std::io::Write;

use handoff::worker::{StopFrame, TaskResult};
use rustix::process::Signal;
use worker::frame::{self, Kind};

use crate::pod::{Pod, lines};

/// A runner that has read the job, says `ready`, and goes on with this. It notes every signal that reaches it.
fn with_job_read(then: &str) -> Pod {
    let job = frame::encode(Kind::NewJobRequest, "{}").unwrap().len();
    let pod = Pod::new(&format!(
        "trap 'touch $OUT/signalled' TERM INT; head -c {job} <&3 >/dev/null; echo ready; {then}"
    ));
    pod.claim("{}");
    pod
}

/// Reads the one frame that the runner reads after the job.
const READ_FRAME: &str = "head -c 8 <&3 >$OUT/second";
/// Waits until the test lets it go on, and takes what the pipe holds by then.
const READ_THE_REST: &str =
    "read it <$OUT/gate; dd iflag=nonblock bs=8 count=9 <&3 >$OUT/rest 2>/dev/null || true";

fn second(pod: &Pod) -> Vec<u8> {
    fs::read(pod.path("second")).unwrap()
}

#[test]
fn a_signal_becomes_a_shutdown_on_the_open_pipe() {
    for sent in [Signal::TERM, Signal::INT] {
        let pod = with_job_read(&format!("{READ_FRAME}; exit 102"));
        let running = pod.start(pod.command());
        running.signal(sent);
        let ended = pod.finish(running);
        assert_eq!(second(&pod), frame::stop(StopFrame::Shutdown));
        assert_eq!((ended.code, ended.report.result), (Some(102), Some(TaskResult::Failed)));
        assert_eq!((ended.report.stopped, ended.report.frame), (true, Some(3)));
        assert!(!pod.path("signalled").exists());
        // Said before the frame was written, which the runner waited for: in its order, not by luck.
        assert!(ended.report.phases.handed_over.is_some());
    }
}

#[test]
fn a_request_becomes_the_frame_that_it_names() {
    for (request, stop_frame, code) in [("2;60", StopFrame::Cancel, 103), ("3;60", StopFrame::Shutdown, 102)]
    {
        let pod = with_job_read(&format!("{READ_FRAME}; exit {code}"));
        let running = pod.start(pod.command());
        pod.show(request);
        let ended = pod.finish(running);
        assert_eq!(second(&pod), frame::stop(stop_frame));
        assert_eq!((ended.code, ended.report.result), (Some(code), TaskResult::of_exit(code)));
        assert_eq!((ended.report.stopped, ended.report.frame), (true, Some(stop_frame.number())));
    }
}

#[test]
fn a_cancellation_that_is_there_when_the_signal_comes_is_what_the_runner_reads() {
    let pod = with_job_read(&format!("{READ_FRAME}; exit 103"));
    let running = pod.start(pod.command());
    pod.show("2;60");
    running.signal(Signal::TERM);
    let ended = pod.finish(running);
    assert_eq!(second(&pod), frame::stop(StopFrame::Cancel));
    assert_eq!(ended.report.frame, Some(2));
}

#[test]
fn after_a_cancellation_signals_write_nothing_and_reach_nobody() {
    let pod = with_job_read(&format!("{READ_FRAME}; echo cancelled; {READ_THE_REST}; exit 103"));
    let mut gate = pod.gate();
    let mut running = pod.start(pod.command());
    pod.show("2;600");
    running.until("cancelled\n");
    running.signal(Signal::TERM);
    running.until("SIGTERM");
    running.signal(Signal::INT);
    gate.write_all(b"\n").unwrap();
    let ended = pod.finish(running);
    assert_eq!((ended.code, ended.report.frame), (Some(103), Some(2)));
    assert_eq!(pod.read("rest"), "");
    assert!(!pod.path("signalled").exists());
}

#[test]
fn in_a_long_grace_a_job_ends_by_itself() {
    let pod = with_job_read(&format!("{READ_THE_REST}; exit 100"));
    let mut gate = pod.gate();
    let mut command = pod.command();
    command.env("POD_TERMINATION_GRACE_SECONDS", "3600");
    let mut running = pod.start(command);
    running.signal(Signal::TERM);
    running.until("stop requested");
    gate.write_all(b"\n").unwrap();
    let ended = pod.finish(running);
    assert_eq!((ended.code, ended.report.result), (Some(0), Some(TaskResult::Succeeded)));
    assert_eq!((ended.report.stopped, ended.report.frame), (true, None));
    assert_eq!(pod.read("rest"), "");
}

#[test]
fn a_job_that_does_not_is_shut_down_twenty_seconds_before_the_kill() {
    let pod = with_job_read(&format!("{READ_FRAME}; exit 102"));
    let mut command = pod.command();
    command.env("POD_TERMINATION_GRACE_SECONDS", "3600").env("WORKER_SHUTDOWN_GRACE", "20.1");
    let running = pod.start(command);
    running.signal(Signal::TERM);
    let ended = pod.finish(running);
    assert_eq!(second(&pod), frame::stop(StopFrame::Shutdown));
    assert_eq!((ended.code, ended.report.frame), (Some(102), Some(3)));
}

#[test]
fn a_cancellation_goes_instead_while_a_long_grace_is_waited_out() {
    let pod = with_job_read(&format!("{READ_FRAME}; exit 103"));
    let mut command = pod.command();
    command.env("POD_TERMINATION_GRACE_SECONDS", "3600");
    let mut running = pod.start(command);
    running.signal(Signal::TERM);
    running.until("stop requested");
    pod.show("2;600");
    let ended = pod.finish(running);
    assert_eq!(second(&pod), frame::stop(StopFrame::Cancel));
    assert_eq!((ended.code, ended.report.frame), (Some(103), Some(2)));
}

#[test]
fn a_runner_that_does_not_stop_is_killed_when_its_time_is_over() {
    for (grace, request) in [(Some("0.2"), None), (None, Some("2;0"))] {
        let pod = Pod::new("trap '' TERM INT; echo ready; exec sleep 600");
        let mut command = pod.command();
        command.envs(grace.map(|it| ("WORKER_SHUTDOWN_GRACE", it)));
        let running = pod.start(command);
        match request {
            Some(request) => pod.show(request),
            None => running.signal(Signal::TERM),
        }
        let ended = pod.finish(running);
        assert_eq!((ended.code, ended.report.exit, ended.report.result), (Some(137), Some(137), None));
        assert!(ended.report.stopped);
        assert!(lines(&ended.log).iter().any(|it| it["level"] == "warn"), "{}", ended.log);
    }
}

#[test]
fn a_pod_that_is_told_to_stop_at_its_start_starts_no_runner() {
    let pod = Pod::new("touch $OUT/started; exit 100");
    pod.show("2;60");
    let ended = pod.run();
    assert_eq!((ended.code, ended.report.exit, ended.report.frame), (Some(143), None, None));
    assert!(ended.report.stopped && ended.report.phases.runner.is_none());
    assert_eq!(ended.report.error, None);
    assert!(!pod.path("started").exists());
    assert!(crate::pod::names(&pod.path("run/claim")).is_empty());
}
