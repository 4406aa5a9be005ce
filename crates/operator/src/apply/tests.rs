use std::sync::{Arc, Mutex};

use http::Method;
use k8s_openapi::{
    api::core::v1::ConfigMap,
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
};
use serde_json::json;

use super::*;
use crate::testing::{Answer, Call, Calls, client};

fn owner(uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: "actions-gateway.github.com/v1alpha1".to_owned(),
        kind: "ActionsGateway".to_owned(),
        name: format!("gw-{uid}"),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

fn wanted(data: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some("trust".to_owned()),
            namespace: Some("team-a".to_owned()),
            owner_references: Some(vec![owner("ours")]),
            ..ObjectMeta::default()
        },
        data: Some([("ca.crt".to_owned(), data.to_owned())].into()),
        ..ConfigMap::default()
    }
}

fn meta(owner_uid: Option<&str>, version: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some("trust".to_owned()),
        namespace: Some("team-a".to_owned()),
        uid: Some("u1".to_owned()),
        resource_version: Some(version.to_owned()),
        owner_references: owner_uid.map(|it| vec![owner(it)]),
        ..ObjectMeta::default()
    }
}

/// A server that takes every patch and gives the object a new version each time, from 11 on.
fn server() -> (Applier, Calls) {
    let version = Arc::new(Mutex::new(10));
    let (client, calls) = client(move |call: &Call| match call.method {
        Method::PATCH => {
            let mut version = version.lock().unwrap();
            *version += 1;
            Answer::Object(
                json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(Some("ours"), &version.to_string()) }),
            )
        }
        _ => Answer::Fails(404),
    });
    (Applier::new(client, "test-manager"), calls)
}

const PATCH: &str = "PATCH /api/v1/namespaces/team-a/configmaps/trust";

#[tokio::test]
async fn what_is_absent_is_created_under_our_manager_by_force() {
    let (applier, calls) = server();
    let applied = applier.apply(&wanted("a"), None).await.unwrap();
    assert!(applied.written);
    assert_eq!(applied.id.to_string(), "ConfigMap team-a/trust");
    let calls = calls.take();
    assert_eq!(calls[0].method, Method::GET);
    assert_eq!(
        (&calls[1].method, calls[1].query.as_str()),
        (&Method::PATCH, "&force=true&fieldManager=test-manager")
    );
    assert_eq!(calls[1].body["data"]["ca.crt"], "a");
    assert_eq!((&calls[1].body["kind"], &calls[1].body["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
}

#[tokio::test]
async fn what_has_not_changed_since_our_last_write_is_not_written() {
    let (applier, calls) = server();
    let first = applier.apply(&wanted("a"), Some(&meta(Some("ours"), "5"))).await.unwrap();
    assert_eq!(calls.lines(), [PATCH]);
    let again = applier.apply(&wanted("a"), Some(&first.meta)).await.unwrap();
    assert!(!again.written);
    assert!(calls.take().is_empty());
}

#[tokio::test]
async fn another_wish_or_another_version_or_another_object_is_written() {
    let (applier, calls) = server();
    let first = applier.apply(&wanted("a"), Some(&meta(Some("ours"), "5"))).await.unwrap();
    let second = applier.apply(&wanted("b"), Some(&first.meta)).await.unwrap();
    assert!(second.written, "the wish differs");
    assert!(applier.apply(&wanted("b"), Some(&meta(Some("ours"), "99"))).await.unwrap().written, "drift");
    let reborn = ObjectMeta {
        uid: Some("u2".to_owned()),
        resource_version: Some("13".to_owned()),
        ..meta(Some("ours"), "13")
    };
    assert!(applier.apply(&wanted("b"), Some(&reborn)).await.unwrap().written, "another object of the name");
    assert_eq!(calls.lines().len(), 4);
}

#[tokio::test]
async fn what_belongs_to_another_or_to_nobody_is_left_alone() {
    for (other, named) in [(Some("theirs"), "ActionsGateway/gw-theirs"), (None, "nobody")] {
        let (applier, calls) = server();
        let error = applier.apply(&wanted("a"), Some(&meta(other, "5"))).await.unwrap_err();
        assert_eq!(error.to_string(), format!("ConfigMap team-a/trust exists and belongs to {named}"));
        assert!(matches!(error, ApplyError::NameConflict { .. }));
        assert!(calls.take().is_empty());
    }
}

#[tokio::test]
async fn without_a_watch_the_server_is_asked_whose_the_object_is() {
    let (client, calls) = client(|call: &Call| match call.method {
        Method::GET => Answer::Object(
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(Some("theirs"), "5") }),
        ),
        _ => Answer::Fails(500),
    });
    let error = Applier::new(client, "m").apply(&wanted("a"), None).await.unwrap_err();
    assert!(matches!(error, ApplyError::NameConflict { .. }));
    assert_eq!(calls.lines(), ["GET /api/v1/namespaces/team-a/configmaps/trust"]);
}

#[tokio::test]
async fn a_refused_write_names_the_object_and_is_not_taken_for_done() {
    let (client, calls) = client(|_: &Call| Answer::Fails(403));
    let applier = Applier::new(client, "m");
    for _ in 0..2 {
        let error = applier.apply(&wanted("a"), Some(&meta(Some("ours"), "5"))).await.unwrap_err();
        assert_eq!(error.to_string(), "failed to apply ConfigMap team-a/trust");
        assert!(matches!(error, ApplyError::Write { source: kube::Error::Api(it), .. } if it.code == 403));
    }
    assert_eq!(calls.take().len(), 2);
}

fn named(name: &str, owner_uid: Option<&str>) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..meta(owner_uid, "5") }
}

