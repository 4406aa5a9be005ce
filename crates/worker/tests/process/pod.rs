//! A worker pod's file system, with a shell script in the place of `Runner.Worker`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use handoff::worker::{RunInfo, TerminationReport};
use rustix::process::{Pid, Signal, kill_process};

pub const SECRET: &str = "ghs_FAKEJOBTOKEN";

/// A process that is forked while another test writes a program holds that file open for writing until its own `exec`,
/// and a program that is open for writing cannot be run.
static FORK: Mutex<()> = Mutex::new(());

/// Starts a process while no test writes a program.
pub fn spawn(command: &mut Command) -> Child {
    let _no_write = FORK.lock();
    command.spawn().unwrap()
}

/// A worker pod's file system, with a claim in it.
pub struct Pod {
    root: tempfile::TempDir,
}

/// A wrapper that has ended.
pub struct Ended {
    pub code: Option<i32>,
    pub report: TerminationReport,
    /// What the wrapper said, and what the runner said after the last line that was waited for.
    pub log: String,
}

impl Pod {
    pub fn new(runner: &str) -> Pod {
        let pod = Pod { root: tempfile::tempdir().unwrap() };
        for dir in ["run/claim", "home/bin", "elsewhere"] {
            fs::create_dir_all(pod.path(dir)).unwrap();
        }
        pod.program("home/bin/Runner.Worker", runner);
        pod.claim(&format!("{{\"token\":\"{SECRET}\"}}"));
        pod
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn program(&self, name: &str, script: &str) {
        let _no_fork = FORK.lock();
        fs::write(self.path(name), format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn claim(&self, job: &str) {
        fs::write(self.path("run/claim/payload"), job).unwrap();
        self.jit(&[(".runner", "{}"), (".credentials", SECRET)]);
        self.run_info(&RunInfo { run_id: "77".into(), job_name: "build".into(), ..RunInfo::default() });
    }

    pub fn jit(&self, files: &[(&str, &str)]) {
        let files: BTreeMap<_, _> =
            files.iter().map(|(name, content)| (name, BASE64.encode(content))).collect();
        let blob = BASE64.encode(serde_json::to_vec(&files).unwrap());
        fs::write(self.path("run/claim/jitconfig"), blob).unwrap();
    }

    pub fn run_info(&self, run: &RunInfo) {
        fs::write(self.path("run/claim/run.json"), serde_json::to_vec(run).unwrap()).unwrap();
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("OUT", self.root.path())
            .env("ACTIONS_GATEWAY_RUN_DIR", self.path("run"))
            .env("RUNNER_HOME_DIR", self.path("home"))
            .env("PAYLOAD_SECRET_PATH", self.path("secret"))
            .env("TERMINATION_MESSAGE_PATH", self.path("termination-log"))
            .env("WORKER_STOP_FILE", self.path("stop"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    pub fn run(&self) -> Ended {
        self.wait(self.command())
    }

    pub fn wait(&self, command: Command) -> Ended {
        self.finish(self.begin(command))
    }

    /// Starts the wrapper and waits until the runner has said `ready`.
    pub fn start(&self, command: Command) -> Running {
        let mut running = self.begin(command);
        running.until("ready\n");
        running
    }

    /// Starts the wrapper.
    pub fn begin(&self, mut command: Command) -> Running {
        let mut child = spawn(&mut command);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout, log: String::new() }
    }

    pub fn finish(&self, mut running: Running) -> Ended {
        running.stdout.read_to_string(&mut running.log).unwrap();
        self.ended(running.child.wait().unwrap().code(), running.log)
    }

    /// Shows a request in the stop file, whole as the kubelet does.
    pub fn show(&self, request: &str) {
        fs::write(self.path("stop.new"), request).unwrap();
        fs::rename(self.path("stop.new"), self.path("stop")).unwrap();
    }

    /// Makes a gate at which a script waits with `read it <$OUT/gate`, until something is written to it.
    pub fn gate(&self) -> File {
        let path = self.path("gate");
        assert!(spawn(Command::new("mkfifo").arg(&path)).wait().unwrap().success());
        File::options().read(true).write(true).open(path).unwrap()
    }

    fn ended(&self, code: Option<i32>, log: String) -> Ended {
        let message = self.read("termination-log");
        let report = TerminationReport::from_message(&message).expect(&message);
        Ended { code, report, log }
    }
}

/// A wrapper that has not ended.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: String,
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for a line that contains this.
    pub fn until(&mut self, expected: &str) {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "{expected} was never said: {}",
                self.log
            );
            if line.starts_with('{') {
                self.log.push_str(&line);
            }
            if line.contains(expected) {
                return;
            }
        }
    }
}

pub fn lines(log: &str) -> Vec<serde_json::Value> {
    log.lines().map(|it| serde_json::from_str(it).expect(it)).collect()
}

pub fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}
