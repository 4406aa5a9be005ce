use serde_json::json;

use super::*;

fn check(line: &str, enhanced: bool, expected: &str) {
    let command = Command::parse(line).unwrap();
    let level = Level::of_command(&command.name).unwrap();
    let annotation = Annotation::of(&command, level, 7, 2, enhanced);
    assert_eq!(serde_json::to_string(&annotation).unwrap(), expected);
}

#[test]
fn commands_become_annotations_with_the_keys_of_the_official_runner() {
    check(
        "::warning file=a.rs,line=3::careful",
        true,
        r#"{"level":"warning","message":"careful","path":"a.rs","startLine":3,"endLine":3,"stepNumber":2}"#,
    );
    check(
        "::error title=Bad::broken",
        true,
        r#"{"level":"failure","message":"broken","title":"Bad","startLine":7,"endLine":7,"stepNumber":2}"#,
    );
    check(
        "::notice file=a.rs,line=3,endLine=5,col=2,endColumn=9::x",
        true,
        r#"{"level":"notice","message":"x","path":"a.rs","startLine":3,"endLine":5,"startColumn":2,"endColumn":9,"stepNumber":2}"#,
    );
}

#[test]
fn without_enhanced_annotations_there_is_no_title_and_no_end() {
    check(
        "::error file=a.rs,line=3,endLine=5,title=Bad::x",
        false,
        r#"{"level":"failure","message":"x","path":"a.rs","startLine":3,"endLine":3,"stepNumber":2}"#,
    );
}

#[test]
fn of_each_level_ten_are_kept() {
    let mut list = Vec::new();
    for _ in 0..12 {
        Annotation::plain(Level::Failure, "x", 1, 1).add_to(&mut list);
    }
    Annotation::plain(Level::Warning, "y", 1, 1).add_to(&mut list);
    Annotation::plain(Level::Warning, " ", 1, 1).add_to(&mut list);
    assert_eq!(list.len(), 11);
    assert_eq!(json!(list.last().unwrap())["message"], "y");
}
