//! A worker pod in miniature: the wrapper's process over the stand-in, in a folder.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use handoff::worker::{ENV_STOP_FILE, TerminationReport};

use crate::github::{Claimed, GitHub};
use crate::proxy::Proxy;

/// The folder.
pub struct Pod {
    root: tempfile::TempDir,
    proxy: Option<String>,
}

/// What is left of a pod.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub report: TerminationReport,
    /// What `kubectl logs` shows.
    pub log: String,
}

impl Pod {
    pub fn new(github: &GitHub, claimed: &Claimed) -> Pod {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for dir in ["run/claim", "home/bin"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        let pod = Pod { root, proxy: None };
        fs::hard_link(env!("CARGO_BIN_EXE_standin-runner"), pod.path("home/bin/Runner.Worker")).unwrap();
        fs::write(pod.path("run/claim/payload"), &claimed.message).unwrap();
        fs::write(pod.path("run/claim/jitconfig"), &claimed.jit).unwrap();
        fs::write(pod.path("github-ca.crt"), github.server.ca_pem()).unwrap();
        pod
    }

    /// The same pod, with no way out but this proxy.
    pub fn behind(mut self, proxy: &Proxy) -> Pod {
        fs::write(self.path("proxy-ca.crt"), &proxy.certificate).unwrap();
        self.proxy = Some(proxy.url.clone());
        self
    }

    /// Where the wrapper looks for a request to stop.
    pub fn stop_file(&self) -> PathBuf {
        self.path("stop")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["wrapper_process", "--exact", "--ignored", "--nocapture"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("ACTIONS_GATEWAY_RUN_DIR", self.path("run"))
            .env("RUNNER_HOME_DIR", self.path("home"))
            .env("GITHUB_CA_CERT_PATH", self.path("github-ca.crt"))
            .env("TERMINATION_MESSAGE_PATH", self.path("termination-log"))
            .env(ENV_STOP_FILE, self.stop_file())
            .env("ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if let Some(proxy) = &self.proxy {
            command.env("HTTPS_PROXY", proxy).env("PROXY_CA_CERT_PATH", self.path("proxy-ca.crt"));
        }
        command
    }

    /// Starts the pod; `on_line` sees each line of its log as it comes, and may signal the wrapper.
    pub fn run(&self, mut on_line: impl FnMut(&str, &Child)) -> Ended {
        let mut child = self.command().spawn().unwrap();
        let mut log = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            on_line(&line, &child);
            log.push_str(&line);
            log.push('\n');
        }
        let code = child.wait().unwrap().code();
        let message = fs::read_to_string(self.path("termination-log")).unwrap();
        Ended { code, report: TerminationReport::from_message(&message).unwrap(), log }
    }
}
