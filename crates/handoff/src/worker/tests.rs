use proptest::prelude::*;

use super::*;

#[test]
fn exit_codes_mean_the_results_of_the_protocol() {
    assert_eq!(TaskResult::of_exit(100), Some(TaskResult::Succeeded));
    assert_eq!(TaskResult::of_exit(101), Some(TaskResult::SucceededWithIssues));
    assert_eq!(TaskResult::of_exit(102), Some(TaskResult::Failed));
    assert_eq!(TaskResult::of_exit(103), Some(TaskResult::Canceled));
    assert_eq!(TaskResult::of_exit(104), Some(TaskResult::Skipped));
    assert_eq!(TaskResult::of_exit(105), Some(TaskResult::Abandoned));
    for code in [0, 1, 99, 106, 137, -1, i32::MIN, i32::MAX] {
        assert_eq!(TaskResult::of_exit(code), None, "{code}");
    }
}

#[test]
fn a_reader_takes_unknown_fields() {
    let report =
        TerminationReport::from_message(r#"{"v":1,"result":"failed","exit":102,"peak":{"memory":1}}"#);
    assert_eq!(report.unwrap().result, Some(TaskResult::Failed));
}

#[test]
fn a_broken_or_newer_report_is_none() {
    for message in ["", "{", "panic: oh no", r#"{"v":2}"#, "[]"] {
        assert_eq!(TerminationReport::from_message(message), None, "{message:?}");
    }
}

#[test]
fn run_info_is_read_back() {
    let info = RunInfo { run_id: "7".into(), run_attempt: 2, ..RunInfo::default() };
    let text = serde_json::to_string(&info).unwrap();
    assert_eq!(serde_json::from_str::<RunInfo>(&text).unwrap(), info);
}

proptest! {
    #[test]
    fn a_report_fits_the_limit_and_is_read_back(error in "\\PC{0,6000}", version in "\\PC{0,200}", exit in any::<i32>()) {
        let report = TerminationReport {
            error: Some(error),
            runner_version: Some(version),
            exit: Some(exit),
            result: TaskResult::of_exit(exit),
            ..TerminationReport::new()
        };
        let line = report.to_line();
        prop_assert!(line.len() <= TERMINATION_LIMIT);
        prop_assert!(!line.contains('\n'));
        let read = TerminationReport::from_message(&line).unwrap();
        prop_assert_eq!(read.exit, report.exit);
        prop_assert!(report.error.unwrap().starts_with(&read.error.unwrap()));
    }
}
