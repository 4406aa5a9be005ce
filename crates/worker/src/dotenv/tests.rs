use std::fs;

use super::*;

/// Protocol, Appendix B.
#[test]
fn each_line_has_the_effect_of_its_vector() {
    let table = [
        ("A=1", Some(("A", Some("1")))),
        ("B=x=y", Some(("B", Some("x=y")))),
        ("C=", Some(("C", None))),
        ("D=\"q r\"", Some(("D", Some("\"q r\"")))),
        (" E = f", Some((" E ", Some(" f")))),
        ("#F=g", Some(("#F", Some("g")))),
        ("=h", None),
        ("i", None),
        ("", None),
    ];
    for (line, expected) in table {
        assert_eq!(lines(line).collect::<Vec<_>>(), Vec::from_iter(expected), "{line:?}");
    }
    let all = table.map(|(line, _)| line).join("\n");
    assert_eq!(lines(&all).collect::<Vec<_>>(), table.into_iter().filter_map(|it| it.1).collect::<Vec<_>>());
}

#[test]
fn lines_end_as_on_any_system_and_a_mark_before_the_first_is_not_a_name() {
    let expected = [("A", Some("1 ")), ("B", Some("2"))];
    for text in ["A=1 \nB=2", "A=1 \r\nB=2\r\n", "A=1 \rB=2", "\u{feff}A=1 \nB=2\n", "A=1 \nX=\0\nB=2"] {
        assert_eq!(lines(text).collect::<Vec<_>>(), expected, "{text:?}");
    }
}

#[test]
fn no_file_and_a_folder_of_its_name_say_nothing() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(read(home.path()).unwrap(), None);
    fs::create_dir(home.path().join(FILE)).unwrap();
    assert_eq!(read(home.path()).unwrap(), None);
}

#[test]
fn a_file_without_an_end_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/zero", home.path().join(FILE)).unwrap();
    let error = read(home.path()).unwrap_err().to_string();
    assert!(error.contains(".env"), "{error}");
}
