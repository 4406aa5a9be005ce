use api::actions_gateway::SecurityProfile;
use api::priority::PriorityClasses;

use super::*;

fn rules(profile: SecurityProfile) -> Rules {
    Rules { profile, app_secret: "the-app".into(), ..Rules::default() }
}

fn refusal(group: &RunnerGroup) -> String {
    validate(group, &rules(SecurityProfile::Restricted)).unwrap_err().to_string()
}

fn group(spec: &str) -> RunnerGroup {
    let yaml = format!(
        "{{ apiVersion: actions-gateway.github.com/v1alpha1, kind: RunnerGroup, metadata: {{ name: blue, uid: u, generation: 2 }},
            spec: {{ {spec} }} }}"
    );
    serde_yaml::from_str(&yaml).unwrap()
}

fn valid(spec: &str) -> Group {
    validate(&group(&format!("runnerLabels: [linux], {spec}")), &rules(SecurityProfile::Restricted)).unwrap()
}

#[test]
fn what_is_not_said_has_its_default() {
    let group = valid("");
    assert_eq!(group.labels, ["linux"]);
    assert_eq!(group.max_listeners, 1);
    assert_eq!(group.ceiling.limit(), None);
    assert_eq!(group.template.lifetime_seconds, Some(12 * 3600));
    assert_eq!(group.policy.pending_deadline, SignedDuration::from_mins(10));
    assert_eq!(group.completed_pod_ttl, SignedDuration::from_mins(5));
    assert_eq!(group.id.owner.kind, "RunnerGroup");
    assert_eq!(group.id.owner.controller, Some(true));
}

#[test]
fn tiers_and_workers_make_the_ceiling() {
    let tiers = "priorityTiers: [{ priorityClassName: high, threshold: 2 }, { priorityClassName: low, threshold: 5 }]";
    assert_eq!(valid(tiers).ceiling.limit(), Some(5));
    assert_eq!(valid("maxWorkers: 3").ceiling.limit(), Some(3));
}

#[test]
fn a_lifetime_of_zero_is_none_and_the_templates_own_deadline_wins() {
    let immortal = valid("maxWorkerLifetime: 0s");
    assert_eq!((immortal.template.lifetime_seconds, immortal.policy.lifetime), (None, None));
    let own = valid("podTemplate: { spec: { activeDeadlineSeconds: 60, containers: [] } }");
    assert_eq!(own.policy.lifetime, Some(SignedDuration::from_secs(60)));
}

#[test]
fn a_template_that_reaches_for_what_is_ours_is_refused_with_its_path() {
    let refused =
        group("runnerLabels: [a], podTemplate: { spec: { hostNetwork: true, containers: [], nonsense: 1 } }");
    let error = refusal(&refused);
    assert!(
        error.contains("spec.podTemplate.spec.hostNetwork: ")
            && error.contains("spec.podTemplate.spec.nonsense: "),
        "{error}"
    );
}

#[test]
fn a_priority_class_that_the_platform_does_not_allow_is_refused_with_its_path() {
    let tiers =
        "runnerLabels: [a], priorityTiers: [{ priorityClassName: system-node-critical, threshold: 1 }]";
    let error = refusal(&group(tiers));
    assert!(error.contains("spec.priorityTiers[0].priorityClassName: "), "{error}");
    let template =
        group("runnerLabels: [a], podTemplate: { spec: { priorityClassName: vip, containers: [] } }");
    let priority_classes = PriorityClasses::parse("ci", "");
    let only_ci = Rules { priority_classes, ..rules(SecurityProfile::Baseline) };
    let error = validate(&template, &only_ci).unwrap_err().to_string();
    assert!(
        error.contains("spec.podTemplate.spec.priorityClassName: ") && error.contains("choose one of ci"),
        "{error}"
    );
    validate(&template, &rules(SecurityProfile::Baseline)).unwrap();
}

#[test]
fn what_a_gateways_profile_does_not_allow_no_group_of_it_may_ask_for() {
    let asks = group(
        "runnerLabels: [a], podTemplate: { spec: { containers: [{ name: runner, securityContext: { privileged: true } }] } }",
    );
    let error = validate(&asks, &rules(SecurityProfile::Baseline)).unwrap_err().to_string();
    assert!(error.contains("spec.podTemplate.spec.containers[0].securityContext.privileged"), "{error}");
    validate(&asks, &rules(SecurityProfile::Privileged)).unwrap();
}

#[test]
fn a_group_of_a_tenants_own_reaches_no_secret_and_no_volume_of_the_gateway() {
    for (written, path) in [
        (
            "volumes: [{ name: a, secret: { secretName: the-app } }], containers: []",
            "spec.podTemplate.spec.volumes[0].secret.secretName: this Secret holds the App's credentials",
        ),
        (
            "containers: [{ name: side, volumeMounts: [{ name: actions-gateway-payload, mountPath: /p }] }]",
            "spec.podTemplate.spec.containers[0].volumeMounts[0].name: actions-gateway-payload is a volume of the gateway; remove the mount",
        ),
        ("shareProcessNamespace: true, containers: []", "spec.podTemplate.spec.shareProcessNamespace: "),
    ] {
        let error = refusal(&group(&format!("runnerLabels: [a], podTemplate: {{ spec: {{ {written} }} }}")));
        assert!(error.starts_with(path), "{error}");
    }
}

#[test]
fn a_group_without_labels_is_refused() {
    let error = refusal(&group("runnerLabels: []"));
    assert_eq!(error, "spec.runnerLabels: no job can choose a group without labels; name at least one");
}

#[test]
fn how_often_a_job_is_tried_again_against_a_quota_is_the_groups_to_say() {
    let said = |spec: &str| {
        let policy = valid(spec).policy;
        (policy.quota_retries, policy.quota_delay)
    };
    assert_eq!(said(""), (5, SignedDuration::from_secs(30)));
    assert_eq!(said("maxQuotaRetries: 0, quotaRetryDelay: 90s"), (0, SignedDuration::from_secs(90)));
}
