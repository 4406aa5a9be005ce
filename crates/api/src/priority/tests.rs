use super::*;

#[track_caller]
fn check(allowed: &str, spec: &str, expected: &[&str]) {
    let spec = serde_yaml::from_str(&format!("{{ runnerLabels: [linux], {spec} }}")).unwrap();
    let found = PriorityClasses::parse(allowed, "infra").problems(&spec);
    assert_eq!(found.iter().map(FieldError::to_string).collect::<Vec<_>>(), expected);
}

const TIERS: &str =
    "priorityTiers: [{ priorityClassName: ci, threshold: 1 }, { priorityClassName: late, threshold: 2 }]";

#[test]
fn without_a_list_workers_may_have_every_class_that_is_nobody_elses() {
    check("", TIERS, &[]);
    check("", "podTemplate: { spec: { containers: [], priorityClassName: ci } }", &[]);
    check(
        "",
        "priorityTiers: [{ priorityClassName: system-node-critical, threshold: 1 }, { priorityClassName: infra, threshold: 2 }]",
        &[
            "priorityTiers[0].priorityClassName: PriorityClass system-node-critical is for the cluster's own pods; choose \
             another one",
            "priorityTiers[1].priorityClassName: PriorityClass infra is for the platform's own pods; choose another one",
        ],
    );
}

#[test]
fn with_a_list_they_may_have_what_it_names_and_nobody_else_has() {
    check("ci, late", TIERS, &[]);
    let advice = "choose one of ci, or ask whoever runs the cluster to allow it";
    let refused =
        |path: &str, rule: &str| format!("{path}.priorityClassName: PriorityClass {rule}; {advice}");
    check("ci,infra", TIERS, &[&refused("priorityTiers[1]", "late is not allowed for workers")]);
    for (class, rule) in [
        ("other", "other is not allowed for workers"),
        ("infra", "infra is for the platform's own pods"),
        ("system-x", "system-x is for the cluster's own pods"),
    ] {
        let spec = format!("podTemplate: {{ spec: {{ containers: [], priorityClassName: {class} }} }}");
        check("ci,infra,system-x", &spec, &[&refused("podTemplate.spec", rule)]);
    }
}

#[test]
fn tiers_and_template_do_not_both_choose() {
    let both = format!("{TIERS}, podTemplate: {{ spec: {{ containers: [], priorityClassName: ci }} }}");
    let refused = "podTemplate.spec.priorityClassName: is chosen by priorityTiers; remove one of the two";
    check("", &both, &[refused]);
}

#[test]
fn a_list_is_read_as_it_is_written() {
    let classes = PriorityClasses::parse(" b,a,,", "");
    assert_eq!(PriorityClasses::list(&classes.allowed), "a,b");
    assert_eq!(PriorityClasses::parse("a,b", ""), classes);
}
