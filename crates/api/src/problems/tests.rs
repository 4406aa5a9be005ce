use super::*;

fn gateway(more: &str) -> ActionsGatewaySpec {
    let yaml =
        format!("{{ gitHubURL: 'https://github.com/acme', gitHubAppRef: {{ name: github-app }}, {more} }}");
    serde_yaml::from_str(&yaml).unwrap()
}

#[track_caller]
fn check(spec: &str, namespace_labels: &[(&str, &str)], expected: &[&str]) {
    let labels =
        namespace_labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let found = actions_gateway(
        &gateway(spec),
        Namespace { name: "team-a", labels: &labels },
        &PriorityClasses::parse("", "infra"),
    );
    assert_eq!(found.iter().map(FieldError::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn all_that_is_wrong_is_said_at_once_by_field_rule_and_remedy() {
    check(
        "securityProfile: privileged, tracing: { endpoint: 'ftp://collector', resourceAttributes: { a: 'b,c' } },
         runnerGroups: [
           { name: linux, runnerLabels: [], podTemplate: { spec: { containers: [], priority: 7 } } },
           { name: linux, runnerLabels: [x] }]",
        &[],
        &[
            "spec.securityProfile: privileged is not allowed in this namespace; choose baseline, or whoever runs the \
             cluster must allow it: kubectl label namespace team-a actions-gateway.github.com/privileged-profile=allowed",
            "spec.tracing.endpoint: must be http(s)://HOST:PORT or HOST:PORT, without credentials; correct it",
            "spec.tracing.resourceAttributes[a]: keys and values must be free of ',' and '=', which separate them in the \
             environment; choose others",
            "spec.runnerGroups[0].runnerLabels: no job can choose a group without labels; name at least one",
            "spec.runnerGroups[0].podTemplate.spec.priority: is chosen by priorityTiers; remove it",
            "spec.runnerGroups[1].name: \"linux\" stands twice; names are unique, rename one",
        ],
    );
}

#[test]
fn what_the_platform_allows_by_a_label_is_no_problem() {
    check("securityProfile: privileged", &[(labels::PRIVILEGED_PROFILE, "allowed")], &[]);
    let group = "runnerGroups: [{ name: linux, runnerLabels: [x],
        podTemplate: { spec: { containers: [{ name: runner, securityContext: { privileged: true } }] } } }]";
    check(&format!("securityProfile: privileged, {group}"), &[(labels::PRIVILEGED_PROFILE, "allowed")], &[]);
    check(
        group,
        &[(labels::PRIVILEGED_PROFILE, "allowed")],
        &[
            "spec.runnerGroups[0].podTemplate.spec.containers[0].securityContext.privileged: needs securityProfile \
           privileged; remove it or change the profile",
        ],
    );
}

#[test]
fn a_template_that_cannot_be_read_is_named_by_itself() {
    let labels = BTreeMap::new();
    let spec =
        gateway("runnerGroups: [{ name: a, runnerLabels: [x], podTemplate: { spec: { containers: 7 } } }]");
    let found =
        actions_gateway(&spec, Namespace { name: "team-a", labels: &labels }, &PriorityClasses::default());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "spec.runnerGroups[0].podTemplate");
    assert!(found[0].rule.starts_with("is not a pod template: "), "{}", found[0]);
}

#[test]
fn a_group_without_a_fault_gives_its_template() {
    let spec =
        serde_yaml::from_str("{ runnerLabels: [x], podTemplate: { spec: { containers: [], hostname: h } } }");
    let template = runner_group(&spec.unwrap(), &Rules::default()).unwrap();
    assert_eq!(template.spec.unwrap().hostname.as_deref(), Some("h"));
}
