use super::*;
use crate::Demand;

fn quota(spec: &str) -> Quota {
    Quota::of(&serde_yaml::from_str(&format!("{{ metadata: {{ name: q }}, spec: {{ {spec} }} }}")).unwrap())
}

fn spec(yaml: &str) -> PodSpec {
    serde_yaml::from_str(yaml).unwrap()
}

/// Whether a quota with these scopes counts the pod of this spec.
#[track_caller]
fn check(scopes: &str, pod: &str, expected: bool) {
    let quota = quota(&format!("hard: {{ pods: '5' }}, {scopes}"));
    let demand = Demand::of(&spec(pod));
    assert_eq!(quota.taken(Need::whole(&demand, None), "pods") > 0, expected, "{scopes} {pod}");
}

fn scope(name: &str) -> String {
    format!("scopes: [{name}]")
}

fn class(operator: &str, values: &str) -> String {
    format!(
        "scopeSelector: {{ matchExpressions: [{{ scopeName: PriorityClass, operator: {operator}, values: {values} }}] }}"
    )
}

const PLAIN: &str = "containers: [{ name: a }]";
const REQUESTS: &str = "containers: [{ name: a, resources: { requests: { cpu: '1' } } }]";

#[test]
fn a_deadline_decides_about_terminating() {
    let mortal = format!("{{ activeDeadlineSeconds: 60, {PLAIN} }}");
    check(&scope("Terminating"), &mortal, true);
    check(&scope("Terminating"), PLAIN, false);
    check(&scope("NotTerminating"), &mortal, false);
    check(&scope("NotTerminating"), PLAIN, true);
}

#[test]
fn only_cpu_and_memory_lift_a_pod_above_best_effort() {
    check(&scope("BestEffort"), PLAIN, true);
    check(&scope("NotBestEffort"), PLAIN, false);
    check(&scope("BestEffort"), REQUESTS, false);
    check(&scope("NotBestEffort"), REQUESTS, true);
    check(
        &scope("BestEffort"),
        "containers: [{ name: a, resources: { requests: { ephemeral-storage: 1Gi } } }]",
        true,
    );
    check(&scope("BestEffort"), "containers: [{ name: a, resources: { requests: { cpu: '0' } } }]", true);
    check(
        &scope("BestEffort"),
        "{ containers: [{ name: a }], initContainers: [{ name: i, resources: { limits: { memory: 1Gi } } }] }",
        false,
    );
    check(
        &scope("BestEffort"),
        "{ resources: {}, containers: [{ name: a, resources: { requests: { cpu: '1' } } }] }",
        true,
    );
    check(
        &scope("NotBestEffort"),
        "{ resources: { limits: { cpu: '1' } }, containers: [{ name: a }] }",
        true,
    );
}

#[test]
fn a_priority_class_is_selected_by_name_or_by_presence() {
    let high = format!("{{ priorityClassName: high, {PLAIN} }}");
    check(&scope("PriorityClass"), &high, true);
    check(&scope("PriorityClass"), PLAIN, false);
    check(&class("In", "[high, low]"), &high, true);
    check(&class("In", "[low]"), &high, false);
    check(&class("In", "[low]"), PLAIN, false);
    check(&class("NotIn", "[low]"), &high, true);
    check(&class("NotIn", "[high]"), &high, false);
    check(&class("NotIn", "[high]"), PLAIN, true);
    check(&class("Exists", "[]"), &high, true);
    check(&class("Exists", "[]"), PLAIN, false);
    check(&class("DoesNotExist", "[]"), PLAIN, true);
    check(&class("DoesNotExist", "[]"), &high, false);
}

#[test]
fn affinity_to_pods_of_other_namespaces_is_selected() {
    let affinity = |kind: &str, term: &str| format!("{{ affinity: {{ {kind}: {term} }}, {PLAIN} }}");
    let required =
        "{ requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: a, namespaces: [b] }] }";
    let preferred = "{ preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: { topologyKey: a, namespaceSelector: {} } }] }";
    let own = "{ requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: a }] }";
    for kind in ["podAffinity", "podAntiAffinity"] {
        check(&scope("CrossNamespacePodAffinity"), &affinity(kind, required), true);
        check(&scope("CrossNamespacePodAffinity"), &affinity(kind, preferred), true);
        check(&scope("CrossNamespacePodAffinity"), &affinity(kind, own), false);
    }
    check(&scope("CrossNamespacePodAffinity"), PLAIN, false);
}

