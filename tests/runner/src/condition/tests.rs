use super::*;

/// Whether it holds when nothing has gone wrong, when something has, and when somebody has cancelled.
fn check(text: &str, expected: [bool; 3]) {
    let condition = Condition::parse(text).unwrap();
    let all = [Conclusion::Succeeded, Conclusion::Failed, Conclusion::Canceled];
    assert_eq!(all.map(|it| condition.holds(it)), expected, "{text}");
}

#[test]
fn conditions_hold_by_how_the_job_stands() {
    check("", [true, false, false]);
    check("success()", [true, false, false]);
    check("always()", [true, true, true]);
    check("failure()", [false, true, false]);
    check("cancelled()", [false, false, true]);
}

#[test]
fn conditions_are_negated_and_joined() {
    check("!cancelled()", [true, true, false]);
    check(" Failure() || cancelled() ", [false, true, true]);
    check("success() && (false)", [false, false, false]);
    check("success() || failure() && !(true && always())", [true, false, false]);
    check("!(success() || failure())", [false, false, true]);
}

#[test]
fn what_looks_at_anything_else_is_refused() {
    let deep = "(".repeat(100_000);
    for text in [
        "github.ref == 'x'",
        "success() && matrix.n",
        "success",
        "always() always()",
        "(always()",
        "!",
        &deep,
    ] {
        assert!(Condition::parse(text).is_err(), "{text}");
    }
}
