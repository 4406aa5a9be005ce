//! The end of a gateway, pass by pass.

use super::*;

fn worker(finalizers: &[&str]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "labels": { "actions-gateway.github.com/component": "worker" }, "finalizers": finalizers },
    })
}

fn agc_pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "labels": { "actions-gateway.github.com/component": "agc" } },
    })
}

/// With the end of its grace.
fn ending(mut object: Value, grace: &str) -> Value {
    object["metadata"]["deletionTimestamp"] = json!(grace);
    object
}

/// A gateway that runs: the controller's pod is there, and has put its finalizer on the RunnerGroups.
async fn running() -> World {
    let world = World::new();
    world.pass().await.unwrap();
    world.controller_is_up();
    world.cluster.put(&pod("agc"), agc_pod());
    for name in ["linux", "gpu"] {
        world
            .cluster
            .edit(&group(name), |it| it["metadata"]["finalizers"] = json!([labels::FINALIZER_GROUP]));
    }
    world
}

fn let_group_go(world: &World, name: &str) {
    world.cluster.remove(&group(name));
}

#[tokio::test]
async fn groups_go_first_and_the_controller_last_of_what_works() {
    let world = running().await;
    world.delete_gateway(1);

    assert_eq!(world.pass().await.unwrap(), Action::requeue(clock().about(teardown::LOOK_EVERY)));
    assert_eq!(
        world.cluster.writes(),
        ["delete runnergroups gpu", "delete runnergroups linux", "apply actionsgateways/status team-a"]
    );
    let (status, reason, message) = world.condition(GATEWAY, "Ready").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Terminating"));
    assert!(
        message.starts_with("step 1 of 4: draining; RunnerGroups left: gpu, linux; workers left: 0;"),
        "{message}"
    );

    let_group_go(&world, "gpu");
    world.pass().await.unwrap();
    assert!(world.cluster.get(DEPLOYMENT).is_some(), "the controller lives while a group is there");

    let_group_go(&world, "linux");
    world.cluster.asked();
    world.pass().await.unwrap();
    assert_eq!(
        world.cluster.writes(),
        ["delete deployments actions-gateway-controller", "apply actionsgateways/status team-a"]
    );
    assert!(world.condition(GATEWAY, "Ready").unwrap().2.starts_with("step 2 of 4"));
    assert!(world.cluster.get(SERVICE).is_some());

    world.cluster.put(&pod("agc"), ending(agc_pod(), "2026-01-01T11:59:40Z"));
    world.pass().await.unwrap();
    assert!(world.cluster.get(GATEWAY).is_some(), "the controller's pod is there still");

    world.cluster.remove(&pod("agc"));
    world.cluster.asked();
    assert_eq!(world.pass().await.unwrap(), Action::await_change());
    assert_eq!(
        world.cluster.writes(),
        [
            "delete services actions-gateway-controller",
            "delete rolebindings actions-gateway-controller",
            "delete serviceaccounts actions-gateway-controller",
            "delete serviceaccounts actions-gateway-worker",
            "patch actionsgateways team-a",
        ]
    );
    assert!(world.cluster.get(GATEWAY).is_none());
}

#[tokio::test]
async fn workers_are_waited_for_then_marked_and_deleted() {
    let world = running().await;
    world.cluster.put(&pod("job"), worker(&[labels::FINALIZER_JOB]));
    let_group_go(&world, "gpu");
    let_group_go(&world, "linux");

    world.delete_gateway(89);
    world.pass().await.unwrap();
    assert!(world.cluster.get(&pod("job")).unwrap()["metadata"].get("deletionTimestamp").is_none());
    assert!(world.condition(GATEWAY, "Ready").unwrap().2.contains("workers left: 1"));

    world.delete_gateway(90);
    world.pass().await.unwrap();
    let job = world.cluster.get(&pod("job")).unwrap();
    assert_eq!(job["metadata"]["annotations"][labels::DELETION_REASON], "gateway_deleted");
    assert!(job["metadata"].get("deletionTimestamp").is_some());
    assert!(world.cluster.get(DEPLOYMENT).is_none());
}