#[test]
fn every_scope_must_hold() {
    check("scopes: [NotTerminating, NotBestEffort]", REQUESTS, true);
    check("scopes: [NotTerminating, NotBestEffort]", PLAIN, false);
    check("scopes: [NoSuchScope]", PLAIN, false);
}

#[test]
fn a_scoped_quota_counts_no_secret_and_no_volume_claim() {
    let pod = "{ containers: [{ name: a }], volumes: [{ name: v, ephemeral: { volumeClaimTemplate: { spec: {
        volumeAttributesClassName: fast, resources: { requests: { storage: 1Gi } } } } } }] }";
    let demand = Demand::of(&spec(pod));
    let taken = |scopes: &str, resource: &str| {
        quota(&format!("hard: {{}}, {scopes}")).taken(Need::whole(&demand, None), resource)
    };
    let attributes = |values: &str| {
        format!(
            "scopeSelector: {{ matchExpressions: [{{ scopeName: VolumeAttributesClass, operator: In, values: {values} }}] }}"
        )
    };
    assert_eq!((taken("", "secrets"), taken("", "persistentvolumeclaims")), (1000, 1000));
    let scoped = scope("NotTerminating");
    assert_eq!((taken(&scoped, "secrets"), taken(&scoped, "persistentvolumeclaims")), (0, 0));
    assert_eq!(taken(&attributes("[fast]"), "persistentvolumeclaims"), 1000);
    assert_eq!(taken(&attributes("[slow]"), "persistentvolumeclaims"), 0);
}

#[test]
fn what_the_api_server_counts_goes_before_what_was_asked() {
    let yaml = "{ spec: { hard: { pods: '5' } }, status: { hard: { pods: '4' }, used: { pods: '1' } } }";
    let quota = Quota::of(&serde_yaml::from_str(yaml).unwrap());
    assert_eq!((quota.hard["pods"], quota.used["pods"]), (4000, 1000));
}

#[test]
fn a_quota_that_is_overdrawn_elsewhere_does_not_hold_back_a_pod_that_asks_none_of_it() {
    let yaml = "{ spec: { hard: { requests.nvidia.com/gpu: '0' } }, status: { used: { requests.nvidia.com/gpu: '1' } } }";
    let quota = Quota::of(&serde_yaml::from_str(yaml).unwrap());
    let demand = Demand::of(&spec(PLAIN));
    assert_eq!(quota.short_of(Need::whole(&demand, None), &[]), None);
}

#[test]
fn who_bounds_cpu_or_memory_wants_every_container_to_say_how_much() {
    let bounds = quota("hard: { limits.memory: 1Gi, requests.cpu: '1', requests.ephemeral-storage: 1Gi }");
    let silent = spec(
        "{ containers: [{ name: b }, { name: a }], initContainers: [{ name: i, resources: { limits: { cpu: '1' } } }] }",
    );
    assert_eq!(
        bounds.must_specify(&silent).unwrap(),
        "failed quota: q: must specify limits.memory for: a,b,i; requests.cpu for: a,b"
    );
    let said = spec("containers: [{ name: a, resources: { limits: { cpu: '0', memory: 1Mi } } }]");
    assert_eq!(bounds.must_specify(&said), None, "a limit is a request, and none of it is an amount");
    let whole = spec("{ resources: { limits: { cpu: '1' } }, containers: [{ name: a }] }");
    assert_eq!(bounds.must_specify(&whole), None, "a pod may claim as a whole");
    let elsewhere = quota("hard: { limits.memory: 1Gi }, scopes: [Terminating]");
    assert_eq!(elsewhere.must_specify(&silent), None, "it does not count the pod");
}
