//! What each outcome of a pass says, as tables.

use api::conditions::table::is_listed;
use api::{ActionsGateway, FieldError, Kind};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::ObjectMeta;
use operator::apply::{Applied, ApplyError, ObjectId};
use serde_json::{Value, json};

use super::*;
use crate::gateway::identity::Identity;
use crate::gateway::teardown::Step;
use crate::gateway::validate;

const EARLIER: &str = "2026-01-01T00:00:00Z";

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn cr(conditions: &[Value]) -> ActionsGateway {
    serde_json::from_value(json!({
        "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "ActionsGateway",
        "metadata": { "name": "team-a", "namespace": "team-a", "uid": "u", "generation": 3,
            "creationTimestamp": EARLIER },
        "spec": { "gitHubURL": "https://github.com/acme", "gitHubAppRef": { "name": "github-app" } },
        "status": { "conditions": conditions },
    }))
    .unwrap()
}

fn old(type_: &str, status: &str, reason: &str) -> Value {
    json!({ "type": type_, "status": status, "reason": reason, "message": format!("said by {type_}"),
        "observedGeneration": 2, "lastTransitionTime": EARLIER })
}

fn credentials_work() -> Value {
    old("CredentialUnavailable", "False", "SecretFound")
}

fn deployment(status: Value) -> Deployment {
    serde_json::from_value(json!({
        "metadata": { "name": "actions-gateway-controller", "generation": 5,
            "ownerReferences": [{ "apiVersion": "a/v1", "kind": "ActionsGateway", "name": "team-a", "uid": "u",
                "controller": true }] },
        "spec": { "selector": {}, "template": {} },
        "status": status,
    }))
    .unwrap()
}

fn running() -> Deployment {
    deployment(json!({ "observedGeneration": 5, "updatedReplicas": 1, "availableReplicas": 1 }))
}

fn group(name: &str, conditions: &[Value]) -> Group {
    let conditions = conditions.iter().map(|it| serde_json::from_value(it.clone()).unwrap()).collect();
    Group {
        meta: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        conditions: Ok(conditions),
    }
}

fn references(controller: Option<Deployment>, runner_groups: Vec<Group>) -> References {
    References {
        identity: Identity::of(&cr(&[]).metadata).unwrap(),
        namespace_labels: [].into(),
        namespace_deleted: None,
        siblings: Vec::new(),
        controller,
        controller_pods: Vec::new(),
        lease: None,
        runner_groups,
    }
}

fn receipt(generation: i64) -> Applied {
    let meta = ObjectMeta { generation: Some(generation), ..ObjectMeta::default() };
    let id = ObjectId { kind: "Thing".into(), namespace: None, name: "thing".into() };
    Applied { id, meta, written: false }
}

/// All children stand; the Deployment that was applied has this generation.
fn standing(generation: i64, controller: Option<Deployment>, groups: Vec<Group>) -> Outcome {
    let applied = Resources {
        controller_account: receipt(1),
        worker_account: receipt(1),
        role_binding: receipt(1),
        service: receipt(1),
        runner_groups: Vec::new(),
        deployment: receipt(generation),
    };
    Outcome::Attempted(Box::new(Attempt {
        references: Some(references(controller, groups)),
        result: Ok(applied),
    }))
}

fn failed(references: Option<References>, error: Error) -> Outcome {
    Outcome::Attempted(Box::new(Attempt { references, result: Err(error) }))
}

/// `Type=Status/Reason`, in order. Each stands in the table.
#[track_caller]
fn words(status: &ActionsGatewayStatus) -> Vec<String> {
    let unlisted = status.conditions.iter().find(|it| !is_listed(Kind::ActionsGateway, it));
    assert_eq!(unlisted, None, "the table of conditions has no such line");
    status.conditions.iter().map(|it| format!("{}={}/{}", it.type_, it.status, it.reason)).collect()
}

fn message(status: &ActionsGatewayStatus, type_: Type) -> String {
    find(&status.conditions, type_).unwrap().message.clone()
}

