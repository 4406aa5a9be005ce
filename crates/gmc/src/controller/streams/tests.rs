use kube::runtime::reflector;
use serde_json::{Value, json};

use super::*;

fn gateway(change: impl FnOnce(&mut Value)) -> Guarded<ActionsGateway> {
    let mut object = json!({
        "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "ActionsGateway",
        "metadata": { "name": "team-a", "namespace": "team-a", "uid": "u", "generation": 1 },
        "spec": { "gitHubURL": "https://github.com/acme", "gitHubAppRef": { "name": "github-app" } },
        "status": { "conditions": [
            condition("CredentialUnavailable", "False"), condition("Ready", "False"),
        ] },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn group(change: impl FnOnce(&mut Value)) -> Guarded<RunnerGroup> {
    let mut object = json!({
        "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerGroup",
        "metadata": { "name": "linux", "namespace": "team-a", "uid": "u", "generation": 1 },
        "spec": { "runnerLabels": ["linux"] },
        "status": { "activeJobs": 1, "conditions": [condition("WorkersUnschedulable", "False")] },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn condition(type_: &str, status: &str) -> Value {
    json!({ "type": type_, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" })
}

#[test]
fn our_own_status_writes_are_no_occasion() {
    let before = gateway_change(&gateway(|_| {}));
    assert_eq!(
        before,
        gateway_change(&gateway(|it| it["status"]["conditions"][1]["status"] = json!("True")))
    );
    assert_eq!(before, gateway_change(&gateway(|it| it["status"]["observedGeneration"] = json!(1))));
}

#[test]
fn a_new_spec_a_finalizer_a_verdict_and_a_namesake_are_occasions() {
    let before = gateway_change(&gateway(|_| {}));
    let changes: [fn(&mut Value); 4] = [
        |it| it["metadata"]["generation"] = json!(2),
        |it| it["metadata"]["finalizers"] = json!(["f"]),
        |it| it["status"]["conditions"][0]["status"] = json!("True"),
        |it| it["metadata"]["uid"] = json!("another"),
    ];
    for change in changes {
        assert_ne!(before, gateway_change(&gateway(change)));
    }
}

#[test]
fn a_groups_counts_are_no_occasion_and_its_impairments_are() {
    let before = runner_group_change(&group(|_| {}));
    assert_eq!(before, runner_group_change(&group(|it| it["status"]["activeJobs"] = json!(2))));
    let changes: [fn(&mut Value); 4] = [
        |it| it["metadata"]["generation"] = json!(2),
        |it| it["metadata"]["labels"] = json!({ "a": "b" }),
        |it| it["metadata"]["ownerReferences"] = json!([]),
        |it| it["status"]["conditions"][0]["status"] = json!("True"),
    ];
    let changed = changes.map(|change| runner_group_change(&group(change)) != before);
    assert_eq!(changed, [true, true, false, true], "no owner is as an empty list of owners");
}

#[tokio::test]
async fn an_object_concerns_the_gateways_of_its_namespace() {
    let (store, mut writer) = reflector::store();
    for (namespace, name) in [("team-a", "one"), ("team-a", "two"), ("team-b", "three")] {
        let object =
            gateway(|it| it["metadata"] = json!({ "namespace": namespace, "name": name, "uid": name }));
        writer.apply_watcher_event(&Event::Apply(object));
    }
    let mut concerned: Vec<String> =
        gateways_beside(store.clone())(group(|_| {})).into_iter().map(|it| it.name.clone()).collect();
    concerned.sort();
    assert_eq!(concerned, ["one", "two"]);

    let namespace: PartialObjectMeta<Namespace> =
        serde_json::from_value(json!({ "metadata": { "name": "team-b" } })).unwrap();
    let concerned = gateways_in(store)(namespace);
    assert_eq!(concerned.into_iter().map(|it| it.name).collect::<Vec<_>>(), ["three"]);
}
