//! Whole passes against a small API server.

use std::cell::RefCell;

use http::Method;
use kube::api::ApiResource;
use kube::core::PartialObjectMetaExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use operator::events::Publisher;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::children::ChildMeta;
use super::fake::Cluster;
use super::*;

const GATEWAY: &str = "apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/actionsgateways/team-a";
const DEPLOYMENT: &str = "apis/apps/v1/namespaces/team-a/deployments/actions-gateway-controller";
const LEASE: &str = "apis/coordination.k8s.io/v1/namespaces/team-a/leases/actions-gateway-controller";
const SERVICE: &str = "api/v1/namespaces/team-a/services/actions-gateway-controller";
const CHILDREN: [&str; 7] = [
    "apply runnergroups linux",
    "apply runnergroups gpu",
    "apply serviceaccounts actions-gateway-controller",
    "apply serviceaccounts actions-gateway-worker",
    "apply rolebindings actions-gateway-controller",
    "apply services actions-gateway-controller",
    "apply deployments actions-gateway-controller",
];

/// Noon, and the same chance each time.
fn clock() -> Clock {
    Clock::new(noon, || 7)
}

fn noon() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn group(name: &str) -> String {
    format!("apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/runnergroups/{name}")
}

fn pod(name: &str) -> String {
    format!("api/v1/namespaces/team-a/pods/{name}")
}

/// A tenant's namespace with a gateway of two RunnerGroups that no pass has seen.
struct World {
    cluster: Cluster,
    /// What the watches fill.
    watched: RefCell<Vec<(ApiResource, Writer<ChildMeta>)>>,
    context: Context,
    publisher: Publisher,
}

