//! What the gateway no longer asks for.

use super::*;

#[tokio::test]
async fn a_runner_group_that_left_the_spec_goes_and_one_written_by_hand_stays() {
    let world = World::new();
    world.pass().await.unwrap();
    world.cluster.put(
        &group("by-hand"),
        json!({
            "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerGroup", "metadata": {},
            "spec": { "runnerLabels": ["x"] },
        }),
    );
    world.cluster.edit(GATEWAY, |it| {
        it["spec"]["runnerGroups"].as_array_mut().unwrap().pop();
    });
    world.pass().await.unwrap();
    assert!(world.cluster.get(&group("gpu")).is_none());
    assert!(world.cluster.get(&group("linux")).is_some());
    assert!(world.cluster.get(&group("by-hand")).is_some());
}

#[tokio::test]
async fn a_child_of_another_time_goes_and_what_is_somebody_elses_stays() {
    let world = World::new();
    world.pass().await.unwrap();
    world.pass().await.unwrap();
    let owner = &world.cluster.get(SERVICE).unwrap()["metadata"]["ownerReferences"][0];
    let ours = json!({ labels::MANAGED_BY: labels::MANAGED_BY_VALUE });
    let service = |labels: &Value, owners: Value| {
        json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "labels": labels, "ownerReferences": owners } })
    };
    let mut another = owner.clone();
    another["uid"] = json!("another-gateway");
    let path = |namespace: &str, name: &str| format!("api/v1/namespaces/{namespace}/services/{name}");
    world.cluster.put(&path("team-a", "of-an-older-release"), service(&ours, json!([owner])));
    let others = [
        (path("team-a", "of-nobody"), service(&ours, json!([]))),
        (path("team-a", "of-another-gateway"), service(&ours, json!([another]))),
        (path("team-a", "unlabelled"), service(&json!({}), json!([owner]))),
        (path("team-b", "of-an-older-release"), service(&ours, json!([another]))),
    ];
    for (path, object) in &others {
        world.cluster.put(path, object.clone());
    }
    world.cluster.asked();

    world.pass().await.unwrap();
    assert_eq!(world.cluster.writes(), ["delete services of-an-older-release"]);
    for (path, _) in &others {
        assert!(world.cluster.get(path).is_some(), "{path}");
    }

    world.delete_gateway(1000);
    while world.cluster.get(GATEWAY).is_some() {
        world.pass().await.unwrap();
    }
    assert!(world.cluster.get(SERVICE).is_none());
    for (path, _) in &others {
        assert!(world.cluster.get(path).is_some(), "{path} at the gateway's end");
    }
}

#[tokio::test]
async fn a_pass_looks_for_strays_without_asking() {
    let world = World::new();
    world.pass().await.unwrap();
    world.controller_is_up();
    world.cluster.asked();
    world.pass().await.unwrap();
    let lists: Vec<String> =
        world.cluster.asked().into_iter().filter(|it| it.verb == "list").map(|it| it.resource).collect();
    assert_eq!(lists, ["actionsgateways", "runnergroups"]);
}
