//! The wait for a docker daemon.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::pod::{Ended, Pod, lines};

const SECONDS: &str = "RUNNER_WAIT_FOR_DOCKER_IN_SECONDS";

/// A pod with a `docker` that runs this, and notes each call.
fn pod(docker: &str) -> (Pod, Command) {
    let pod = Pod::new("touch $OUT/started; head -c 8 <&3 >/dev/null; exit 100");
    pod.program("elsewhere/docker", &format!("echo \"$@\" >>$OUT/asked; {docker}"));
    let mut command = pod.command();
    command.env("PATH", format!("{}:/usr/bin:/bin", pod.path("elsewhere").display()));
    (pod, command)
}

fn said(ended: &Ended, level: &str) -> Vec<String> {
    let lines = lines(&ended.log).into_iter().filter(|it| it["level"] == level);
    lines.map(|it| it["msg"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn docker_is_asked_until_it_answers() {
    let (pod, mut command) = pod("[ $(wc -l <$OUT/asked) -eq 2 ]");
    command.env(SECONDS, "120");
    let ended = pod.wait(command);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert_eq!(pod.read("asked"), "ps\nps\n");
    let expected =
        ["job received", "waiting for docker", "docker is ready", "runner started", "runner ended"];
    assert_eq!(said(&ended, "info"), expected);
}

#[test]
fn the_image_may_ask_for_the_wait_and_say_where_docker_is() {
    let (pod, command) = pod("[ $DOCKER_HOST = tcp://localhost:2375 ]");
    fs::write(pod.path("home/.env"), format!("{SECONDS}=120\nDOCKER_HOST=tcp://localhost:2375\n")).unwrap();
    let ended = pod.wait(command);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(said(&ended, "info").contains(&"docker is ready".to_owned()));
}

#[test]
fn a_docker_that_refuses_or_never_answers_does_not_keep_the_job() {
    for docker in ["exit 1", "exec sleep 600"] {
        let (pod, mut command) = pod(docker);
        command.env(SECONDS, "1");
        let ended = pod.wait(command);
        assert_eq!(ended.code, Some(0), "{docker}: {}", ended.log);
        assert_eq!(pod.read("asked"), "ps\n");
        assert_eq!(said(&ended, "warn"), ["docker is not ready: starting the runner anyway"]);
    }
}

#[test]
fn an_image_without_docker_goes_on_at_once() {
    let (pod, mut command) = pod("exit 1");
    fs::remove_file(pod.path("elsewhere/docker")).unwrap();
    pod.program("home/bin/Runner.Worker", "/usr/bin/head -c 8 <&3 >/dev/null; exit 100");
    command.env("PATH", pod.path("elsewhere")).env(SECONDS, "120");
    let ended = pod.wait(command);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert_eq!(said(&ended, "warn"), ["docker cannot be run: starting the runner anyway"]);
}

#[test]
fn a_wait_that_is_not_a_number_is_a_warning_and_no_wait() {
    let (pod, mut command) = pod("exit 1");
    command.env(SECONDS, "soon");
    let ended = pod.wait(command);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert_eq!(said(&ended, "warn"), ["not waiting for docker"]);
    assert!(!pod.path("asked").exists());
}

#[test]
fn whoever_stops_the_pod_meanwhile_ends_it_without_a_runner() {
    for request in [None, Some("2;60")] {
        let (pod, mut command) = pod("exec sleep 600");
        command.env(SECONDS, "3600");
        let mut running = pod.begin(command);
        running.until("waiting for docker");
        match request {
            Some(request) => pod.show(request),
            None => running.signal(Signal::TERM),
        }
        let ended = pod.finish(running);
        assert_eq!((ended.code, ended.report.exit, ended.report.frame), (Some(143), None, None));
        assert!(ended.report.stopped && ended.report.phases.runner.is_none());
        assert!(!pod.path("started").exists());
    }
}
