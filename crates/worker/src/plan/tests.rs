use super::*;

/// Protocol §6.3.
#[test]
fn success_with_and_without_issues_is_zero_and_every_other_code_stays() {
    let table = [
        (End::Code(100), 0),
        (End::Code(101), 0),
        (End::Code(102), 102),
        (End::Code(103), 103),
        (End::Code(104), 104),
        (End::Code(105), 105),
        (End::Code(1), 1),
        (End::Code(137), 137),
        (End::Code(255), 255),
        (End::Signal(9), 137),
        (End::Signal(15), 143),
    ];
    for (end, code) in table {
        assert_eq!(exit_code(end), code, "{end:?}");
    }
}

#[test]
fn a_runner_that_exits_zero_without_a_result_is_not_a_success() {
    assert_eq!(exit_code(End::Code(0)), WRAPPER_FAILED);
}

#[test]
fn the_runner_is_the_images_own_or_what_the_path_finds() {
    let home = Path::new("/home/runner");
    let program = PathBuf::from("/home/runner/bin/Runner.Worker");
    assert_eq!(command(home, |path| *path == program), (program.clone(), Some("/home/runner/bin".into())));
    assert_eq!(command(home, |_| false), ("Runner.Worker".into(), None));
}
