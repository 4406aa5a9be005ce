use std::process::Command;

use super::*;

#[test]
fn the_checksum_is_the_usual_one() {
    assert_eq!(crc(b"123456789"), 0xcbf4_3926);
}

#[test]
fn an_archive_is_read_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.zip");
    std::fs::write(&file, pack(&[("a.log", b"one\n"), ("\u{e9}.log", b"")])).unwrap();
    let output = Command::new("python3").args(["-m", "zipfile", "-t"]).arg(&file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("Done testing"), "{text}");
}
