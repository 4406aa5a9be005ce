use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::*;
use crate::testing::{Answer, client};

/// A server that refuses the first list, answers the second, and keeps watches open.
fn unwell_at_first() -> kube::Client {
    let asked = AtomicUsize::new(0);
    let (client, _) = client(move |call| {
        if call.query.contains("watch=true") {
            return Answer::Silence;
        }
        match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::Fails(500),
            _ => Answer::Object(json!({
                "apiVersion": "v1", "kind": "ConfigMapList", "metadata": { "resourceVersion": "7" },
                "items": [{ "metadata": { "name": "trust", "managedFields": [{ "manager": "somebody" }] } }],
            })),
        }
    });
    client
}

#[tokio::test(start_paused = true)]
async fn a_failed_list_is_tried_again_and_readiness_waits_for_one_that_arrives() {
    let health = Health::new();
    let api = Api::<ConfigMap>::namespaced(unwell_at_first(), "team-a");
    let mut events =
        std::pin::pin!(watch(&health, &Clock::system(), "configmaps", api, watcher::Config::default()));
    assert_eq!(health.failing().into_keys().collect::<Vec<_>>(), ["configmaps"]);

    let mut listed = Vec::new();
    loop {
        match events.next().await.unwrap().unwrap() {
            Event::InitApply(object) => {
                assert!(!health.failing().is_empty(), "the list is not complete");
                listed.push(object);
            }
            Event::InitDone => break,
            _ => {}
        }
    }
    assert!(health.failing().is_empty());
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].metadata.managed_fields, Some(Vec::new()));
}