#[test]
fn all_is_well() {
    let status = status(&cr(&[credentials_work()]), &standing(5, Some(running()), vec![]), now());
    assert_eq!(
        words(&status),
        [
            "Ready=True/AllAvailable",
            "AGCAvailable=True/AGCReady",
            "Degraded=False/ReconcileSucceeded",
            "RunnerGroupsDegraded=False/AllRunnerGroupsHealthy",
        ]
    );
    assert_eq!(status.observed_generation, Some(3));
    assert!(status.conditions.iter().all(|it| it.observed_generation == Some(3)));
    assert!(status.conditions.iter().all(|it| it.last_transition_time == Time(now())));
}

#[test]
fn an_unchanged_answer_keeps_its_time_and_a_changed_one_does_not() {
    let before =
        cr(&[credentials_work(), old("Ready", "False", "AGCNotReady"), old("AGCAvailable", "True", "x")]);
    let status = status(&before, &standing(5, Some(running()), vec![]), now());
    assert_eq!(find(&status.conditions, Type::Ready).unwrap().last_transition_time, Time(now()));
    let kept = &find(&status.conditions, Type::AGCAvailable).unwrap().last_transition_time;
    assert_eq!(kept, &Time(EARLIER.parse().unwrap()));
}

#[test]
fn readiness_names_the_first_thing_that_is_not_well_causes_before_effects() {
    let refused = old("CredentialUnavailable", "True", "TokenRefused");
    let unknown = old("CredentialUnavailable", "Unknown", "GitHubUnreachable");
    let impaired = || vec![group("linux", &[old("WorkersUnschedulable", "True", "PodsUnschedulable")])];
    let table = [
        (vec![refused.clone()], standing(5, None, impaired()), "False/TokenRefused"),
        (vec![unknown], standing(5, Some(running()), vec![]), "False/GitHubUnreachable"),
        (vec![credentials_work()], standing(5, None, impaired()), "False/AGCNotReady"),
        (vec![], standing(5, Some(running()), vec![]), "False/AGCNotReady"),
        (vec![credentials_work()], standing(5, Some(running()), impaired()), "False/RunnerGroupsImpaired"),
        (
            vec![refused],
            failed(None, Error::Validate(validate::Error::NotATenant("team-a".to_owned()))),
            "False/NamespaceNotAllowed",
        ),
    ];
    for (conditions, outcome, expected) in table {
        let status = status(&cr(&conditions), &outcome, now());
        assert_eq!(words(&status)[0], format!("Ready={expected}"));
    }
}

/// Of a controller that renewed its Lease last an hour ago.
fn away(controller: Option<Deployment>) -> Outcome {
    let mut outcome = standing(5, controller, vec![]);
    let spec = json!({ "leaseDurationSeconds": 30, "renewTime": "2026-01-01T11:00:00.000000Z" });
    if let Outcome::Attempted(attempt) = &mut outcome {
        let lease = serde_json::from_value(json!({ "metadata": {}, "spec": spec })).unwrap();
        attempt.references.as_mut().unwrap().lease = Some(lease);
    }
    outcome
}

#[test]
fn nobody_knows_whether_a_gateway_is_ready_whose_controller_is_away() {
    let ready = |conditions: &[Value], outcome: &Outcome| {
        let status = status(&cr(conditions), outcome, now());
        (words(&status)[0].clone(), message(&status, Type::Ready))
    };
    let (word, why) = ready(&[credentials_work()], &away(Some(running())));
    assert_eq!(word, "Ready=Unknown/ControllerAway");
    assert!(why.contains("Lease actions-gateway-controller since 2026-01-01T11:00:00Z"), "{why}");
    // What the controller said of the credentials is of another time, and what keeps it away is the cause.
    let refused = old("CredentialUnavailable", "True", "TokenRefused");
    let (word, why) = ready(&[refused], &away(None));
    assert_eq!(word, "Ready=Unknown/ControllerAway");
    assert!(why.ends_with("; the controller's Deployment has not been created yet"), "{why}");
    assert_eq!(
        ready(&[credentials_work()], &standing(5, Some(running()), vec![])).0,
        "Ready=True/AllAvailable"
    );
}

