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
fn a_line_that_is_not_a_pair_is_refused() {
    pairs("export a\n").unwrap_err();
}

#[test]
fn a_value_that_does_not_end_is_refused() {
    assert_eq!(pairs("a<<END\n1\n"), Err(Error::Delimiter("END".into())));
}

#[test]
fn what_a_step_wrote_is_read_and_a_file_that_is_gone_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::create(folder.path(), "u").unwrap();
    let named: BTreeMap<String, String> = files.environment().collect();
    fs::write(&named["GITHUB_PATH"], "/opt/x\n").unwrap();
    fs::remove_file(&named["GITHUB_STEP_SUMMARY"]).unwrap();
    assert_eq!(
        (files.text("GITHUB_PATH").as_str(), files.text("GITHUB_STEP_SUMMARY").as_str()),
        ("/opt/x\n", "")
    );
}