impl World {
    fn new() -> Self {
        let cluster = Cluster::default();
        cluster.put(
            "api/v1/namespaces/team-a",
            json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": { "labels": { "actions-gateway.github.com/tenant": "true" } },
            }),
        );
        cluster.put(
            GATEWAY,
            gateway(
                "team-a",
                json!([
                    { "name": "linux", "runnerLabels": ["linux"] },
                    { "name": "gpu", "runnerLabels": ["gpu"] },
                ]),
            ),
        );
        let (events, publisher) = Events::new(cluster.client(), "test", "test".to_owned(), clock());
        let (children, watched) = Children::new();
        let context = Context {
            applier: Applier::new(cluster.client(), FIELD_MANAGER),
            children,
            events,
            provision: Provision { system_namespace: "system".to_owned(), ..Provision::default() },
            clock: clock(),
        };
        Self { cluster, watched: RefCell::new(watched), context, publisher }
    }

    async fn pass(&self) -> Result<Action, Error> {
        self.pass_over(GATEWAY).await
    }

    /// A pass when all watches are up to date.
    async fn pass_over(&self, path: &str) -> Result<Action, Error> {
        for (kind, writer) in self.watched.borrow_mut().iter_mut() {
            writer.apply_watcher_event(&Event::Init);
            for object in self.cluster.ours(kind) {
                writer.apply_watcher_event(&Event::InitApply(object.metadata.into_response_partial()));
            }
            writer.apply_watcher_event(&Event::InitDone);
        }
        let object: ActionsGateway = serde_json::from_value(self.cluster.get(path).unwrap()).unwrap();
        Box::pin(reconcile(&object, &self.context)).await
    }

    fn condition(&self, path: &str, type_: &str) -> Option<(String, String, String)> {
        let object = self.cluster.get(path)?;
        let conditions = object["status"]["conditions"].as_array()?.clone();
        let found = conditions.into_iter().find(|it| it["type"] == type_)?;
        let text = |key: &str| found[key].as_str().unwrap().to_owned();
        Some((text("status"), text("reason"), text("message")))
    }

    fn ready(&self) -> (String, String) {
        let (status, reason, _) = self.condition(GATEWAY, "Ready").unwrap();
        (status, reason)
    }

    /// As the AGC would, once it runs.
    fn controller_is_up(&self) {
        self.cluster.edit(DEPLOYMENT, |it| {
            it["status"] = json!({ "observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1 });
        });
        self.cluster.edit(GATEWAY, |it| {
            it["status"]["conditions"].as_array_mut().unwrap().push(json!({
                "type": "CredentialUnavailable", "status": "False", "reason": "SecretFound", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }));
        });
    }

    /// How many Events the passes so far have tried to make.
    async fn events(self) -> usize {
        let stop = CancellationToken::new();
        stop.cancel();
        self.cluster.asked();
        self.publisher.run(stop).await;
        self.cluster.asked().iter().filter(|it| it.verb == "create" && it.resource == "events").count()
    }

    /// Deleted so many seconds before noon.
    fn delete_gateway(&self, seconds: i64) {
        let deleted = noon() - jiff::SignedDuration::from_secs(seconds);
        self.cluster.edit(GATEWAY, |it| it["metadata"]["deletionTimestamp"] = json!(deleted.to_string()));
        self.cluster.asked();
    }
}

fn gateway(name: &str, runner_groups: Value) -> Value {
    json!({
        "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "ActionsGateway",
        "metadata": { "name": name },
        "spec": {
            "gitHubURL": "https://github.com/acme", "gitHubAppRef": { "name": "github-app" },
            "runnerGroups": runner_groups,
        },
    })
}

#[tokio::test]
async fn a_first_pass_makes_everything_and_the_next_writes_nothing() {
    let world = World::new();
    world.pass().await.unwrap();
    let mut expected = vec!["patch actionsgateways team-a"];
    expected.extend(CHILDREN);
    expected.push("apply actionsgateways/status team-a");
    assert_eq!(world.cluster.writes(), expected);
    assert_eq!(world.ready(), ("False".to_owned(), "AGCNotReady".to_owned()));

    world.controller_is_up();
    world.pass().await.unwrap();
    assert_eq!(world.ready(), ("True".to_owned(), "AllAvailable".to_owned()));
    world.pass().await.unwrap();
    world.cluster.asked();
    assert_eq!(world.pass().await.unwrap(), Action::requeue(clock().about(RESYNC)));
    assert_eq!(world.cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_controller_that_cannot_start_says_why_and_is_looked_at_again_soon() {
    let world = World::new();
    world.pass().await.unwrap();
    world.cluster.edit(DEPLOYMENT, |it| it["status"] = json!({ "observedGeneration": 1 }));
    let waits = json!({ "waiting": { "reason": "ErrImagePull", "message": "agc:bad: not found" } });
    world.cluster.put(
        &pod("actions-gateway-controller-x"),
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "labels": { "actions-gateway.github.com/component": "agc" } },
            "status": { "containerStatuses": [{ "name": "agc", "image": "", "imageID": "", "ready": false,
                "restartCount": 0, "state": waits }] },
        }),
    );
    let next = world.pass().await.unwrap();
    let (status, reason, message) = world.condition(GATEWAY, "AGCAvailable").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "AGCNotReady"));
    assert!(message.contains("container agc: ErrImagePull: agc:bad: not found"), "{message}");
    assert_eq!(world.condition(GATEWAY, "Ready").unwrap().2, message);
    assert_eq!(next, Action::requeue(clock().about(std::time::Duration::from_secs(5))));

    world.cluster.asked();
    world.controller_is_up();
    world.pass().await.unwrap();
    let read = world.cluster.asked();
    assert!(read.iter().all(|it| it.resource != "pods"), "its pods are of no interest: {read:?}");
}

