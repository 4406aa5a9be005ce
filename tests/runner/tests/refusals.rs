//! What the stand-in refuses before there is a job, as the real runner does (protocol §6.1 to §6.3).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

struct Home {
    root: tempfile::TempDir,
}

impl Home {
    fn new() -> Home {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir(root.path().join("bin")).unwrap();
        fs::hard_link(env!("CARGO_BIN_EXE_standin-runner"), root.path().join("bin/Runner.Worker")).unwrap();
        fs::write(root.path().join(".runner"), "{}").unwrap();
        Home { root }
    }

    fn program(&self) -> PathBuf {
        self.root.path().join("bin/Runner.Worker")
    }

    /// The stand-in with these bytes on descriptor 3.
    fn read(&self, bytes: &[u8]) -> Output {
        fs::write(self.root.path().join("pipe"), bytes).unwrap();
        Command::new("/bin/sh")
            .args(["-c", r#"exec "$0" spawnclient 3 4 3<"$1" 4>/dev/null"#])
            .arg(self.program())
            .arg(self.root.path().join("pipe"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn assert_refused(output: &Output, expected: &str) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(expected), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn arguments_other_than_spawnclient_and_two_descriptors() {
    let home = Home::new();
    let cases: [(&[&str], &str); 4] = [
        (&[], "got 0 arguments"),
        (&["spawnclient", "3"], "got 2 arguments"),
        (&["run", "3", "4"], "wanted `spawnclient`"),
        (&["spawnclient", "three", "4"], "no descriptor"),
    ];
    for (arguments, expected) in cases {
        assert_refused(&Command::new(home.program()).args(arguments).output().unwrap(), expected);
    }
}

#[test]
fn a_root_without_settings() {
    let home = Home::new();
    fs::remove_file(home.root.path().join(".runner")).unwrap();
    assert_refused(&home.read(b""), ".runner");
}

#[test]
fn a_descriptor_that_is_not_open() {
    let home = Home::new();
    let closed = Command::new(home.program()).args(["spawnclient", "93", "94"]).output().unwrap();
    assert_refused(&closed, "cannot open descriptor 93");
}

#[test]
fn frames_that_are_not_a_job() {
    let home = Home::new();
    assert_refused(&home.read(&[2, 0, 0, 0, 0, 0, 0, 0]), "type 2");
    assert_refused(&home.read(&[1, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3]), "3 bytes");
    assert_refused(&home.read(&frame(1, "{}")), "cannot be read");
}

#[test]
fn a_job_message_with_a_byte_order_mark() {
    assert_refused(&Home::new().read(&frame(1, &format!("\u{feff}{}", job("true")))), "cannot be read");
}

#[test]
fn settings_that_cannot_be_read() {
    let home = Home::new();
    fs::write(home.root.path().join(".runner"), r#"{"AgentId":"seven"}"#).unwrap();
    assert_refused(&home.read(&frame(1, &job("true"))), "AgentId is no number");
}

#[test]
fn a_second_frame_of_another_type() {
    // A step that ends when its worker does.
    let waiting = job("while kill -0 $PPID; do sleep 0.01; done");
    let frames = [frame(1, &waiting), frame(7, "")].concat();
    assert_refused(&Home::new().read(&frames), "Actual value was 7");
}

#[test]
fn a_second_frame_that_is_too_long() {
    let waiting = job("while kill -0 $PPID; do sleep 0.01; done");
    let frames = [frame(1, &waiting), vec![2, 0, 0, 0, 0, 0, 0, 0x40]].concat();
    assert_refused(&Home::new().read(&frames), "is not allowed");
}

fn frame(kind: i32, body: &str) -> Vec<u8> {
    let text: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [&kind.to_le_bytes()[..], &i32::try_from(text.len()).unwrap().to_le_bytes(), &text].concat()
}

/// A job of one step that reports to nobody.
fn job(script: &str) -> String {
    serde_json::json!({
        "messageType": "RunnerJobRequest", "plan": { "planId": "p" }, "jobId": "j",
        "resources": { "endpoints": [{ "name": "SystemVssConnection", "url": "https://run.invalid/",
            "authorization": { "parameters": { "AccessToken": "FAKE.JOB.TOKEN" } } }]},
        "steps": [{ "type": "action", "id": "5e90", "name": "step", "reference": { "type": "script" },
            "inputs": { "type": 2, "map": [{ "Key": "script", "Value": script }] } }],
    })
    .to_string()
}