#[tokio::test]
async fn pruning_deletes_what_is_ours_and_unwanted_and_nothing_else() {
    let (client, calls) = client(|_: &Call| Answer::Fails(404));
    let going = ObjectMeta {
        deletion_timestamp: Some(Time(jiff::Timestamp::UNIX_EPOCH)),
        ..named("going", Some("ours"))
    };
    let observed = [
        named("kept", Some("ours")),
        named("old", Some("ours")),
        named("foreign", Some("theirs")),
        named("stray", None),
        going,
    ];
    let kind = ApiResource::erase::<ConfigMap>(&());
    let deleted = Applier::new(client, "m").prune(&kind, &observed, "ours", |it| it == "kept").await.unwrap();
    assert_eq!(deleted.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ConfigMap team-a/old"]);
    let calls = calls.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (&calls[0].method, calls[0].path.as_str()),
        (&Method::DELETE, "/api/v1/namespaces/team-a/configmaps/old")
    );
    assert_eq!(calls[0].body["preconditions"], json!({ "uid": "u1" }));
    assert_eq!(calls[0].body["propagationPolicy"], "Background");
}

#[tokio::test]
async fn a_delete_that_is_refused_names_what_stays() {
    let (client, _) = client(|_: &Call| Answer::Fails(500));
    let kind = ApiResource::erase::<ConfigMap>(&());
    let error = Applier::new(client, "m").delete(&kind, &named("old", Some("ours"))).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to delete ConfigMap team-a/old");
}

#[tokio::test]
async fn listing_takes_metadata_by_label() {
    let (client, calls) = client(|_: &Call| {
        Answer::Object(json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {},
            "items": [{ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": named("a", None) }]
        }))
    });
    let kind = ApiResource::erase::<ConfigMap>(&());
    let found = Applier::new(client, "m").list(&kind, "team-a", "app=x").await.unwrap();
    assert_eq!(found.iter().map(|it| it.name.clone().unwrap()).collect::<Vec<_>>(), ["a"]);
    let calls = calls.take();
    assert_eq!(calls[0].path, "/api/v1/namespaces/team-a/configmaps");
    assert!(calls[0].query.contains("labelSelector=app%3Dx"));
}
