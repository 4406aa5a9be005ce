use super::*;

fn check(text: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(pairs(text).unwrap(), expected);
}

#[test]
fn pairs_are_one_line_each() {
    check("a=1\n\nb=x=y\nc=\n", &[("a", "1"), ("b", "x=y"), ("c", "")]);
}

#[test]
fn a_value_of_many_lines_stands_between_its_markers() {
    check("a<<END\n1\n=\nEND\nb=2\n", &[("a", "1\n="), ("b", "2")]);
    check("a=x<<y\n", &[("a", "x<<y")]);
}

#[test]
fn a_line_that_is_no_pair_is_refused() {
    pairs("export a\n").unwrap_err();
}
