use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Hints, Masks, Secrets};

fn masks(hints: &Value, values: &[&str]) -> Masks {
    let hints: Hints = serde_json::from_value(hints.clone()).unwrap();
    let values = values.iter().map(|it| (*it).to_owned().into()).collect();
    Secrets::new(hints, values).masks("FAKE.JOB.TOKEN")
}

fn pattern(pattern: &str) -> Masks {
    masks(&json!([{"type": "regex", "value": pattern}]), &[])
}

#[track_caller]
fn check(masks: &Masks, text: &str, expected: &str) {
    assert_eq!(masks.apply(text), expected);
}

#[test]
fn every_place_of_a_secret_is_hidden() {
    let masks = masks(&json!([]), &["s3cret", "päss"]);
    check(&masks, "s3cret, päss and s3crets3cret", "***, *** and ***");
    check(&masks, "the token FAKE.JOB.TOKEN too", "the token *** too");
    check(&masks, "nothing to hide", "nothing to hide");
    check(&masks, "", "");
}

#[test]
fn secrets_that_overlap_leave_no_rest() {
    check(&masks(&json!([]), &["abcd", "cdef", "bc"]), "xabcdefx", "x***x");
    check(&masks(&json!([]), &["aba"]), "xababax", "x***x");
}

#[test]
fn a_secret_of_several_lines_is_hidden_line_by_line() {
    let masks = masks(&json!([]), &["-----BEGIN\n  b64b64\r\n}\n"]);
    check(&masks, "-----BEGIN\nb64b64\n}", "***\n***\n}");
}

#[test]
fn a_text_of_two_characters_is_not_a_secret() {
    check(&masks(&json!([{"type": "regex", "value": ".."}]), &["ab", " c "]), "ab c", "ab c");
}

#[test]
fn hints_are_regular_expressions_by_word_or_number() {
    let secret = |kind: Value| masks(&json!([{"type": kind, "value": "s3cr.t"}]), &[]).apply("s3cret");
    for kind in [json!("regex"), json!("Regex"), json!(2), json!("2")] {
        assert_eq!(secret(kind.clone()), "***", "{kind}");
    }
    for kind in [json!("variable"), json!(1), Value::Null] {
        assert_eq!(secret(kind.clone()), "s3cret", "{kind}");
    }
}

#[test]
fn a_hint_of_any_other_form_is_left_out() {
    let hints = json!([7, "x", null, [], {}, {"type": "regex"}, {"type": "regex", "value": {}},
                       {"TYPE": "regex", "VALUE": "s3cret"}]);
    check(&masks(&hints, &[]), "s3cret", "***");
}

#[test]
fn an_escaped_text_hides_the_text() {
    check(&pattern(r"a\+b\ c\#d\.e\\f"), r"a+b c#d.e\f, a+b c#dxe\f", r"***, a+b c#dxe\f");
    check(&pattern(r"first\nsecond"), "first: second", "***: ***");
}

#[test]
fn a_pattern_that_only_another_dialect_knows_is_a_text() {
    check(&pattern(r"(?<=key=)s3cret"), "key=s3cret (?<=key=)s3cret", "key=s3cret ***");
    check(&pattern(r"(unclosed\("), "(unclosed(", "***");
}

#[test]
fn a_pattern_that_matches_nothing_hides_nothing() {
    check(&pattern("x*y*z*"), "abc xyz", "abc ***");
}

#[test]
fn no_secret_shows() {
    let shown = format!("{:?}", masks(&json!([{"type": 2, "value": "s3cr.t"}]), &["s3cret"]));
    assert_eq!(shown, "Masks(3)");
}

proptest! {
    #[test]
    fn no_text_and_no_pattern_makes_it_panic(text in ".{0,80}", it in ".{0,20}") {
        pattern(&it).apply(&text);
        masks(&json!([]), &[&it]).apply(&text);
    }

    #[test]
    fn a_secret_is_gone_wherever_it_stands(secret in "[a-dé]{3,8}", before in "[a-dé ]{0,20}", after in "[a-dé ]{0,20}") {
        let masked = masks(&json!([]), &[&secret]).apply(&format!("{before}{secret}{after}"));
        prop_assert!(!masked.contains(&secret), "{masked}");
    }
}
