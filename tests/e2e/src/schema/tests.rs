use serde_json::json;

use super::*;

#[test]
fn rules_and_bounds_are_found_at_every_depth() {
    let definition = json!({"spec": {"names": {"kind": "Widget"}, "versions": [{"schema": {"openAPIV3Schema": {
        "x-kubernetes-validations": [{"rule": "self.a", "message": "a"}],
        "properties": {"spec": {"properties": {
            "sizes": {"maxItems": 3, "items": {"maximum": 100.0, "minimum": 0.5}},
            "labels": {"additionalProperties": {
                "enum": ["x", null],
                "x-kubernetes-validations": [{"rule": "self.b", "message": "b"}],
            }},
        }}},
    }}}]}});
    let mut promises = Promises::default();
    promises.add(&definition).unwrap();

    let rules: Vec<_> = promises.rules.iter().map(|it| (it.path.as_str(), it.rule.as_str())).collect();
    assert_eq!(rules, [("", "self.a"), ("spec.labels{}", "self.b")]);
    let bounds: Vec<_> =
        promises.bounds.iter().map(|it| format!("{} {} {}", it.path, it.keyword, it.limit)).collect();
    assert_eq!(
        bounds,
        [
            r#"spec.labels{} enum ["x",null]"#,
            "spec.sizes maxItems 3",
            "spec.sizes[] maximum 100",
            "spec.sizes[] minimum 0.5",
        ]
    );
}

#[test]
fn a_definition_without_a_kind_is_refused() {
    assert!(Promises::default().add(&json!({"spec": {}})).is_err());
}
