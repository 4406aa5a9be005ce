//! Why the API server would refuse a pod, room in quotas aside.

use k8s_openapi::api::core::v1::{Container, LimitRange, PodSpec, ResourceRequirements};

use crate::amounts::Amounts;
use crate::limit_range::violations;
use crate::quantity::canonical;
use crate::quota::Quota;
use crate::resources::{Side, default_requests, is_hugepages, is_overcommitted};

/// What the API server would say against a pod of this spec, to which LimitRanges have been [applied](crate::limit_range::apply):
/// that its resources contradict each other, else that LimitRanges forbid them, or that a quota wants more to be specified.
/// Empty when it would take the pod where there is room.
#[must_use]
pub fn refusals(spec: &PodSpec, ranges: &[LimitRange], quotas: &[Quota]) -> Vec<String> {
    let mut spec = spec.clone();
    default_requests(&mut spec);
    let contradictions = contradictions(&spec);
    if !contradictions.is_empty() {
        return contradictions;
    }
    let unspecified = quotas.iter().filter_map(|it| it.must_specify(&spec));
    violations(&spec, ranges).into_iter().chain(unspecified).collect()
}

/// A default for one side, beside what a template says of the other, may make a pod that is invalid.
fn contradictions(spec: &PodSpec) -> Vec<String> {
    let named = |kind: &'static str, list: &[Container]| {
        let paths = list.iter().enumerate().map(move |(i, it)| (format!("spec.{kind}[{i}].resources"), it));
        paths.flat_map(|(path, it)| within(&path, it.resources.as_ref())).collect::<Vec<_>>()
    };
    let mut found = named("containers", &spec.containers);
    found.extend(named("initContainers", spec.init_containers.as_deref().unwrap_or_default()));
    found.extend(within("spec.resources", spec.resources.as_ref()));
    found.extend(beyond_the_pod(spec));
    found
}

/// Requests against limits, and huge pages against all else.
fn within(path: &str, resources: Option<&ResourceRequirements>) -> Vec<String> {
    let limits = Side::Limits.of(resources);
    let against = |(name, request): (String, i128)| {
        let (limited, path, said) =
            (format!("{path}.limits"), format!("{path}.requests"), canonical(request));
        match limits.get(&name) {
            None if is_overcommitted(&name) => None,
            None => {
                Some(format!("{limited}: Required value: Limit must be set for non overcommitable resources"))
            }
            Some(limit) if !is_overcommitted(&name) && request != *limit => Some(invalid(
                &path,
                &said,
                &format!("must be equal to {name} limit of {}", canonical(*limit)),
            )),
            Some(limit) if request > *limit => {
                let limit = canonical(*limit);
                Some(invalid(&path, &said, &format!("must be less than or equal to {name} limit of {limit}")))
            }
            Some(_) => None,
        }
    };
    let mut found: Vec<String> = Side::Requests.of(resources).into_iter().filter_map(against).collect();
    let sides = [Side::Requests, Side::Limits].map(|it| it.of(resources));
    let names = || sides.iter().flat_map(|it| it.keys());
    if names().any(|it| is_hugepages(it)) && !names().any(|it| matches!(it.as_str(), "cpu" | "memory")) {
        found.push(format!("{path}: Forbidden: HugePages require cpu or memory"));
    }
    found
}

/// Containers against what the pod claims as a whole.
fn beyond_the_pod(spec: &PodSpec) -> Vec<String> {
    let pod = |side: Side| side.of(spec.resources.as_ref());
    let (requests, limits) = (pod(Side::Requests), pod(Side::Limits));
    let more = |taken: Amounts, bound: &Amounts, path: &str, words: &str| {
        let over = taken.into_iter().filter_map(|(name, taken)| {
            let bound = bound.get(&name).filter(|it| taken > **it)?;
            let (bound, taken) = (canonical(*bound), canonical(taken));
            Some(invalid(&format!("spec.resources.{path}[{name}]"), &bound, &format!("{words} of {taken}")))
        });
        over.collect::<Vec<_>>()
    };
    let requested = Side::Requests.of_containers(spec);
    let words = "must be greater than or equal to aggregate container requests";
    let mut found = more(requested, &requests, "requests", words);
    let mut pages = Side::Limits.of_containers(spec);
    pages.retain(|name, _| is_hugepages(name));
    let words = "must be greater than or equal to aggregate container limits";
    found.extend(more(pages, &limits, "limits", words));
    for (i, container) in spec.containers.iter().enumerate() {
        for (name, limit) in Side::Limits.of(container.resources.as_ref()) {
            if let Some(bound) = limits.get(&name).filter(|it| limit > **it) {
                let path = format!("spec.resources.containers[{i}][{name}].limits");
                let words = format!("must be less than or equal to pod limits of {}", canonical(*bound));
                found.push(invalid(&path, &canonical(limit), &words));
            }
        }
    }
    found
}

