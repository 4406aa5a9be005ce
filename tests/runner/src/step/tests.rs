use serde_json::json;

use super::*;

/// Protocol §5.7.
fn example() -> Value {
    json!({
        "type": "action", "id": "5e900000-0000-4000-8000-00000000fa4e", "name": "__run", "contextName": "__run",
        "displayNameToken": "Run make", "condition": "success()", "reference": { "type": "script" },
        "inputs": { "type": 2, "map": [{ "Key": "script", "Value": "make" }] }
    })
}

fn parse(step: &Value) -> Result<Step, Refusal> {
    Step::parse(step, &Contexts::default())
}

#[test]
fn the_example_of_the_protocol_is_read() {
    let step = parse(&example()).unwrap();
    assert_eq!((step.name.as_str(), step.script), ("Run make", json!("make")));
    assert_eq!((step.condition, step.continue_on_error), (Condition::Success, false));
}

#[test]
fn what_only_the_real_runner_knows_is_refused_by_name() {
    let cases = [
        ("/type", json!("container"), "container"),
        ("/reference/type", json!("repository"), "repository"),
        ("/condition", json!("github.ref == 'refs/heads/main'"), "github.ref"),
        ("/inputs/map/0/Key", json!("stdin"), "stdin"),
        ("/timeoutInMinutes", json!("soon"), "soon"),
        ("/background", json!(true), "background"),
        ("/continueOnError", json!("maybe"), "maybe"),
    ];
    for (pointer, value, named) in cases {
        let mut step = example();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        step.pointer_mut(parent).unwrap()[key] = value;
        let refusal = parse(&step).unwrap_err().to_string();
        assert!(refusal.contains(named) && refusal.contains("stand-in"), "{refusal}");
    }
}

#[test]
fn a_timeout_is_a_number_of_minutes() {
    let mut step = example();
    assert_eq!(parse(&step).unwrap().timeout, None);
    step["timeoutInMinutes"] = json!({ "type": 6, "num": 1.5 });
    assert_eq!(parse(&step).unwrap().timeout, Some(1.5));
}
