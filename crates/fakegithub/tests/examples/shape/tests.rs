use std::collections::BTreeMap;

use super::*;

/// What the comparison learns, or what it finds wrong.
fn compared(expected: &str, found: &str) -> Result<BTreeMap<String, String>, String> {
    let half = |body: &str| Half { first: "HTTP/1.1 200 OK".into(), headers: Vec::new(), body: body.into() };
    let mut known = BTreeMap::new();
    compare(&half(expected), &half(found), &mut known).map(|()| known)
}

#[track_caller]
fn differs(expected: &str, found: &str, difference: &str) {
    assert_eq!(compared(expected, found).unwrap_err(), difference);
}

#[test]
fn the_same_is_the_same() {
    assert!(compared(r#"{"a":[1,"x",null,true]}"#, r#"{"a": [1, "x", null, true]}"#).unwrap().is_empty());
}

#[test]
fn every_difference_is_found() {
    differs(r#"{"a":1}"#, r#"{"a":2}"#, "body.a is 2 instead of 1");
    differs(r#"{"a":1}"#, r#"{"a":"1"}"#, "body.a is \"1\" instead of 1");
    differs(r#"{"a":1,"b":2}"#, r#"{"a":1}"#, "body.b is missing");
    differs(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, "body.b is not in the example");
    differs("[1]", "[1,2]", "body has 2 items instead of 1");
    differs("[1]", "", "the body is '' instead of '[1]'");
    differs(r#"{"a":"x"}"#, r#"{"a":"y"}"#, "body.a is 'y' instead of 'x'");
    differs(r#"{"a":"{\"b\":1}"}"#, r#"{"a":"{\"b\":2}"}"#, "body.a.b is 2 instead of 1");
}

#[test]
fn status_and_headers_count() {
    let half = |first: &str, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Half { first: first.into(), headers: headers.collect(), body: String::new() }
    };
    let expected = half("HTTP/1.1 200 OK", &[("etag", "⟨tag⟩")]);
    let mut known = BTreeMap::new();
    assert!(compare(&expected, &half("HTTP/1.1 201 Created", &[("etag", "1")]), &mut known).is_err());
    let missing = compare(&expected, &half("HTTP/1.1 200 OK", &[]), &mut known);
    assert_eq!(missing, Err("the header etag is missing".into()));
    compare(&expected, &half("HTTP/1.1 200 OK", &[("date", "now"), ("etag", "1")]), &mut known).unwrap();
    assert_eq!(known["tag"], "1");
}

#[test]
fn a_value_is_learnt_once_and_demanded_after() {
    let pattern = r#"{"a":"⟨#id⟩","b":"⟨id⟩","c":"run ⟨id⟩!"}"#;
    assert_eq!(compared(pattern, r#"{"a":7,"b":"7","c":"run 7!"}"#).unwrap()["id"], "7");
    differs(pattern, r#"{"a":7,"b":"8","c":"run 7!"}"#, "body.b: id is '8' here and was '7'");
    differs(pattern, r#"{"a":7,"b":"7","c":"run 8!"}"#, "body.c is 'run 8!' instead of 'run ⟨id⟩!'");
    differs(r#"{"a":"⟨#id⟩"}"#, r#"{"a":"7"}"#, "body.a is \"7\", and no plain value");
    differs(r#"{"a":"⟨id⟩"}"#, r#"{"a":7}"#, "body.a is 7 and no text");
    differs(r#"{"a":"⟨_⟩"}"#, r#"{"a":""}"#, "body.a is empty");
}

#[test]
fn what_goes_on_may_have_more_but_not_less() {
    assert!(compared(r#"{"a":1,"⟨…⟩":null}"#, r#"{"a":1,"b":2}"#).is_ok());
    differs(r#"{"a":1,"⟨…⟩":null}"#, r#"{"b":2}"#, "body.a is missing");
    assert!(compared(r#"[2,"⟨…⟩"]"#, "[1,2,3]").is_ok());
    differs(r#"[4,"⟨…⟩"]"#, "[1]", "body[0] is nowhere in the list: body[0] is 1 instead of 4");
}
