use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const JOB: &str = r#"{"jobDisplayName":"bùild 😀"}"#;

fn dir_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_claim_is_read_once_and_leaves_only_the_wrapper_behind() {
    let dir = dir_with(&[
        ("payload", JOB.as_bytes()),
        ("jitconfig", b"blob"),
        ("run.json", b"{}"),
        ("worker", b""),
    ]);
    let claim = take(dir.path()).unwrap();
    assert_eq!((claim.job.as_str(), claim.jit.as_str()), (JOB, "blob"));
    assert_eq!(names(dir.path()), ["worker"]);
    assert!(matches!(take(dir.path()), Err(Error::Missing { .. })));
}

#[test]
fn a_compressed_payload_is_unpacked() {
    let dir = dir_with(&[("payload.gz", &gzip(JOB.as_bytes()))]);
    assert_eq!(take(dir.path()).unwrap().job, JOB);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_byte_order_mark_is_taken_off_the_job() {
    let marked = format!("\u{feff}{JOB}");
    for (file, content) in [("payload", marked.clone().into_bytes()), ("payload.gz", gzip(marked.as_bytes()))]
    {
        let dir = dir_with(&[(file, &content)]);
        assert_eq!(take(dir.path()).unwrap().job, JOB, "{file}");
    }
    let twice = dir_with(&[("payload", format!("\u{feff}{marked}").as_bytes())]);
    assert!(
        matches!(take(twice.path()).err().unwrap(), Error::NotJson { .. }),
        "no message that GitHub sends"
    );
}

#[test]
fn a_broken_claim_is_an_error_and_leaves_nothing_behind() {
    type Expected = fn(&Error) -> bool;
    let bomb = gzip(&vec![b' '; 1 + MAX_PAYLOAD as usize]);
    let half = gzip(JOB.as_bytes())[..12].to_vec();
    let cases: [(&str, &[u8], Expected); 6] = [
        ("payload", b"", |it| matches!(it, Error::NotJson { .. })),
        ("payload", b"{\"token\":\"s3cret", |it| matches!(it, Error::NotJson { .. })),
        ("payload", b"\xff\xfe{}", |it| matches!(it, Error::NotText { file: "payload" })),
        ("payload.gz", b"{}", |it| matches!(it, Error::Unpack(_))),
        ("payload.gz", &half, |it| matches!(it, Error::Unpack(_))),
        ("payload.gz", &bomb, |it| matches!(it, Error::TooLong)),
    ];
    for (file, content, expected) in cases {
        let dir = dir_with(&[(file, content), ("jitconfig", b"s3cret")]);
        let error = take(dir.path()).err().unwrap();
        assert!(expected(&error), "{file}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        assert!(names(dir.path()).is_empty());
    }
}

#[test]
fn ids_that_cannot_be_read_fail_no_job() {
    let dir = dir_with(&[("payload", b"{}"), ("run.json", b"[")]);
    assert!(take(dir.path()).unwrap().run.is_err());
}

#[test]
fn a_file_that_cannot_be_removed_stops_the_job() {
    let dir = dir_with(&[("payload", b"{}")]);
    fs::create_dir(dir.path().join("run.json")).unwrap(); // a directory: unlink refuses it
    assert!(matches!(take(dir.path()).err().unwrap(), Error::Unlink { .. }));
}
