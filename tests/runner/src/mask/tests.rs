use super::*;

fn masks(expressions: &[&str], values: &[&str]) -> Masks {
    let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    Masks::new(&owned(expressions), &owned(values))
}

#[test]
fn secrets_are_masked_wherever_they_stand_and_however_often() {
    assert_eq!(
        masks(&["ghs_[A-Z]+"], &["p.ss"]).apply("a ghs_FAKE b p.ss c p.ss pass"),
        "a *** b *** c *** pass"
    );
}

#[test]
fn a_secret_that_holds_another_is_masked_whole() {
    assert_eq!(masks(&[], &["abc", "abcdef"]).apply("abcdef abc"), "*** ***");
}

#[test]
fn each_line_of_a_secret_of_many_lines_is_masked() {
    assert_eq!(masks(&[], &["-----BEGIN-----\r\nMIIE\n\n"]).apply("x MIIE y"), "x *** y");
}

#[test]
fn what_is_not_an_expression_is_taken_literally() {
    assert_eq!(masks(&["p(ss"], &[]).apply("a p(ss"), "a ***");
}

#[test]
fn empty_secrets_mask_nothing() {
    assert_eq!(masks(&["", " ", "x*"], &["", "\n"]).apply("text"), "text");
}

#[test]
fn a_value_that_is_added_is_masked_from_then_on() {
    let mut masks = masks(&[], &["abc"]);
    masks.add("de\nfg");
    assert_eq!(masks.apply("abc de fg"), "*** *** ***");
}
