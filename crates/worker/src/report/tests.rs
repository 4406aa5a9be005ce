use handoff::worker::TERMINATION_LIMIT;
use proptest::prelude::*;

use super::*;

#[test]
fn an_error_is_reported_with_all_its_causes() {
    let cause = io::Error::from(io::ErrorKind::NotFound);
    let error = crate::payload::Error::Unpack(cause);
    assert_eq!(text(&error), "cannot unpack payload.gz: entity not found");
}

#[test]
fn the_version_is_the_listeners_own_entry() {
    let file = r#"{"runtimeTarget":{"name":".NETCoreApp"},"libraries":{
        "Newtonsoft.Json/13.0.3":{"type":"package"},
        "Runner.Listener/2.335.1":{"type":"project","serviceable":false},
        "Runner.Common/2.335.1":{"type":"project"}}}"#;
    assert_eq!(version_in(file).as_deref(), Some("2.335.1"));
    for other in ["", "{", "{}", r#"{"libraries":{"Runner.Listener":{}}}"#] {
        assert_eq!(version_in(other), None, "{other}");
    }
}

#[test]
fn a_dependency_file_without_an_end_says_no_version() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("bin")).unwrap();
    assert_eq!(runner_version(home.path()), None);
    std::os::unix::fs::symlink("/dev/zero", home.path().join(DEPENDENCIES)).unwrap();
    assert_eq!(runner_version(home.path()), None);
}

proptest! {
    #[test]
    fn what_is_written_is_one_line_that_the_kubelet_keeps_whole(error in "\\PC{0,6000}") {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("termination-log");
        let report = TerminationReport { error: Some(error), ..TerminationReport::new() };
        write(&path, &report).unwrap();
        let written = fs::read_to_string(&path).unwrap();
        prop_assert!(written.len() <= TERMINATION_LIMIT, "{}", written.len());
        prop_assert_eq!(written.lines().count(), 1);
        prop_assert!(TerminationReport::from_message(&written).is_some());
    }
}
