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
    let info = RunInfo {
        run_id: "7".into(),
        run_attempt: 2,
        run_span_id: "00f067aa0ba902b7".into(),
        sampled: Some(false),
        ..RunInfo::default()
    };
    let text = serde_json::to_string(&info).unwrap();
    assert!(text.contains(r#""runSpanId":"00f067aa0ba902b7","sampled":false"#), "{text}");
    assert_eq!(serde_json::from_str::<RunInfo>(&text).unwrap(), info);
}

#[test]
fn the_run_info_of_an_older_or_a_newer_controller_is_read() {
    let older: RunInfo = serde_json::from_str(r#"{"runId":"7","spanId":"00f067aa0ba902b7"}"#).unwrap();
    assert_eq!((older.run_span_id.as_str(), older.sampled), ("", None));
    let newer: RunInfo = serde_json::from_str(r#"{"runId":"7","color":"blue"}"#).unwrap();
    assert_eq!(newer.run_id, "7");
}

#[test]
fn a_report_names_the_frame_that_was_written_and_an_older_one_names_none() {
    let report = TerminationReport { frame: Some(StopFrame::Shutdown.number()), ..TerminationReport::new() };
    let line = report.to_line();
    assert!(line.contains(r#""frame":3"#), "{line}");
    assert_eq!(TerminationReport::from_message(&line), Some(report));
    assert_eq!(TerminationReport::from_message(r#"{"v":1,"stopped":true}"#).unwrap().frame, None);
}

#[test]
fn a_request_to_stop_is_a_frame_and_seconds() {
    let request = |text: &str| text.parse::<StopRequest>().map(|it| (it.frame.number(), it.seconds));
    assert_eq!(request("2;285"), Ok((2, 285)));
    assert_eq!(request("3;0\n"), Ok((3, 0)));
    for text in ["", "2", "2;", ";5", "1;5", "4;5", "02;5", "2;5s", "2;-5", "2;1.5", "2;5;5", "two;5"] {
        assert_eq!(request(text), Err(NoStopRequest), "{text:?}");
    }
}

#[test]
fn no_variable_of_the_wrapper_is_listed_twice() {
    let names = std::collections::BTreeSet::from(WRAPPER_ENV);
    assert_eq!(names.len(), WRAPPER_ENV.len());
}

proptest! {
    #[test]
    fn a_request_to_stop_is_read_back(cancel in any::<bool>(), seconds in any::<u64>()) {
        let frame = if cancel { StopFrame::Cancel } else { StopFrame::Shutdown };
        let request = StopRequest { frame, seconds };
        prop_assert_eq!(request.to_string().parse(), Ok(request));
    }

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
