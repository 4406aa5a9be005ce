use super::*;

fn range(items: &str) -> LimitRange {
    serde_yaml::from_str(&format!("{{ metadata: {{ name: r }}, spec: {{ limits: {items} }} }}")).unwrap()
}

fn spec(yaml: &str) -> PodSpec {
    serde_yaml::from_str(yaml).unwrap()
}

/// A pod of one container with these resources.
fn pod(resources: &str) -> PodSpec {
    spec(&format!("containers: [{{ name: a, resources: {{ {resources} }} }}]"))
}

#[track_caller]
fn check(item: &str, pod: &PodSpec, expected: &[&str]) {
    assert_eq!(violations(pod, &[range(&format!("[{item}]"))]), expected, "{item}");
}

#[test]
fn each_container_gets_the_defaults_that_it_lacks() {
    let mut pod = spec(
        "{ containers: [{ name: a, resources: { limits: { cpu: '2' } } }, { name: b }], initContainers: [{ name: i, resources: { requests: { memory: 1Gi } } }] }",
    );
    let range = range(
        "[{ type: Container, default: { cpu: '1', memory: 2Gi }, defaultRequest: { cpu: 100m, memory: 2Gi } }]",
    );
    apply(&mut pod, &[range]);
    let expected = spec(
        "
        containers:
        - { name: a, resources: { limits: { cpu: '2', memory: 2Gi }, requests: { cpu: '2', memory: 2Gi } } }
        - { name: b, resources: { limits: { cpu: '1', memory: 2Gi }, requests: { cpu: 100m, memory: 2Gi } } }
        initContainers:
        - { name: i, resources: { limits: { cpu: '1', memory: 2Gi }, requests: { cpu: 100m, memory: 1Gi } } }
        ",
    );
    assert_eq!(pod, expected);
}

#[test]
fn of_two_defaults_that_of_the_first_range_counts() {
    let default = |cpu: &str| range(&format!("[{{ type: Container, default: {{ cpu: {cpu} }} }}]"));
    let mut pod = pod("");
    apply(&mut pod, &[default("2m"), default("3m")]);
    assert_eq!(Side::Limits.of(pod.containers[0].resources.as_ref())["cpu"], 2);
}

#[test]
fn a_default_for_containers_is_none_for_pods_or_claims() {
    let mut written = pod("");
    apply(&mut written, &[range("[{ type: Pod, default: { cpu: '1' } }]")]);
    assert_eq!(Side::Limits.of(written.containers[0].resources.as_ref()), Amounts::new());
}

#[test]
fn a_minimum_wants_a_request_and_bounds_request_and_limit() {
    let item = "{ type: Container, min: { cpu: 100m } }";
    check(item, &pod(""), &["minimum cpu usage per Container is 100m.  No request is specified"]);
    check(
        item,
        &pod("requests: { cpu: 50m }"),
        &["minimum cpu usage per Container is 100m, but request is 50m"],
    );
    check(
        item,
        &pod("requests: { cpu: 100m }, limits: { cpu: 99m }"),
        &["minimum cpu usage per Container is 100m, but limit is 99m"],
    );
    check(item, &pod("requests: { cpu: 100m }"), &[]);
}

#[test]
fn a_maximum_wants_a_limit_and_bounds_limit_and_request() {
    let item = "{ type: Container, max: { memory: 1Gi } }";
    check(
        item,
        &pod("requests: { memory: 1Gi }"),
        &["maximum memory usage per Container is 1Gi.  No limit is specified"],
    );
    check(
        item,
        &pod("limits: { memory: 2Gi }"),
        &["maximum memory usage per Container is 1Gi, but limit is 2Gi"],
    );
    check(
        item,
        &pod("limits: { memory: 1Gi }, requests: { memory: 2Gi }"),
        &["maximum memory usage per Container is 1Gi, but request is 2Gi"],
    );
    check(item, &pod("limits: { memory: 1Gi }"), &[]);
}

#[test]
fn a_ratio_wants_both_and_is_exact() {
    let item = "{ type: Container, maxLimitRequestRatio: { cpu: '2.5' } }";
    let what = "cpu max limit to request ratio per Container is 2500m";
    let said = |words: &str| format!("{what}, but {words}");
    check(item, &pod(""), &[&said("no request is specified or request is 0")]);
    check(item, &pod("requests: { cpu: 1m }"), &[&said("no limit is specified or limit is 0")]);
    check(item, &pod("requests: { cpu: '1' }, limits: { cpu: 2500m }"), &[]);
    check(
        item,
        &pod("requests: { cpu: '1' }, limits: { cpu: 2501m }"),
        &[&said("provided ratio is 2.501000")],
    );
}

#[test]
fn init_containers_are_bounded_like_the_others() {
    let pod = spec("{ containers: [], initContainers: [{ name: i, resources: { limits: { cpu: '2' } } }] }");
    check(
        "{ type: Container, max: { cpu: '1' } }",
        &pod,
        &["maximum cpu usage per Container is 1, but limit is 2"],
    );
}

#[test]
fn a_pod_is_bounded_by_what_it_takes_without_its_overhead() {
    let item = "{ type: Pod, max: { cpu: '2' } }";
    let two = |each: &str| {
        spec(&format!(
            "{{ overhead: {{ cpu: '1' }}, containers: [{{ name: a, resources: {{ limits: {{ cpu: {each} }} }} }}, {{ name: b, resources: {{ limits: {{ cpu: {each} }} }} }}] }}"
        ))
    };
    check(item, &two("'1'"), &[]);
    check(item, &two("1001m"), &["maximum cpu usage per Pod is 2, but limit is 2002m"]);
    let whole = spec("{ resources: { limits: { cpu: '3' } }, containers: [{ name: a }] }");
    check(item, &whole, &["maximum cpu usage per Pod is 2, but limit is 3"]);
}

#[test]
fn the_claims_of_ephemeral_volumes_are_bounded_by_their_requests() {
    let pod = spec(
        "{ containers: [], volumes: [{ name: v, ephemeral: { volumeClaimTemplate: { spec: { resources: { requests: { storage: 5Gi } } } } } }] }",
    );
    let said = |item: &str| {
        volume_violations(&pod, &[range(&format!("[{{ type: PersistentVolumeClaim, {item} }}]"))])
    };
    assert_eq!(
        said("max: { storage: 4Gi }"),
        ["maximum storage usage per PersistentVolumeClaim is 4Gi, but request is 5Gi"]
    );
    assert_eq!(
        said("min: { storage: 6Gi }"),
        ["minimum storage usage per PersistentVolumeClaim is 6Gi, but request is 5Gi"]
    );
    assert_eq!(said("min: { storage: 5Gi }, max: { storage: 5Gi }"), [""; 0]);
    assert_eq!(
        violations(&pod, &[range("[{ type: PersistentVolumeClaim, max: { storage: 4Gi } }]")]),
        [""; 0]
    );
}