#[test]
fn a_controller_that_runs_and_is_about_to_lead_is_looked_at_soon() {
    let status = status(&cr(&[credentials_work()]), &away(Some(running())), now());
    assert_eq!(look_again(&status, now()).map(|it| it.as_secs()), Some(5));
}

#[test]
fn the_controllers_verdict_is_not_ours_to_write() {
    let outcome = standing(5, Some(running()), vec![]);
    let status = status(&cr(&[old("CredentialUnavailable", "True", "SecretNotFound")]), &outcome, now());
    assert!(find(&status.conditions, Type::CredentialUnavailable).is_none());
    assert_eq!(message(&status, Type::Ready), "said by CredentialUnavailable");
}

#[test]
fn a_controller_is_available_when_a_pod_of_what_was_applied_is() {
    let of = |generation, controller| {
        let status = status(&cr(&[]), &standing(generation, Some(controller), vec![]), now());
        find(&status.conditions, Type::AGCAvailable).unwrap().status.clone()
    };
    assert_eq!(of(5, running()), "True");
    assert_eq!(of(6, running()), "False");
    assert_eq!(of(5, deployment(json!({ "observedGeneration": 5, "availableReplicas": 1 }))), "False");
}

#[test]
fn a_controller_that_is_not_available_is_looked_at_again_less_and_less_often() {
    let pause = |seconds: i64, available: &str| {
        let mut condition = old("AGCAvailable", available, "x");
        let since = now() - jiff::SignedDuration::from_secs(seconds);
        condition["lastTransitionTime"] = json!(since.to_string());
        let up = available == "True";
        let outcome = standing(5, up.then(running), vec![]);
        look_again(&status(&cr(&[condition]), &outcome, now()), now()).map(|it| it.as_secs())
    };
    assert_eq!([pause(0, "False"), pause(40, "False"), pause(3600, "False")], [Some(5), Some(20), Some(60)]);
    assert_eq!(pause(3600, "True"), None);
}

#[test]
fn a_deployment_of_somebody_else_is_no_controller_of_ours() {
    let mut theirs = running();
    theirs.metadata.owner_references = None;
    let status = status(&cr(&[]), &standing(5, Some(theirs), vec![]), now());
    assert_eq!(message(&status, Type::AGCAvailable), "the controller's Deployment has not been created yet");
}

#[test]
fn each_impairment_of_a_group_counts_and_the_worst_is_named() {
    for type_ in ["Degraded", "RunnerVersionTooOld", "WorkersUnschedulable"] {
        let groups = vec![
            group("fine", &[old(type_, "False", "x"), old("Ready", "False", "NoActiveSessions")]),
            group("bad", &[old(type_, "True", "Why")]),
        ];
        let status = status(&cr(&[]), &standing(5, None, groups), now());
        let expected = format!("1 of 2 RunnerGroups impaired; bad: {type_} (Why): said by {type_}");
        assert_eq!(message(&status, Type::RunnerGroupsDegraded), expected);
    }
    for reason in ["LabelsRefused", "RunnerGroupNotFound", "TokenUnavailable", "PodRefused"] {
        let deaf = vec![group("deaf", &[old("Ready", "False", reason)])];
        let status = status(&cr(&[]), &standing(5, None, deaf), now());
        let expected = format!("1 of 1 RunnerGroups impaired; deaf: Ready ({reason}): said by Ready");
        assert_eq!(message(&status, Type::RunnerGroupsDegraded), expected);
    }
    let both = [old("WorkersUnschedulable", "True", "b"), old("RunnerVersionTooOld", "True", "a")];
    let status = status(&cr(&[]), &standing(5, None, vec![group("bad", &both)]), now());
    assert!(message(&status, Type::RunnerGroupsDegraded).contains("bad: RunnerVersionTooOld (a)"));
}

#[test]
fn a_runner_version_that_still_works_impairs_nothing() {
    let ending = [old("RunnerVersionTooOld", "True", "VersionEnding")];
    let differs = [old("RunnerVersionMismatch", "True", "VersionDiffers")];
    let groups = vec![group("ending", &ending), group("differs", &differs)];
    let status = status(&cr(&[]), &standing(5, None, groups), now());
    assert_eq!(message(&status, Type::RunnerGroupsDegraded), "2 RunnerGroups, none impaired");
}

