use serde_json::json;

use super::*;

fn contexts() -> Contexts {
    let mut contexts = Contexts::default();
    contexts.set("github", json!({ "sha": "abc", "Run_Id": "77" }));
    contexts.set("steps", json!({ "build": { "outputs": { "digest": "d" } } }));
    contexts
}

#[test]
fn scalars_are_read_bare_and_typed() {
    let cases = [
        (json!("x"), "x"),
        (json!(true), "true"),
        (json!(1.5), "1.5"),
        (json!(null), ""),
        (json!({ "type": 0, "lit": "x", "file": 1, "line": 2, "col": 3 }), "x"),
        (json!({ "type": 3, "expr": "github.sha" }), "abc"),
        (json!({ "type": 5, "bool": true }), "true"),
        (json!({ "type": 6, "num": 7 }), "7"),
        (json!({ "type": 7 }), ""),
    ];
    for (token, expected) in cases {
        assert_eq!(text(&token, &contexts()).unwrap(), expected, "{token}");
    }
}

#[test]
fn tokens_that_are_not_scalars_are_refused() {
    for token in
        [json!([]), json!({}), json!({ "type": 1, "seq": [] }), json!({ "type": 4, "directive": "insert" })]
    {
        text(&token, &contexts()).unwrap_err();
    }
}

#[test]
fn expressions_are_paths_without_regard_to_case_and_nothing_else() {
    let evaluate = |it: &str| contexts().evaluate(it);
    assert_eq!(evaluate(" GitHub.run_id ").unwrap(), "77");
    assert_eq!(evaluate("steps.build.outputs.digest").unwrap(), "d");
    assert_eq!(evaluate("steps.missing.outputs.digest").unwrap(), "");
    assert_eq!(evaluate("secrets.MISSING").unwrap(), "");
    for unknown in [
        "",
        "runner.os",
        "github.sha == 'abc'",
        "format('{0}', 1)",
        "github..sha",
        "steps.build.outputs",
        "toJSON(github)",
    ] {
        evaluate(unknown).unwrap_err();
    }
}

#[test]
fn text_with_expressions_in_it_is_formatted() {
    let evaluate = |it: &str| contexts().evaluate(it).unwrap();
    assert_eq!(
        evaluate("format('echo ''a'' {{b}} {0}, {1} {0}', github.sha, github.run_id)"),
        "echo 'a' {b} abc, 77 abc"
    );
    assert_eq!(evaluate("format('plain')"), "plain");
    assert_eq!(evaluate("format('é{0}😀', github.sha)"), "éabc😀");
}

#[test]
fn mappings_keep_their_order_and_their_tokens() {
    let token = json!({ "type": 2, "map": [
        { "Key": "b", "Value": "1" },
        { "Key": { "type": 0, "lit": "a" }, "Value": { "type": 3, "expr": "github.sha" } },
    ]});
    let expected = json!({ "type": 3, "expr": "github.sha" });
    assert_eq!(mapping(&token, &contexts()).unwrap(), [("b".into(), &json!("1")), ("a".into(), &expected)]);
    assert!(mapping(&json!(null), &contexts()).unwrap().is_empty());
    assert!(mapping(&json!({ "type": 2 }), &contexts()).unwrap().is_empty());
    for broken in [json!("x"), json!({ "type": 2, "map": [{ "Key": "a" }] })] {
        mapping(&broken, &contexts()).unwrap_err();
    }
}

#[test]
fn a_flag_is_true_false_or_absent() {
    assert!(flag(Some(&json!(true)), &contexts()).unwrap());
    assert!(flag(Some(&json!({ "type": 5, "bool": true })), &contexts()).unwrap());
    assert!(!flag(Some(&json!(false)), &contexts()).unwrap());
    assert!(!flag(None, &contexts()).unwrap());
    flag(Some(&json!("maybe")), &contexts()).unwrap_err();
}

/// Protocol §5.5.
#[test]
fn context_data_becomes_plain_json() {
    let data = json!({ "t": 2, "d": [
        { "k": "inline", "v": "x" },
        { "k": "string", "v": { "t": 0, "s": "y" } },
        { "k": "list", "v": { "t": 1, "a": [true, { "t": 4, "n": 1.5 }, { "t": 3, "b": false }] } },
        { "k": "none", "v": { "t": 1 } },
        { "k": "untyped", "v": { "s": "z" } },
        { "k": "nested", "v": { "t": 5, "d": [{ "k": "a", "v": 1 }] } },
    ]});
    let expected = json!({
        "inline": "x", "string": "y", "list": [true, 1.5, false], "none": [], "untyped": "z", "nested": { "a": 1 }
    });
    assert_eq!(plain(&data), expected);
}
