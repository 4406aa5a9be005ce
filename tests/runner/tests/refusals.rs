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
fn frames_that_are_no_job() {
    let home = Home::new();
    assert_refused(&home.read(b""), "ended before a whole frame");
    assert_refused(&home.read(&[2, 0, 0, 0, 0, 0, 0, 0]), "type 2");
    assert_refused(&home.read(&[1, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3]), "3 bytes");
    assert_refused(&home.read(&[1, 0, 0, 0, 4, 0, 0, 0, b'{', 0, b'}', 0]), "cannot be read");
}
