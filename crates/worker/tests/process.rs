//! The wrapper as a process, with shell scripts in the place of `Runner.Worker`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by failing")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use handoff::worker::{RunInfo, TaskResult, TerminationReport};
use rustix::process::{Pid, Signal, kill_process};
use worker::frame::{self, Kind};

const SECRET: &str = "ghs_FAKEJOBTOKEN";

/// A worker pod's file system, with a claim in it.
struct Pod {
    root: tempfile::TempDir,
}

struct Ended {
    code: Option<i32>,
    report: TerminationReport,
    log: String,
}

impl Pod {
    fn new(runner: &str) -> Pod {
        let pod = Pod { root: tempfile::tempdir().unwrap() };
        for dir in ["run/claim", "home/bin", "elsewhere"] {
            fs::create_dir_all(pod.path(dir)).unwrap();
        }
        pod.program("home/bin/Runner.Worker", runner);
        pod.claim(&format!("{{\"token\":\"{SECRET}\"}}"));
        pod
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn program(&self, name: &str, script: &str) {
        fs::write(self.path(name), format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn claim(&self, job: &str) {
        let files =
            BTreeMap::from([(".runner", BASE64.encode("{}")), (".credentials", BASE64.encode(SECRET))]);
        let run = RunInfo { run_id: "77".into(), job_name: "build".into(), ..RunInfo::default() };
        fs::write(self.path("run/claim/payload"), job).unwrap();
        fs::write(self.path("run/claim/jitconfig"), BASE64.encode(serde_json::to_vec(&files).unwrap()))
            .unwrap();
        fs::write(self.path("run/claim/run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("OUT", self.root.path())
            .env("ACTIONS_GATEWAY_RUN_DIR", self.path("run"))
            .env("RUNNER_HOME_DIR", self.path("home"))
            .env("PAYLOAD_SECRET_PATH", self.path("secret"))
            .env("TERMINATION_MESSAGE_PATH", self.path("termination-log"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    fn run(&self) -> Ended {
        self.wait(self.command())
    }

    fn wait(&self, mut command: Command) -> Ended {
        let output = command.output().unwrap();
        self.ended(output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// Starts the wrapper and waits until the runner has said `ready`.
    fn start(&self, mut command: Command) -> (Child, BufReader<ChildStdout>) {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while line != "ready\n" {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the runner never got ready");
        }
        (child, stdout)
    }

    fn finish(&self, (mut child, mut stdout): (Child, BufReader<ChildStdout>)) -> Ended {
        let mut log = String::new();
        stdout.read_to_string(&mut log).unwrap();
        self.ended(child.wait().unwrap().code(), log)
    }

    fn ended(&self, code: Option<i32>, log: String) -> Ended {
        let message = self.read("termination-log");
        let report = TerminationReport::from_message(&message).expect(&message);
        Ended { code, report, log }
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn lines(log: &str) -> Vec<serde_json::Value> {
    log.lines().map(|it| serde_json::from_str(it).expect(it)).collect()
}

#[test]
fn five_mebibytes_reach_the_runner_byte_for_byte_and_its_success_is_ours() {
    let job = format!("{{\"é😀\":\"{}\"}}", "x".repeat(5 << 20));
    let expected = frame::encode(Kind::NewJobRequest, &job).unwrap();
    let pod = Pod::new(&format!("head -c {} <&3 >$OUT/job; exit 100", expected.len()));
    pod.claim(&job);
    let ended = pod.run();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(fs::read(pod.path("job")).unwrap() == expected);
    assert_eq!(ended.report.result, Some(TaskResult::Succeeded));
    assert_eq!(ended.report.exit, Some(100));
    let phases = ended.report.phases;
    assert!(phases.wrapper <= phases.runner && phases.runner <= phases.ended);
}

#[test]
fn a_compressed_job_reaches_the_runner_unpacked() {
    use std::io::Write;
    let pod = Pod::new("head -c 8 <&3 >/dev/null; head -c 24 <&3 >$OUT/job; exit 100");
    fs::remove_file(pod.path("run/claim/payload")).unwrap();
    let file = fs::File::create(pod.path("run/claim/payload.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(b"{\"id\":\"1234\"}").unwrap();
    encoder.finish().unwrap();
    assert_eq!(pod.run().code, Some(0));
    assert_eq!(pod.read("job").replace('\0', ""), "{\"id\":\"1234\"");
}

#[test]
fn the_runner_is_started_in_its_place_with_its_files_and_without_the_claim() {
    let pod = Pod::new(
        "echo $@ >$OUT/args; pwd >$OUT/cwd; ls -A $OUT/run/claim >$OUT/left; ls -A $OUT/home >$OUT/files; exit 100",
    );
    assert_eq!(pod.run().code, Some(0));
    assert_eq!(pod.read("args"), "spawnclient 3 4\n");
    assert_eq!(pod.read("cwd").trim(), pod.path("home/bin").to_str().unwrap());
    assert_eq!(pod.read("left"), "");
    assert_eq!(pod.read("files"), ".credentials\n.runner\nbin\n");
}

#[test]
fn no_secret_stands_in_an_environment_an_argument_or_the_log() {
    let pod = Pod::new(
        "cat /proc/$PPID/environ /proc/$PPID/cmdline /proc/$$/environ /proc/$$/cmdline >$OUT/seen; exit 100",
    );
    let mut command = pod.command();
    command.env("LOG_LEVEL", "debug");
    let ended = pod.wait(command);
    let seen = pod.read("seen");
    assert!(seen.contains("spawnclient"), "{seen}");
    for secret in [SECRET, &BASE64.encode(SECRET)] {
        assert!(
            !seen.contains(secret)
                && !ended.log.contains(secret)
                && !pod.read("termination-log").contains(secret)
        );
    }
}

#[test]
fn a_failure_keeps_its_code_and_its_word() {
    let pod = Pod::new("exit 102");
    let ended = pod.run();
    assert_eq!(
        (ended.code, ended.report.exit, ended.report.result),
        (Some(102), Some(102), Some(TaskResult::Failed))
    );
    assert_eq!(ended.report.error, None);
}

#[test]
fn a_runner_that_dies_of_a_signal_is_reported_like_in_a_shell() {
    let pod = Pod::new("kill -SEGV $$");
    let ended = pod.run();
    assert_eq!((ended.code, ended.report.exit, ended.report.result), (Some(139), Some(139), None));
}

#[test]
fn sigterm_becomes_a_cancel_request_on_the_open_pipe() {
    for signal_sent in [Signal::TERM, Signal::INT] {
        let job = frame::encode(Kind::NewJobRequest, "{}").unwrap();
        let pod = Pod::new(&format!(
            "head -c {} <&3 >/dev/null; echo ready; head -c 8 <&3 >$OUT/second; exit 103",
            job.len()
        ));
        pod.claim("{}");
        let running = pod.start(pod.command());
        signal(&running.0, signal_sent);
        let ended = pod.finish(running);
        assert_eq!(fs::read(pod.path("second")).unwrap(), frame::CANCEL);
        assert_eq!((ended.code, ended.report.result), (Some(103), Some(TaskResult::Canceled)));
        assert!(ended.report.stopped);
        // Said before the cancellation was written, which the runner waited for: in its order, not by luck.
        assert!(ended.report.phases.handed_over.is_some());
    }
}

#[test]
fn a_runner_that_does_not_stop_is_killed_when_the_grace_is_over() {
    let pod = Pod::new("trap '' TERM INT; echo ready; exec sleep 600");
    let mut command = pod.command();
    command.env("WORKER_SHUTDOWN_GRACE", "0.2");
    let running = pod.start(command);
    signal(&running.0, Signal::TERM);
    let ended = pod.finish(running);
    assert_eq!((ended.code, ended.report.exit, ended.report.result), (Some(137), Some(137), None));
    assert!(ended.report.stopped);
    assert!(lines(&ended.log).iter().any(|it| it["level"] == "warn"), "{}", ended.log);
}

#[test]
fn orphans_of_the_job_are_inherited_and_reaped() {
    // The orphan goes on until it is the wrapper's child, says its id and ends; the runner waits until the id is gone.
    let pod = Pod::new(
        r#"wrapper=$PPID
        ( sh -c 'n=0; until grep -q "^PPid:.$0$" /proc/$$/status; do n=$((n+1)); [ $n -lt 500 ] || exit 1; sleep 0.01; done
                 echo $$ >$OUT/orphan' $wrapper >/dev/null & )
        n=0; until [ -s $OUT/orphan ]; do n=$((n+1)); [ $n -lt 500 ] || exit 1; sleep 0.01; done
        n=0; while [ -e /proc/$(cat $OUT/orphan) ]; do n=$((n+1)); [ $n -lt 500 ] || exit 2; sleep 0.01; done
        exit 100"#,
    );
    let ended = pod.run();
    assert_eq!(ended.report.exit, Some(100), "1: not inherited, 2: not reaped");
}

#[test]
fn the_extra_cas_join_the_systems_in_one_file_that_every_tool_is_pointed_at() {
    let pod = Pod::new(
        "for it in $SSL_CERT_FILE $NODE_EXTRA_CA_CERTS $GIT_SSL_CAINFO $CURL_CA_BUNDLE; do cat $it >>$OUT/seen; done
         exit 100",
    );
    let certificate = |name: &str| format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----");
    for name in ["system", "proxy", "github"] {
        fs::write(pod.path(name), certificate(name)).unwrap();
    }
    let mut command = pod.command();
    command
        .env("SSL_CERT_FILE", pod.path("system"))
        .env("PROXY_CA_CERT_PATH", pod.path("proxy"))
        .env("GITHUB_CA_CERT_PATH", pod.path("github"));
    assert_eq!(pod.wait(command).code, Some(0));
    let bundle = format!("{}\n{}\n{}\n", certificate("system"), certificate("proxy"), certificate("github"));
    assert_eq!(pod.read("home/ca-bundle.crt"), bundle);
    assert_eq!(pod.read("seen"), bundle.repeat(4));
}

#[test]
fn without_extra_cas_the_image_keeps_its_own_trust() {
    let pod = Pod::new("env >$OUT/seen; exit 100");
    let mut command = pod.command();
    command.env("PROXY_CA_CERT_PATH", pod.path("missing"));
    assert_eq!(pod.wait(command).code, Some(0));
    assert!(!pod.read("seen").contains("SSL_CERT_FILE"));
    assert!(!pod.path("home/ca-bundle.crt").exists());
}

#[test]
fn a_runner_elsewhere_is_found_by_the_path() {
    let pod = Pod::new("exit 1");
    fs::remove_file(pod.path("home/bin/Runner.Worker")).unwrap();
    pod.program("elsewhere/Runner.Worker", "exit 101");
    let mut command = pod.command();
    command.env("PATH", format!("{}:/usr/bin:/bin", pod.path("elsewhere").display()));
    let ended = pod.wait(command);
    assert_eq!((ended.code, ended.report.result), (Some(0), Some(TaskResult::SucceededWithIssues)));
}

#[test]
fn every_line_fits_the_schema_of_all_programs() {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/log.schema.json");
    let schema = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let pod = Pod::new("echo ready; exec sleep 600");
    let jit =
        serde_json::to_vec(&BTreeMap::from([(".runner", BASE64.encode("{}")), ("../x", BASE64.encode("x"))]));
    fs::write(pod.path("run/claim/jitconfig"), BASE64.encode(jit.unwrap())).unwrap();
    let mut command = pod.command();
    command
        .env("LOG_LEVEL", "debug")
        .env("WORKER_SHUTDOWN_GRACE", "0")
        .env("PROXY_CA_CERT_PATH", pod.path("missing"));
    let running = pod.start(command);
    signal(&running.0, Signal::TERM);
    let all = pod.finish(running).log;
    let failed = Pod::new("exit 100");
    fs::remove_file(failed.path("run/claim/payload")).unwrap();
    let all = lines(&(all + &failed.run().log));
    let messages: Vec<_> = all.iter().map(|it| it["msg"].as_str().unwrap()).collect();
    let expected =
        ["told to stop: cancelling the job", "the runner did not stop in time and is killed", "runner ended"];
    assert!(messages.len() >= 4 && expected.iter().all(|it| messages.contains(it)), "{messages:?}");
    for line in &all {
        let errors: Vec<_> = schema.iter_errors(line).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    }
}

/// What goes wrong before there is a runner.
#[test]
fn an_early_failure_is_an_exit_of_one_and_a_report_that_says_why() {
    type Break = fn(&Pod, &mut Command);
    let cases: [(Break, &str); 5] = [
        (
            |pod, _| fs::write(pod.path("run/claim/payload"), "{\"token\":\"ghs_FAKEJOBTOKEN").unwrap(),
            "not JSON",
        ),
        (|pod, _| fs::remove_file(pod.path("run/claim/payload")).unwrap(), "there is no job"),
        (|pod, _| fs::write(pod.path("run/claim/jitconfig"), "").unwrap(), "there is no"),
        (|pod, _| fs::remove_file(pod.path("home/bin/Runner.Worker")).unwrap(), "cannot start Runner.Worker"),
        (|_, command| _ = command.env("WORKER_SHUTDOWN_GRACE", "soon"), "WORKER_SHUTDOWN_GRACE"),
    ];
    for (break_it, expected) in cases {
        let pod = Pod::new("touch $OUT/started; exit 100");
        let mut command = pod.command();
        break_it(&pod, &mut command);
        let ended = pod.wait(command);
        let error = ended.report.error.expect(expected);
        assert!(error.contains(expected), "{error}");
        assert_eq!((ended.code, ended.report.exit, ended.report.result), (Some(1), None, None));
        assert!(!pod.path("started").exists());
        assert!(!error.contains(SECRET) && !ended.log.contains(SECRET), "{error} {}", ended.log);
    }
}

#[test]
fn the_log_is_json_lines_with_the_ids_of_the_run() {
    let pod = Pod::new("head -c 8 <&3 >/dev/null; exit 100");
    let log = lines(&pod.run().log);
    let messages: Vec<_> = log.iter().map(|it| it["msg"].as_str().unwrap()).collect();
    assert_eq!(messages, ["job received", "runner started", "runner ended"]);
    for line in log {
        assert_eq!(
            (&line["run_id"], &line["job"], &line["component"]),
            (&"77".into(), &"build".into(), &"worker".into())
        );
        assert!(line["time"].as_str().unwrap().ends_with('Z'));
    }
}

#[test]
fn what_install_leaves_behind_runs_the_job() {
    let pod = Pod::new("exit 100");
    fs::rename(pod.path("run/claim"), pod.path("secret")).unwrap();
    let mut install = pod.command();
    install.arg("install").arg(pod.path("run"));
    assert_eq!(pod.wait(install).code, Some(0));
    let mut run = pod.command();
    let installed = Command::new(pod.path("run/worker"));
    let variables: Vec<_> =
        run.get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned())).collect();
    run = installed;
    run.env_clear().envs(variables).stdout(Stdio::piped());
    assert_eq!(pod.wait(run).code, Some(0));
    assert_eq!(names(&pod.path("run/claim")), [""; 0]);
}

#[test]
fn an_install_without_a_job_reports_it() {
    let pod = Pod::new("exit 100");
    let mut install = pod.command();
    install.arg("install").arg(pod.path("elsewhere"));
    let ended = pod.wait(install);
    assert_eq!(ended.code, Some(1));
    assert!(ended.report.error.unwrap().contains("there is no job"));
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    let pod = Pod::new("exit 100");
    let status = pod.command().args(["install"]).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}