/// Says of a group what its controller would.
fn group_is_ready(world: &World, name: &str) {
    world.cluster.edit(&group(name), |it| {
        it["status"] = json!({ "activeSessions": 1, "conditions": [{ "type": "Ready", "status": "True",
            "reason": "ListenerActive", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" }] });
    });
}

fn renewed(world: &World, time: &str) {
    let lease = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {},
        "spec": { "leaseDurationSeconds": 30, "renewTime": time } });
    world.cluster.put(LEASE, lease);
}

#[tokio::test]
async fn groups_of_a_controller_that_is_away_are_not_ready_for_all_that_is_known() {
    let world = World::new();
    world.pass().await.unwrap();
    world.controller_is_up();
    group_is_ready(&world, "linux");
    renewed(&world, "2026-01-01T11:59:30.000000Z");
    world.pass().await.unwrap();
    assert_eq!(world.ready().0, "True");
    world.cluster.asked();

    renewed(&world, "2026-01-01T11:50:00.000000Z");
    world.pass().await.unwrap();
    let (status, reason, message) = world.condition(&group("linux"), "Ready").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("Unknown", "ControllerAway"));
    assert!(message.contains("2026-01-01T11:50:00Z"), "{message}");
    assert_eq!(world.cluster.get(&group("linux")).unwrap()["status"]["activeSessions"], 0);
    assert_eq!(world.ready(), ("Unknown".to_owned(), "ControllerAway".to_owned()));
    // The other group has never said anything.
    assert_eq!(
        world.cluster.writes(),
        ["apply runnergroups/status linux", "apply actionsgateways/status team-a"]
    );
    // The group is another version now, so its spec is applied anew; its status is as it should be.
    world.pass().await.unwrap();
    assert_eq!(world.cluster.writes(), ["apply runnergroups linux"]);
    world.pass().await.unwrap();
    assert_eq!(world.cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn the_controllers_verdict_on_the_credentials_is_read_and_never_overwritten() {
    let world = World::new();
    world.pass().await.unwrap();
    world.controller_is_up();
    world.cluster.edit(GATEWAY, |it| {
        let conditions = it["status"]["conditions"].as_array_mut().unwrap();
        let verdict = conditions.iter_mut().find(|it| it["type"] == "CredentialUnavailable").unwrap();
        verdict["status"] = json!("True");
        verdict["reason"] = json!("SecretNotFound");
    });
    world.pass().await.unwrap();
    assert_eq!(world.ready(), ("False".to_owned(), "SecretNotFound".to_owned()));
    let (status, reason, _) = world.condition(GATEWAY, "CredentialUnavailable").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("True", "SecretNotFound"));
}

#[tokio::test]
async fn drift_on_each_child_is_put_back_and_nothing_else_is_written() {
    let world = World::new();
    world.pass().await.unwrap();
    world.pass().await.unwrap();
    let accounts = "api/v1/namespaces/team-a/serviceaccounts";
    let drifts: [(String, &str, &str); 6] = [
        (DEPLOYMENT.to_owned(), "/spec/strategy/type", "apply deployments actions-gateway-controller"),
        (SERVICE.to_owned(), "/spec/ports/0/name", "apply services actions-gateway-controller"),
        (group("linux"), "/spec/runnerLabels/0", "apply runnergroups linux"),
        (
            format!("{accounts}/actions-gateway-worker"),
            "/automountServiceAccountToken",
            "apply serviceaccounts actions-gateway-worker",
        ),
        (
            format!("{accounts}/actions-gateway-controller"),
            "/metadata/labels/app",
            "apply serviceaccounts actions-gateway-controller",
        ),
        (
            "apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings/actions-gateway-controller"
                .to_owned(),
            "/subjects/0/name",
            "apply rolebindings actions-gateway-controller",
        ),
    ];
    for (path, field, write) in drifts {
        let before = world.cluster.get(&path).unwrap().pointer(field).unwrap().clone();
        let drift = if before.is_boolean() { json!(true) } else { json!("drift") };
        world.cluster.edit(&path, |it| *it.pointer_mut(field).unwrap() = drift.clone());
        world.cluster.asked();
        world.pass().await.unwrap();
        assert_eq!(world.cluster.writes(), [write], "{path}");
        assert_eq!(world.cluster.get(&path).unwrap().pointer(field), Some(&before), "{path}");
    }
}

#[tokio::test]
async fn another_rollout_strategy_is_put_back_with_the_numbers_that_came_with_it() {
    let world = World::new();
    world.pass().await.unwrap();
    world.cluster.edit(DEPLOYMENT, |it| {
        it["spec"]["strategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%" } });
    });
    world.pass().await.unwrap();
    let strategy = &world.cluster.get(DEPLOYMENT).unwrap()["spec"]["strategy"];
    assert_eq!(strategy, &json!({ "type": "Recreate" }));
}

#[tokio::test]
async fn a_child_that_was_deleted_comes_back() {
    let world = World::new();
    world.pass().await.unwrap();
    world.cluster.remove(SERVICE);
    world.pass().await.unwrap();
    assert!(world.cluster.get(SERVICE).is_some());
}