#[tokio::test]
async fn without_a_controller_our_finalizers_come_off_and_others_stay() {
    let world = running().await;
    world.cluster.put(&pod("job"), worker(&["example.org/theirs", labels::FINALIZER_JOB]));
    let job = "apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/runnerjobs/job";
    world.cluster.put(
        job,
        json!({
            "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerJob",
            "metadata": { "finalizers": [labels::FINALIZER_JOB] },
        }),
    );
    world.cluster.remove(DEPLOYMENT);
    world.cluster.remove(&pod("agc"));
    world.delete_gateway(1);

    world.pass().await.unwrap();
    assert!(world.condition(GATEWAY, "Ready").unwrap().2.starts_with("step 3 of 4"));
    assert!(world.cluster.get(&group("linux")).is_none());
    assert!(world.cluster.get(&group("gpu")).is_none());
    assert_eq!(world.cluster.get(job).unwrap()["metadata"]["finalizers"], json!([]));
    let left = &world.cluster.get(&pod("job")).unwrap()["metadata"]["finalizers"];
    assert_eq!(left, &json!(["example.org/theirs"]));

    world.pass().await.unwrap();
    assert!(world.cluster.get(GATEWAY).is_none());
}

#[tokio::test]
async fn a_controller_on_a_dead_node_is_waited_for_as_long_as_it_might_live() {
    let world = running().await;
    world.cluster.remove(DEPLOYMENT);
    world.delete_gateway(1000);
    world.cluster.put(&pod("agc"), ending(agc_pod(), "2026-01-01T11:59:31Z"));
    world.pass().await.unwrap();
    assert!(world.cluster.get(&group("linux")).is_some());

    world.cluster.put(&pod("agc"), ending(agc_pod(), "2026-01-01T11:59:30Z"));
    world.pass().await.unwrap();
    assert!(world.cluster.get(&group("linux")).is_none());
}

#[tokio::test]
async fn a_failed_request_keeps_the_gateway() {
    let world = running().await;
    world.cluster.remove(DEPLOYMENT);
    world.cluster.remove(&pod("agc"));
    world.delete_gateway(1000);
    for part in ["runnerjobs", "pods", "runnergroups", "deployments"] {
        world.cluster.fail(Method::GET, part);
        world.pass().await.unwrap_err();
        assert!(world.cluster.get(GATEWAY).is_some(), "{part}");
        world.cluster.heal();
    }
    assert_eq!(world.ready(), ("False".to_owned(), "ProvisioningFailed".to_owned()));
    assert!(world.cluster.get(&group("linux")).is_some(), "no finalizer was removed on a guess");
}

#[tokio::test]
async fn the_end_of_a_gateway_is_told_by_an_event() {
    let world = running().await;
    world.delete_gateway(1);
    world.pass().await.unwrap();
    assert_eq!(world.events().await, 1);
}

#[tokio::test]
async fn in_a_namespace_that_ends_the_gateway_ends_before_it_is_deleted_itself() {
    let world = running().await;
    world.cluster.put(&pod("job"), worker(&[labels::FINALIZER_JOB]));
    world.cluster.edit("api/v1/namespaces/team-a", |it| {
        it["metadata"]["deletionTimestamp"] = json!("2026-01-01T11:59:59Z");
    });
    world.pass().await.unwrap();
    assert!(world.cluster.get(DEPLOYMENT).is_none(), "no drain");
    assert_eq!(world.ready(), ("False".to_owned(), "Terminating".to_owned()));
    assert_eq!(world.condition(GATEWAY, "Degraded").unwrap().0, "False", "a plain end is no fault");

    // The pods go first, and the worker waits for somebody to take its finalizer off.
    world.cluster.remove(&pod("agc"));
    world.pass().await.unwrap();
    assert!(world.cluster.get(&pod("job")).is_none());
    world.pass().await.unwrap();
    let gateway = world.cluster.get(GATEWAY).unwrap();
    assert_eq!(gateway["metadata"]["finalizers"], json!([]), "whoever deletes it now need not wait");

    world.cluster.asked();
    assert_eq!(world.pass().await.unwrap(), Action::await_change());
    assert_eq!(world.cluster.writes(), Vec::<String>::new(), "nothing is made again");
    assert_eq!(world.events().await, 0, "no Event can be made there");
}

#[tokio::test]
async fn a_gateway_that_was_never_provisioned_goes_at_once() {
    let world = World::new();
    world.delete_gateway(0);
    world.pass().await.unwrap();
    assert_eq!(world.cluster.writes(), Vec::<String>::new());
}
