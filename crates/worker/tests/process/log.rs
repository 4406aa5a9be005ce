//! The log, and what goes wrong before there is a runner.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::pod::{Pod, SECRET, lines};

#[test]
fn every_line_fits_the_schema_of_all_programs() {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/log.schema.json");
    let schema = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let pod = Pod::new("echo ready; exec sleep 600");
    pod.jit(&[(".runner", "{}"), ("../x", "x"), (".credentials_rsaparams", "x")]);
    let mut command = pod.command();
    command
        .env("LOG_LEVEL", "debug")
        .env("WORKER_SHUTDOWN_GRACE", "0")
        .env("PROXY_CA_CERT_PATH", pod.path("missing"));
    let mut running = pod.start(command);
    pod.show("please");
    running.until("invalid stop request ignored");
    running.signal(Signal::TERM);
    let all = pod.finish(running).log;
    let failed = Pod::new("exit 100");
    fs::remove_file(failed.path("run/claim/payload")).unwrap();
    let all = lines(&(all + &failed.run().log));
    let messages: Vec<_> = all.iter().map(|it| it["msg"].as_str().unwrap()).collect();
    let expected = ["stop requested", "the runner did not stop in time: killing it", "runner ended"];
    assert!(messages.len() >= 4 && expected.iter().all(|it| messages.contains(it)), "{messages:?}");
    for line in &all {
        let errors: Vec<_> = schema.iter_errors(line).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
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

/// What goes wrong before there is a runner.
#[test]
fn an_early_failure_is_an_exit_of_one_and_a_report_that_says_why() {
    type Break = fn(&Pod, &mut Command);
    let cases: [(Break, &str); 7] = [
        (
            |pod, _| fs::write(pod.path("run/claim/payload"), "{\"token\":\"ghs_FAKEJOBTOKEN").unwrap(),
            "not JSON",
        ),
        (|pod, _| fs::remove_file(pod.path("run/claim/payload")).unwrap(), "no job message"),
        (|pod, _| fs::write(pod.path("run/claim/jitconfig"), "").unwrap(), "is missing"),
        (|pod, _| fs::remove_file(pod.path("home/bin/Runner.Worker")).unwrap(), "cannot start Runner.Worker"),
        (|_, command| _ = command.env("WORKER_SHUTDOWN_GRACE", "soon"), "WORKER_SHUTDOWN_GRACE"),
        (
            |_, command| _ = command.env("POD_TERMINATION_GRACE_SECONDS", "30s"),
            "POD_TERMINATION_GRACE_SECONDS",
        ),
        (|pod, _| std::os::unix::fs::symlink("/dev/zero", pod.path("home/.env")).unwrap(), "cannot read"),
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
fn a_log_level_that_is_not_known_and_a_grace_that_is_too_long_are_warnings() {
    let pod = Pod::new("head -c 8 <&3 >/dev/null; exit 100");
    let mut command = pod.command();
    command
        .env("LOG_LEVEL", "loud")
        .env("POD_TERMINATION_GRACE_SECONDS", "45")
        .env("WORKER_SHUTDOWN_GRACE", "90s");
    let ended = pod.wait(command);
    assert_eq!((ended.code, ended.report.error), (Some(0), None));
    let lines = lines(&ended.log);
    assert!(lines.iter().any(|it| it["level"] == "info"), "{}", ended.log);
    let warnings: Vec<_> =
        lines.iter().filter(|it| it["level"] == "warn").map(|it| it["error"].as_str().unwrap()).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for word in ["WORKER_SHUTDOWN_GRACE", "POD_TERMINATION_GRACE_SECONDS", "LOG_LEVEL"] {
        assert!(warnings.iter().any(|it| it.contains(word)), "{word}: {warnings:?}");
    }
}