#[tokio::test]
async fn an_object_of_somebody_else_is_left_alone_and_named() {
    let world = World::new();
    let theirs = json!({ "apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": { "theirs": true } });
    world.cluster.put(SERVICE, theirs);
    let before = world.cluster.get(SERVICE);
    world.pass().await.unwrap_err();
    assert_eq!(world.cluster.get(SERVICE), before);
    let (status, reason, message) = world.condition(GATEWAY, "Degraded").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("True", "NameConflict"));
    assert!(
        message.contains("Service team-a/actions-gateway-controller exists and belongs to nobody"),
        "{message}"
    );
    assert_eq!(world.ready().1, "NameConflict");

    world.cluster.remove(SERVICE);
    world.pass().await.unwrap();
    assert_eq!(world.condition(GATEWAY, "Degraded").unwrap().0, "False");
}

#[tokio::test]
async fn one_runner_group_that_cannot_be_read_hides_no_other() {
    let world = World::new();
    world.pass().await.unwrap();
    world.controller_is_up();
    world.cluster.put(
        &group("broken"),
        json!({
            "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerGroup", "metadata": {},
            "spec": { "runnerLabels": 7 },
        }),
    );
    world.pass().await.unwrap();
    let (status, _, message) = world.condition(GATEWAY, "RunnerGroupsDegraded").unwrap();
    assert_eq!(status, "True");
    assert!(message.starts_with("1 of 3 RunnerGroups impaired; broken: cannot be read"), "{message}");
}

#[tokio::test]
async fn a_namespace_that_was_not_handed_over_gets_nothing() {
    let world = World::new();
    world.cluster.edit("api/v1/namespaces/team-a", |it| it["metadata"]["labels"] = json!({}));
    world.pass().await.unwrap();
    assert_eq!(world.cluster.writes(), ["apply actionsgateways/status team-a"]);
    assert_eq!(world.ready(), ("False".to_owned(), "NamespaceNotAllowed".to_owned()));
}

#[tokio::test]
async fn of_two_gateways_the_older_stands_and_the_younger_makes_nothing() {
    let world = World::new();
    let younger = GATEWAY.replace("/team-a/actionsgateways/team-a", "/team-a/actionsgateways/younger");
    let mut object = gateway("younger", json!([{ "name": "theirs", "runnerLabels": ["x"] }]));
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:01Z");
    world.cluster.put(&younger, object);
    world.pass().await.unwrap();
    world.cluster.asked();

    let action = world.pass_over(&younger).await.unwrap();
    assert_ne!(action, Action::await_change());
    assert_eq!(world.cluster.writes(), ["apply actionsgateways/status younger"]);
    let (_, reason, message) = world.condition(&younger, "Ready").unwrap();
    assert_eq!(reason, "AnotherGateway");
    assert!(message.contains("gateway team-a is older"), "{message}");
}

#[tokio::test]
async fn the_end_of_a_younger_gateway_does_not_touch_its_elders_children() {
    let world = World::new();
    let younger = GATEWAY.replace("/team-a/actionsgateways/team-a", "/team-a/actionsgateways/younger");
    let mut object = gateway("younger", json!([]));
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:01Z");
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:02Z");
    object["metadata"]["finalizers"] = json!([labels::FINALIZER_GATEWAY]);
    world.cluster.put(&younger, object);
    world.pass().await.unwrap();
    world.cluster.asked();
    world.pass_over(&younger).await.unwrap();
    assert_eq!(world.cluster.writes(), ["patch actionsgateways younger"]);
    assert!(world.cluster.get(&younger).is_none());
}

#[tokio::test]
async fn a_read_that_fails_is_said_and_what_was_known_stays() {
    let world = World::new();
    world.pass().await.unwrap();
    world.controller_is_up();
    world.pass().await.unwrap();
    world.cluster.fail(Method::GET, "api/v1/namespaces/team-a");
    world.pass().await.unwrap_err();
    assert_eq!(world.ready(), ("False".to_owned(), "ProvisioningFailed".to_owned()));
    assert_eq!(world.condition(GATEWAY, "AGCAvailable").unwrap().0, "True");
    let message = world.condition(GATEWAY, "Degraded").unwrap().2;
    assert_eq!(
        message,
        "failed to read the objects that the gateway refers to: failed to read the metadata of namespace team-a: scripted: \
         InternalError"
    );
}

mod ends;
mod grants;
mod prune;
