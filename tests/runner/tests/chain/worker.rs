//! The stand-in by itself, with a listener in miniature: a job on its pipe, and perhaps one more frame.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::json;
use tokio::task::spawn_blocking;

use crate::recorder::Recorder;

pub struct Worker {
    root: tempfile::TempDir,
    child: Child,
}

impl Worker {
    /// Starts it with a job.
    pub fn start(recorder: &Recorder, message: &str) -> Worker {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("bin")).unwrap();
        fs::hard_link(env!("CARGO_BIN_EXE_standin-runner"), path("bin/Runner.Worker")).unwrap();
        let settings =
            json!({ "AgentId": "31007", "AgentName": "runner", "PoolId": "1", "WorkFolder": "_work" });
        fs::write(path(".runner"), settings.to_string()).unwrap();
        let credentials = json!({ "scheme": "OAuth", "data": { "clientId": "c" } });
        fs::write(path(".credentials"), credentials.to_string()).unwrap();
        fs::write(path("ca.crt"), &recorder.certificate).unwrap();
        let mut child = Command::new("/bin/sh")
            .args(["-c", r#"exec "$0" spawnclient 3 4 3<&0 4>/dev/null </dev/null"#])
            .arg(path("bin/Runner.Worker"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("SSL_CERT_FILE", path("ca.crt"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(&frame(1, message)).unwrap();
        Worker { root, child }
    }

    /// Writes a frame without a body.
    pub fn tell(&mut self, kind: i32) {
        self.child.stdin.as_mut().unwrap().write_all(&frame(kind, "")).unwrap();
    }

    /// Waits for its end; the pipe stays open.
    pub async fn ended(mut self) -> ExitStatus {
        let pipe = self.child.stdin.take();
        let status = spawn_blocking(move || self.child.wait().unwrap()).await.unwrap();
        drop((pipe, self.root));
        status
    }
}

fn frame(kind: i32, body: &str) -> Vec<u8> {
    let text: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = i32::try_from(text.len()).unwrap();
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), &text].concat()
}