#[test]
fn each_failure_has_its_word() {
    let id = || ObjectId { kind: "Service".into(), namespace: Some("team-a".into()), name: "x".into() };
    let conflict = ApplyError::NameConflict { id: id(), owner: "nobody".to_owned() };
    let refused = || ApplyError::Write { id: id(), source: kube::Error::LinesCodecMaxLineLengthExceeded };
    let elder = validate::Error::AnotherGateway { elder: "older".to_owned() };
    let table = [
        (Error::Apply(conflict), "NameConflict"),
        (Error::Apply(refused()), "ProvisioningFailed"),
        (Error::Status(refused()), "ProvisioningFailed"),
        (Error::Validate(elder), "AnotherGateway"),
        (Error::Validate(validate::Error::InvalidSpec(vec![])), "InvalidSpec"),
        (Error::Validate(validate::Error::ReservedNamespace("default".to_owned())), "NamespaceNotAllowed"),
    ];
    for (error, reason) in table {
        let status = status(&cr(&[]), &failed(Some(references(None, vec![])), error), now());
        assert_eq!(words(&status)[0], format!("Ready=False/{reason}"));
        assert!(words(&status).contains(&format!("Degraded=True/{reason}")));
    }
}

#[test]
fn when_nothing_could_be_read_the_old_answers_stand_for_the_generation_they_were_given_for() {
    let before = cr(&[old("AGCAvailable", "True", "AGCReady"), old("RunnerGroupsDegraded", "False", "x")]);
    let error = Error::Validate(validate::Error::NotATenant("team-a".to_owned()));
    let status = status(&before, &failed(None, error), now());
    let kept = find(&status.conditions, Type::AGCAvailable).unwrap();
    assert_eq!((kept.status.as_str(), kept.observed_generation), ("True", Some(2)));
    assert_eq!(find(&status.conditions, Type::RunnerGroupsDegraded).unwrap().observed_generation, Some(2));
}

#[test]
fn absent_means_not_yet_known() {
    let error = Error::Validate(validate::Error::NotATenant("team-a".to_owned()));
    let status = status(&cr(&[]), &failed(None, error), now());
    assert_eq!(words(&status), ["Ready=False/NamespaceNotAllowed", "Degraded=True/NamespaceNotAllowed"]);
}

#[test]
fn the_end_says_its_step() {
    let status = status(&cr(&[credentials_work()]), &Outcome::Ending(Ok(Step::Remove)), now());
    assert_eq!(words(&status), ["Ready=False/Terminating", "Degraded=False/ReconcileSucceeded"]);
    assert_eq!(message(&status, Type::Ready), "step 4 of 4: deleting the remaining objects");
}

#[test]
fn a_message_has_an_end() {
    let rule = "é".repeat(5000);
    let problem = FieldError::new("spec", rule, "correct it");
    let error = Error::Validate(validate::Error::InvalidSpec(vec![problem]));
    let status = status(&cr(&[]), &failed(None, error), now());
    let message = message(&status, Type::Degraded);
    assert_eq!(message.chars().count(), MESSAGE_CHARS + 1);
    assert!(message.ends_with('…'));
}

#[test]
fn an_event_is_worth_it_when_the_answer_changes() {
    let event = |before: &[Value], outcome: &Outcome| {
        let before = cr(before);
        ready_changed(&before, &status(&before, outcome, now())).map(|it| it.reason)
    };
    let up = || standing(5, Some(running()), vec![]);
    assert_eq!(event(&[credentials_work()], &up()).as_deref(), Some("AllAvailable"));
    assert_eq!(event(&[credentials_work(), old("Ready", "True", "AllAvailable")], &up()), None);
    assert_eq!(event(&[], &standing(5, None, vec![])), None, "on its way up");
    let down = standing(5, None, vec![]);
    let lost = event(&[credentials_work(), old("Ready", "True", "AllAvailable")], &down);
    assert_eq!(lost.as_deref(), Some("AGCNotReady"));
}
