use std::sync::Mutex;

use http::Method;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Answer, Call, Calls, client};

const OURS: &str = "actions-gateway.github.com/job";

fn pod(finalizers: &[&str]) -> Pod {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "namespace": "team-a", "finalizers": finalizers }
    }))
    .unwrap()
}

/// Answers patches with what `patched` says, those that change nothing with these finalizers.
fn api(
    patched: impl Fn(usize) -> u16 + Send + Sync + 'static,
    now: &'static [&'static str],
) -> (Api<Pod>, Calls) {
    let patches = Mutex::new(0);
    let (client, calls) = client(move |call: &Call| {
        assert_eq!(call.method, Method::PATCH, "nothing else is granted everywhere");
        if call.body == json!({}) {
            return Answer::Object(serde_json::to_value(pod(now)).unwrap());
        }
        let mut patches = patches.lock().unwrap();
        *patches += 1;
        match patched(*patches) {
            200 => Answer::Object(serde_json::to_value(pod(&[])).unwrap()),
            code => Answer::Fails(code),
        }
    });
    (Api::namespaced(client, "team-a"), calls)
}

fn bodies(calls: &Calls) -> Vec<Value> {
    calls.take().into_iter().map(|it| it.body).filter(|it| *it != json!({})).collect()
}

#[tokio::test]
async fn the_first_finalizer_makes_the_list() {
    let (api, calls) = api(|_| 200, &[]);
    assert!(add(&api, &pod(&[]), OURS).await.unwrap());
    assert_eq!(
        bodies(&calls),
        [json!([
            { "op": "test", "path": "/metadata/finalizers", "value": null },
            { "op": "add", "path": "/metadata/finalizers", "value": [OURS] }
        ])]
    );
}

#[tokio::test]
async fn a_further_one_goes_to_the_end_of_the_list_that_was_seen() {
    let (api, calls) = api(|_| 200, &[]);
    assert!(add(&api, &pod(&["other/one"]), OURS).await.unwrap());
    assert_eq!(
        bodies(&calls),
        [json!([
            { "op": "test", "path": "/metadata/finalizers", "value": ["other/one"] },
            { "op": "add", "path": "/metadata/finalizers/-", "value": OURS }
        ])]
    );
}

#[tokio::test]
async fn what_is_on_or_off_already_takes_no_write() {
    let (api, calls) = api(|_| 200, &[]);
    assert!(is_on(&pod(&[OURS]), OURS));
    assert!(!add(&api, &pod(&[OURS]), OURS).await.unwrap());
    assert!(!remove(&api, &pod(&["other/one"]), OURS).await.unwrap());
    assert!(calls.take().is_empty());
}

#[tokio::test]
async fn removal_names_its_place_and_checks_it() {
    let (api, calls) = api(|_| 200, &[]);
    assert!(remove(&api, &pod(&["other/one", OURS]), OURS).await.unwrap());
    assert_eq!(
        bodies(&calls),
        [json!([
            { "op": "test", "path": "/metadata/finalizers/1", "value": OURS },
            { "op": "remove", "path": "/metadata/finalizers/1" }
        ])]
    );
}

#[tokio::test]
async fn a_list_that_changed_meanwhile_is_read_again() {
    let (api, calls) = api(|patch| if patch == 1 { 422 } else { 200 }, &[OURS, "other/one"]);
    assert!(remove(&api, &pod(&["other/one", OURS]), OURS).await.unwrap());
    let bodies = bodies(&calls);
    assert_eq!(bodies[1][1]["path"], "/metadata/finalizers/0");
}

#[tokio::test]
async fn another_object_of_that_name_is_left_alone() {
    let (api, calls) = api(|_| 422, &[OURS]);
    let mut deleted = pod(&[OURS]);
    deleted.metadata.uid = Some("of-the-deleted-one".into());
    assert!(matches!(remove(&api, &deleted, OURS).await, Err(Error::Patch { .. })));
    assert_eq!(bodies(&calls).len(), 1);
}

#[tokio::test]
async fn a_list_that_changes_for_ever_is_given_up() {
    let (api, calls) = api(|_| 422, &[OURS]);
    assert!(matches!(remove(&api, &pod(&[OURS]), OURS).await, Err(Error::Patch { .. })));
    assert_eq!(bodies(&calls).len(), ATTEMPTS);
}

#[tokio::test]
async fn an_object_that_is_gone_has_no_finalizer_to_remove_and_takes_none() {
    let (api, _) = api(|_| 404, &[]);
    assert!(!remove(&api, &pod(&[OURS]), OURS).await.unwrap());
    assert!(add(&api, &pod(&[]), OURS).await.is_err());
}
