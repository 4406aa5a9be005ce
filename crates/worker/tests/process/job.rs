//! The job reaches the runner, and what comes of it is ours.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use handoff::worker::TaskResult;
use worker::frame::{self, Kind};

use crate::pod::{Pod, SECRET, lines, names};

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
fn a_byte_order_mark_never_reaches_the_runner() {
    let pod = Pod::new("head -c 12 <&3 >$OUT/job; exit 100");
    pod.claim("\u{feff}{}");
    assert_eq!(pod.run().code, Some(0));
    assert_eq!(fs::read(pod.path("job")).unwrap(), frame::encode(Kind::NewJobRequest, "{}").unwrap());
}

#[test]
fn the_private_key_of_an_older_controllers_blob_is_nowhere_in_the_pod() {
    let key = "FAKEPRIVATEKEY";
    let pod = Pod::new(
        "head -c 8 <&3 >/dev/null; find $OUT/home $OUT/run -type f -exec cat {} + >$OUT/seen
         cat /proc/$PPID/environ /proc/$$/environ >>$OUT/seen; exit 100",
    );
    pod.jit(&[(".runner", "{}"), (".credentials", "SETTINGS"), (".credentials_rsaparams", key)]);
    let mut command = pod.command();
    command.env("LOG_LEVEL", "debug");
    let ended = pod.wait(command);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let seen = pod.read("seen");
    assert!(seen.contains("SETTINGS"), "{seen}");
    for key in [key, &BASE64.encode(key)] {
        assert!(!seen.contains(key) && !ended.log.contains(key), "{seen} {}", ended.log);
    }
    assert_eq!(names(&pod.path("home")).len(), 3, "bin, .runner, .credentials");
    let lines = lines(&ended.log);
    let dropped = lines.iter().find(|it| it["msg"].as_str().unwrap().contains("private key")).unwrap();
    assert_eq!(dropped["level"], "debug");
    assert!(!lines.iter().any(|it| it["level"] == "warn"), "{}", ended.log);
}