fn invalid(path: &str, value: &str, words: &str) -> String {
    format!("{path}: Invalid value: \"{value}\": {words}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit_range;

    /// What is said against the pod of this spec, in a namespace with this item in its LimitRange and this quota.
    #[track_caller]
    fn check(pod: &str, item: &str, hard: &str, expected: &[&str]) {
        let yaml = format!("{{ metadata: {{ name: r }}, spec: {{ limits: [{item}] }} }}");
        let ranges: [LimitRange; 1] = [serde_yaml::from_str(&yaml).unwrap()];
        let yaml = format!("{{ metadata: {{ name: team }}, spec: {{ hard: {hard} }} }}");
        let quota = Quota::of(&serde_yaml::from_str(&yaml).unwrap());
        let mut spec: PodSpec = serde_yaml::from_str(pod).unwrap();
        limit_range::apply(&mut spec, &ranges);
        assert_eq!(refusals(&spec, &ranges, &[quota]), expected);
    }

    const REQUESTS: &str = "containers: [{ name: a, resources: { requests: { cpu: '2' } } }]";

    #[test]
    fn a_default_limit_below_a_templates_request_is_invalid_whatever_else_is_wrong() {
        check(
            REQUESTS,
            "{ type: Container, default: { cpu: '1' }, min: { cpu: '3' } }",
            "{ requests.memory: 1Gi }",
            &[
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
            ],
        );
    }

    #[test]
    fn what_ranges_forbid_and_what_quotas_want_specified_is_said_together() {
        check(
            REQUESTS,
            "{ type: Container, min: { cpu: '3' } }",
            "{ requests.memory: 1Gi }",
            &[
                "minimum cpu usage per Container is 3, but request is 2",
                "failed quota: team: must specify requests.memory for: a",
            ],
        );
        check(REQUESTS, "{ type: Container, min: { cpu: '2' } }", "{ requests.cpu: '0' }", &[]);
    }

    #[test]
    fn devices_and_huge_pages_are_limited_to_what_is_requested() {
        let pod = |resources: &str| format!("containers: [{{ name: a, resources: {{ {resources} }} }}]");
        let check = |resources: &str, expected: &[&str]| check(&pod(resources), "", "{}", expected);
        check("limits: { nvidia.com/gpu: 1 }", &[]);
        check(
            "limits: { nvidia.com/gpu: 2 }, requests: { nvidia.com/gpu: 1 }",
            &[
                "spec.containers[0].resources.requests: Invalid value: \"1\": must be equal to nvidia.com/gpu limit of 2",
            ],
        );
        check(
            "requests: { nvidia.com/gpu: 1 }",
            &[
                "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
            ],
        );
        check("limits: { hugepages-2Mi: 4Mi, cpu: '1' }", &[]);
        check(
            "limits: { hugepages-2Mi: 4Mi }",
            &["spec.containers[0].resources: Forbidden: HugePages require cpu or memory"],
        );
    }

    #[test]
    fn a_pod_claims_at_least_what_its_containers_do() {
        let pod = |whole: &str| {
            format!(
                "{{ resources: {{ {whole} }}, containers: [{{ name: a, resources: {{ requests: {{ cpu: '1' }}, limits: {{ cpu: '2' }} }} }}] }}"
            )
        };
        check(&pod("requests: { cpu: '1' }"), "", "{}", &[]);
        check(
            &pod("requests: { cpu: 999m }"),
            "",
            "{}",
            &[
                "spec.resources.requests[cpu]: Invalid value: \"999m\": must be greater than or equal to aggregate container requests of 1",
            ],
        );
        check(
            &pod("limits: { cpu: 1500m }"),
            "",
            "{}",
            &[
                "spec.resources.containers[0][cpu].limits: Invalid value: \"2\": must be less than or equal to pod limits of 1500m",
            ],
        );
    }
}
