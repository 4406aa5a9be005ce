//! What the manager asks for equals what its role grants, both ways.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize as _;

use super::*;

/// `resource verb`.
type Grants = BTreeSet<String>;

/// Granted and not seen by passes, each with its reason.
const BESIDE_PASSES: [&str; 15] = [
    // The watches of `controller::streams`: one list, then a watch.
    "actionsgateways list",
    "actionsgateways watch",
    "runnergroups list",
    "runnergroups watch",
    "serviceaccounts list",
    "serviceaccounts watch",
    "services list",
    "services watch",
    "deployments list",
    "deployments watch",
    "rolebindings list",
    "rolebindings watch",
    "namespaces list",
    "namespaces watch",
    // Asked by OwnerReferencesPermissionEnforcement on our behalf.
    "actionsgateways/finalizers update",
];
/// The one role that it hands out; Events go through a publisher of their own.
const NOT_REQUESTS_OF_A_PASS: [&str; 3] = ["clusterroles bind", "events create", "events patch"];

fn granted() -> Grants {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/rbac/gmc.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text).map(|it| Value::deserialize(it).unwrap());
    let role = documents.into_iter().find(|it| it["kind"] == "ClusterRole").unwrap();
    let mut grants = Grants::new();
    for rule in role["rules"].as_array().unwrap() {
        for resource in rule["resources"].as_array().unwrap() {
            for verb in rule["verbs"].as_array().unwrap() {
                grants.insert(format!("{} {}", resource.as_str().unwrap(), verb.as_str().unwrap()));
            }
        }
    }
    grants
}

fn used(cluster: &Cluster) -> Grants {
    let mut used = Grants::new();
    for it in cluster.asked() {
        match (it.verb, it.resource.ends_with("/status")) {
            // A create by apply is judged as both; status exists already.
            ("apply", false) => {
                used.extend([format!("{} create", it.resource), format!("{} patch", it.resource)])
            }
            ("apply", true) => used.extend([format!("{} patch", it.resource)]),
            (verb, _) => used.extend([format!("{} {verb}", it.resource)]),
        }
    }
    used
}

#[tokio::test]
async fn the_manager_uses_all_that_it_is_granted_and_asks_for_nothing_else() {
    let world = World::new();
    world.pass().await.unwrap();
    world.controller_is_up();
    world.cluster.put(
        &pod("job"),
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "labels": { "actions-gateway.github.com/component": "worker" },
                "finalizers": [labels::FINALIZER_JOB] },
        }),
    );
    let job = "apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/runnerjobs/job";
    world.cluster.put(
        job,
        json!({
            "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerJob",
            "metadata": { "finalizers": [labels::FINALIZER_JOB] },
        }),
    );
    group_is_ready(&world, "linux");
    renewed(&world, "2026-01-01T11:00:00.000000Z");
    world.pass().await.unwrap();
    let mut used_by_life = used(&world.cluster);
    world.delete_gateway(1000);
    while world.cluster.get(GATEWAY).is_some() {
        world.pass().await.unwrap();
    }
    assert!(world.cluster.get(GATEWAY).is_none());
    used_by_life.extend(used(&world.cluster));

    let beside = BESIDE_PASSES.iter().chain(&NOT_REQUESTS_OF_A_PASS).map(|it| (*it).to_owned());
    used_by_life.extend(beside);
    assert_eq!(used_by_life, granted());
}
