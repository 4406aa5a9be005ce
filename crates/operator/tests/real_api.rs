//! What only a real API server can say: field ownership, the JSON patches' `test`, optimistic locking, Events.
//!
//! Run with `KUBECONFIG=… cargo test -p operator -- --ignored`; makes a namespace of its own and removes it.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test")]

use std::time::Duration;

use api::events::Reason;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace},
    events::v1::Event,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use operator::{
    apply::{Applier, ApplyError},
    events::Events,
    finalizer,
    lease::{self, Elector, Params, Timing},
    metrics::{ControllerMetrics, RestMetrics},
};
use prometheus::Registry;
use runtime::clock::Clock;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const FINALIZER: &str = "actions-gateway.github.com/job";

struct World {
    client: Client,
    namespace: String,
    registry: Registry,
}

impl World {
    async fn new() -> World {
        let registry = Registry::new();
        let client =
            operator::client::connect(None, RestMetrics::register(&registry).unwrap()).await.unwrap();
        let namespace = Namespace {
            metadata: ObjectMeta { generate_name: Some("operator-".to_owned()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let made = Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        World { client, namespace: made.name_any(), registry }
    }

    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn end(self) {
        let namespaces = Api::<Namespace>::all(self.client);
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }

    fn config_map(&self, name: &str, owner: Option<&ConfigMap>) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                owner_references: owner.map(|it| vec![it.controller_owner_ref(&()).unwrap()]),
                ..ObjectMeta::default()
            },
            data: Some([("key".to_owned(), "wanted".to_owned())].into()),
            ..ConfigMap::default()
        }
    }
}

#[tokio::test]
#[ignore = "needs a real API server by KUBECONFIG"]
async fn apply_writes_once_mends_drift_and_leaves_what_is_not_ours() {
    let world = World::new().await;
    let applier = Applier::new(world.client.clone(), "operator-test");
    let api = world.config_maps();
    let owner = api.create(&PostParams::default(), &world.config_map("owner", None)).await.unwrap();
    let wanted = world.config_map("child", Some(&owner));

    let first = applier.apply(&wanted, None).await.unwrap();
    assert!(first.written);
    assert!(!applier.apply(&wanted, Some(&first.meta)).await.unwrap().written);

    let drift = Patch::Merge(json!({ "data": { "key": "changed", "theirs": "kept" } }));
    let drifted = api.patch("child", &PatchParams::default(), &drift).await.unwrap();
    assert!(applier.apply(&wanted, Some(drifted.meta())).await.unwrap().written);
    let data = api.get("child").await.unwrap().data.unwrap();
    assert_eq!((data["key"].as_str(), data["theirs"].as_str()), ("wanted", "kept"));

    let stranger = world.config_map("owner", Some(&owner));
    let error = applier.apply(&stranger, None).await.unwrap_err();
    assert!(matches!(error, ApplyError::NameConflict { .. }), "{error}");

    let kind = ApiResource::erase::<ConfigMap>(&());
    let observed = applier.list(&kind, &world.namespace, "").await.unwrap();
    let deleted = applier.prune(&kind, &observed, &owner.uid().unwrap(), |_| false).await.unwrap();
    assert_eq!(deleted.len(), 1);
    assert!(api.get_opt("child").await.unwrap().is_none());
    assert!(api.get_opt("owner").await.unwrap().is_some());
    let metrics = runtime::metrics::render(&world.registry).unwrap();
    assert!(metrics.contains(r#"rest_client_requests_total{code="200",host=""#), "{metrics}");
    assert!(!metrics.contains(r#"host="""#), "{metrics}");
    world.end().await;
}

#[tokio::test]
#[ignore = "needs a real API server by KUBECONFIG"]
async fn finalizers_go_on_and_off_beside_others_and_over_stale_reads() {
    let world = World::new().await;
    let api = world.config_maps();
    let stale = api.create(&PostParams::default(), &world.config_map("held", None)).await.unwrap();
    assert!(finalizer::add(&api, &stale, "example.org/other").await.unwrap());
    // What was read first knows of no finalizer: the patch's test fails, and the list is read again.
    assert!(finalizer::add(&api, &stale, FINALIZER).await.unwrap());
    let held = api.get("held").await.unwrap();
    assert_eq!(held.finalizers(), ["example.org/other", FINALIZER]);
    assert!(finalizer::remove(&api, &held, "example.org/other").await.unwrap());
    assert!(finalizer::remove(&api, &held, FINALIZER).await.unwrap(), "its index has moved");
    assert!(api.get("held").await.unwrap().finalizers().is_empty());
    api.delete("held", &DeleteParams::default()).await.unwrap();
    assert!(!finalizer::remove(&api, &held, FINALIZER).await.unwrap());
    world.end().await;
}

#[tokio::test]
#[ignore = "needs a real API server by KUBECONFIG"]
async fn a_lease_is_led_by_one_and_handed_over() {
    let world = World::new().await;
    let metrics = ControllerMetrics::register(&world.registry).unwrap();
    let start = |identity: &str| {
        let params = Params {
            namespace: world.namespace.clone(),
            name: "lease".to_owned(),
            identity: identity.to_owned(),
            timing: Timing::MANAGER,
        };
        let (elector, leadership) =
            Elector::new(world.client.clone(), params, metrics.leader(identity), Clock::system());
        let stop = CancellationToken::new();
        (tokio::spawn(elector.run(stop.clone())), leadership, stop)
    };
    let (first, mut first_leads, first_stop) = start("first");
    assert!(lease::leading(&mut first_leads).await);
    let (second, mut second_leads, second_stop) = start("second");
    first_stop.cancel();
    first.await.unwrap();
    let handed_over = tokio::time::timeout(Duration::from_secs(10), lease::leading(&mut second_leads)).await;
    assert_eq!(handed_over, Ok(true));
    second_stop.cancel();
    second.await.unwrap();
    world.end().await;
}

#[tokio::test]
#[ignore = "needs a real API server by KUBECONFIG"]
async fn events_arrive() {
    let world = World::new().await;
    let about =
        world.config_maps().create(&PostParams::default(), &world.config_map("about", None)).await.unwrap();
    let (events, publisher) = Events::new(
        world.client.clone(),
        "actions-gateway.github.com/test",
        "pod".to_owned(),
        Clock::system(),
    );
    events.say(&about, Reason::NotReady, "a note".to_owned());
    drop(events);
    publisher.run(CancellationToken::new()).await;
    let found = Api::<Event>::namespaced(world.client.clone(), &world.namespace);
    let found = found.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(found.iter().filter_map(|it| it.note.as_deref()).collect::<Vec<_>>(), ["a note"]);
    let dated = |it: &Event| it.event_time.is_some() && it.deprecated_last_timestamp.is_some();
    assert!(found.iter().all(dated), "not sorted by either generation of clients: {found:#?}");
    world.end().await;
}
