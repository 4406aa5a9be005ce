use super::*;

#[track_caller]
fn check(text: &str, expected: Option<Duration>) {
    assert_eq!(text.parse::<GoDuration>().ok().map(|it| it.get()), expected, "{text:?}");
}

#[test]
fn durations_are_parsed_as_in_go() {
    check("0s", Some(Duration::ZERO));
    check("5m", Some(Duration::from_secs(300)));
    check("1h30m", Some(Duration::from_secs(5400)));
    check("1.5h", Some(Duration::from_secs(5400)));
    check("250ms", Some(Duration::from_millis(250)));
}

#[test]
fn what_is_not_a_duration_is_refused() {
    for text in ["", "5", "m", "-5m", "5 m", "5d", "1.h", ".5h", "1..5h", "5m3", "1234567890s"] {
        check(text, None);
    }
    check(&"1s".repeat(17), None);
}

#[test]
fn the_text_is_kept_as_written() {
    let duration: GoDuration = serde_json::from_str("\"90s\"").unwrap();
    assert_eq!(serde_json::to_string(&duration).unwrap(), "\"90s\"");
}
