use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};

use super::*;

fn platform() -> Provision {
    Provision { system_namespace: "actions-gateway-system".to_owned(), ..Provision::default() }
}

fn identity(name: &str, created: &str) -> Identity {
    Identity {
        namespace: "team-a".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        created: created.parse().unwrap(),
    }
}

fn references() -> References {
    References {
        identity: identity("team-a", "2026-01-01T00:00:00Z"),
        namespace_labels: BTreeMap::from([(labels::TENANT.to_owned(), "true".to_owned())]),
        namespace_deleted: None,
        siblings: Vec::new(),
        controller: None::<Deployment>,
        controller_pods: Vec::new(),
        lease: None,
        runner_groups: Vec::new(),
    }
}

fn cr(change: impl FnOnce(&mut Value)) -> ActionsGateway {
    let mut spec = json!({
        "gitHubURL": "https://github.com/acme",
        "gitHubAppRef": { "name": "github-app" },
        "runnerGroups": [{ "name": "linux", "runnerLabels": ["linux"] }],
    });
    change(&mut spec);
    ActionsGateway::new("team-a", serde_json::from_value(spec).unwrap())
}

/// The problems with a spec, one to a line.
fn problems_of(change: impl FnOnce(&mut Value)) -> String {
    match validate(&cr(change), &references(), &platform()) {
        Ok(_) => String::new(),
        Err(Error::InvalidSpec(problems)) => {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_priority_class_that_the_platform_does_not_allow_is_named_by_its_path() {
    let tiers = json!([{ "priorityClassName": "vip", "threshold": 1 }]);
    let gateway = cr(|spec| spec["runnerGroups"][0]["priorityTiers"] = tiers);
    let only = |allowed| Provision { priority_classes: PriorityClasses::parse(allowed, ""), ..platform() };
    let Err(Error::InvalidSpec(problems)) = validate(&gateway, &references(), &only("ci")) else { panic!() };
    assert_eq!(problems.len(), 1);
    let text = problems[0].to_string();
    assert!(text.starts_with("spec.runnerGroups[0].priorityTiers[0].priorityClassName: "), "{text}");
    validate(&gateway, &references(), &only("vip")).unwrap();
    validate(&gateway, &references(), &only("")).unwrap();
}

fn refused(change: impl FnOnce(&mut References)) -> Error {
    let mut references = references();
    change(&mut references);
    validate(&cr(|_| {}), &references, &platform()).unwrap_err()
}

#[test]
fn a_plain_spec_is_taken() {
    assert_eq!(problems_of(|_| {}), "");
}

#[test]
fn an_address_that_is_no_githubs_is_refused_with_its_path() {
    let of = |url: &str| problems_of(|spec| spec["gitHubURL"] = json!(url));
    assert_eq!(of("https://github.com/acme/demo"), "");
    assert_eq!(of("https://ghes.example.org/enterprises/acme"), "");
    assert_eq!(
        of("http://github.com/acme"),
        "spec.gitHubURL: must begin with https://; credentials are sent there"
    );
    for bad in
        ["https://github.com/", "https://github.com/a/b/c", "https://user:word@github.com/a", "https://"]
    {
        assert!(of(bad).starts_with("spec.gitHubURL: "), "{bad}: {}", of(bad));
        assert!(of(bad).contains("; write it as https://github.com/ORG"), "{bad}");
    }
}

#[test]
fn the_privileged_profile_needs_the_platforms_consent() {
    let privileged = |spec: &mut Value| spec["securityProfile"] = json!("privileged");
    let message = problems_of(privileged);
    assert!(
        message.starts_with("spec.securityProfile: privileged is not allowed in this namespace;"),
        "{message}"
    );
    assert!(
        message
            .contains("kubectl label namespace team-a actions-gateway.github.com/privileged-profile=allowed"),
        "{message}"
    );
    let mut allowed = references();
    allowed.namespace_labels.insert(labels::PRIVILEGED_PROFILE.to_owned(), "allowed".to_owned());
    assert!(validate(&cr(privileged), &allowed, &platform()).is_ok());
}

#[test]
fn every_fault_of_a_pod_template_is_named_by_its_path() {
    let found = problems_of(|spec| {
        spec["runnerGroups"][0]["podTemplate"] =
            json!({ "spec": { "hostNetwork": true, "containers": [{ "name": "runner", "imagee": "x" }] } });
    });
    let paths: Vec<&str> = found.lines().map(|it| it.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "spec.runnerGroups[0].podTemplate.spec.containers[0].imagee",
            "spec.runnerGroups[0].podTemplate.spec.hostNetwork",
        ]
    );
    let unreadable = problems_of(|spec| {
        spec["runnerGroups"][0]["podTemplate"] = json!({ "spec": { "containers": 7 } });
    });
    assert!(
        unreadable.starts_with("spec.runnerGroups[0].podTemplate: is not a pod template"),
        "{unreadable}"
    );
}

#[test]
fn a_privileged_container_needs_the_privileged_profile() {
    let container = |list: &str, profile: &str| {
        let (list, profile) = (list.to_owned(), profile.to_owned());
        move |spec: &mut Value| {
            spec["securityProfile"] = json!(profile);
            let mut pod =
                json!({ "containers": [{ "name": "runner" }], "initContainers": [{ "name": "before" }] });
            pod[&list][0]["securityContext"] = json!({ "privileged": true });
            spec["runnerGroups"][0]["podTemplate"] = json!({ "spec": pod });
        }
    };
    for list in ["containers", "initContainers"] {
        let expected = format!(
            "spec.runnerGroups[0].podTemplate.spec.{list}[0].securityContext.privileged: needs securityProfile \
             privileged; remove it or change the profile"
        );
        assert_eq!(problems_of(container(list, "baseline")), expected);
    }
    let mut allowed = references();
    allowed.namespace_labels.insert(labels::PRIVILEGED_PROFILE.to_owned(), "allowed".to_owned());
    assert!(validate(&cr(container("containers", "privileged")), &allowed, &platform()).is_ok());
}

#[test]
fn a_template_reaches_no_secret_and_no_volume_of_the_gateway() {
    let found = problems_of(|spec| {
        let side = json!({ "name": "side", "volumeMounts": [{ "name": "actions-gateway-payload", "mountPath": "/p" }] });
        let app = json!([{ "secretRef": { "name": "github-app" } }]);
        let pod = json!({ "containers": [{ "name": "runner", "envFrom": app }, side] });
        spec["runnerGroups"][0]["podTemplate"] = json!({ "spec": pod });
    });
    let expected = [
        "spec.runnerGroups[0].podTemplate.spec.containers[1].volumeMounts[0].name: actions-gateway-payload is a volume of \
         the gateway; remove the mount",
        "spec.runnerGroups[0].podTemplate.spec.containers[0].envFrom[0].secretRef.name: this Secret holds the App's \
         credentials, which no worker may read; refer to a Secret of your own, under another name",
    ];
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let found = problems_of(|spec| {
        let twin = spec["runnerGroups"][0].clone();
        spec["runnerGroups"].as_array_mut().unwrap().push(twin);
    });
    assert_eq!(found, "spec.runnerGroups[1].name: \"linux\" stands twice; names are unique, rename one");
}

#[test]
fn traces_go_to_a_collector_and_carry_no_credentials() {
    let of = |endpoint: &str| problems_of(|spec| spec["tracing"] = json!({ "endpoint": endpoint }));
    for good in ["", "collector.observability:4317", "http://collector:4317", "https://10.0.0.1:4317"] {
        assert_eq!(of(good), "", "{good}");
    }
    for bad in ["https://user:word@collector:4317", "ftp://collector", "https://"] {
        assert!(
            of(bad).starts_with("spec.tracing.endpoint: must be http(s)://HOST:PORT"),
            "{bad}: {}",
            of(bad)
        );
    }
}

#[test]
fn attributes_that_would_break_their_list_are_refused() {
    let found = problems_of(|spec| {
        spec["tracing"] =
            json!({ "endpoint": "c:4317", "resourceAttributes": { "a": "b,c", "d=e": "f", "g": "h" } });
    });
    let paths: Vec<&str> = found.lines().map(|it| it.split(": ").next().unwrap()).collect();
    assert_eq!(paths, ["spec.tracing.resourceAttributes[a]", "spec.tracing.resourceAttributes[d=e]"]);
}

#[test]
fn an_empty_endpoint_is_no_tracing() {
    let cr = cr(|spec| spec["tracing"] = json!({ "endpoint": "", "sampler": "always_on" }));
    assert_eq!(validate(&cr, &references(), &platform()).unwrap().tracing, None);
}

#[test]
fn reserved_namespaces_hold_no_gateway_whatever_their_labels() {
    for namespace in ["default", "kube-system", "kube-anything", "actions-gateway-system"] {
        let error = refused(|it| it.identity.namespace = namespace.to_owned());
        assert_eq!(error, Error::ReservedNamespace(namespace.to_owned()));
    }
}

#[test]
fn only_the_exact_label_hands_a_namespace_over() {
    let error = refused(|it| it.namespace_labels.clear());
    assert!(
        error.to_string().ends_with("kubectl label namespace team-a actions-gateway.github.com/tenant=true"),
        "{error}"
    );
    let yes = |it: &mut References| {
        it.namespace_labels.insert(labels::TENANT.to_owned(), "yes".to_owned());
    };
    assert_eq!(refused(yes), Error::NotATenant("team-a".to_owned()));
}

#[test]
fn the_oldest_gateway_stands_and_the_uid_breaks_ties() {
    let older = |it: &mut References| it.siblings.push(identity("older", "2025-12-31T23:59:59Z"));
    assert_eq!(refused(older), Error::AnotherGateway { elder: "older".to_owned() });
    let same_second = |it: &mut References| it.siblings.push(identity("a", "2026-01-01T00:00:00Z"));
    assert_eq!(refused(same_second), Error::AnotherGateway { elder: "a".to_owned() });

    let mut stands = references();
    stands.siblings.push(identity("z", "2026-01-01T00:00:00Z"));
    stands.siblings.push(identity("younger", "2026-01-02T00:00:00Z"));
    assert!(validate(&cr(|_| {}), &stands, &platform()).is_ok());
}
