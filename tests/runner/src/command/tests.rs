use super::*;

#[test]
fn a_command_has_a_name_properties_and_data() {
    let command =
        Command::parse("  ::error file=a%2Cb.rs,line=3, title=Too bad::no%3A 100%25%0Aof it").unwrap();
    assert_eq!((command.name.as_str(), command.data.as_str()), ("error", "no%3A 100%\nof it"));
    assert_eq!((command.property("FILE"), command.number("line")), (Some("a,b.rs"), Some(3)));
    assert_eq!((command.property("title"), command.property("col")), (Some("Too bad"), None));
}

#[test]
fn a_command_without_properties_is_one() {
    let expected = Command { name: "group".into(), properties: Vec::new(), data: "a::b".into() };
    assert_eq!(Command::parse("::group::a::b"), Some(expected));
}

#[test]
fn other_lines_are_none() {
    for line in ["", "error::x", "::error", "::::x", "a ::error::x"] {
        assert_eq!(Command::parse(line), None, "{line}");
    }
}
