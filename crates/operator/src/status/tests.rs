use std::sync::{Arc, Mutex};

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};

use super::*;
use crate::testing::{Answer, Call, Calls, client};

/// `HasStatus` is made for our own kinds by their derive; this stands in for one.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Widget(Deployment);

impl Resource for Widget {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> std::borrow::Cow<'_, str> {
        "Widget".into()
    }
    fn group((): &()) -> std::borrow::Cow<'_, str> {
        "example.org".into()
    }
    fn version((): &()) -> std::borrow::Cow<'_, str> {
        "v1".into()
    }
    fn plural((): &()) -> std::borrow::Cow<'_, str> {
        "widgets".into()
    }
    fn meta(&self) -> &kube::core::ObjectMeta {
        &self.0.metadata
    }
    fn meta_mut(&mut self) -> &mut kube::core::ObjectMeta {
        &mut self.0.metadata
    }
}

impl HasStatus for Widget {
    type Status = DeploymentStatus;

    fn status(&self) -> Option<&DeploymentStatus> {
        self.0.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<DeploymentStatus> {
        &mut self.0.status
    }
}

fn status(replicas: i32) -> DeploymentStatus {
    DeploymentStatus { replicas: Some(replicas), ..DeploymentStatus::default() }
}

fn widget(version: &str, status: Option<DeploymentStatus>) -> Widget {
    let metadata = kube::core::ObjectMeta {
        name: Some("w".to_owned()),
        namespace: Some("team-a".to_owned()),
        uid: Some("u1".to_owned()),
        resource_version: Some(version.to_owned()),
        ..Default::default()
    };
    Widget(Deployment { metadata, status, ..Deployment::default() })
}

/// Takes every status; another manager's field stays beside it.
fn server() -> (Applier, Calls) {
    let version = Arc::new(Mutex::new(10));
    let (client, calls) = client(move |call: &Call| {
        let mut version = version.lock().unwrap();
        *version += 1;
        let mut stored = widget(&version.to_string(), None).0;
        stored.status = serde_json::from_value(call.body["status"].clone()).unwrap();
        stored.status.as_mut().unwrap().ready_replicas = Some(7);
        Answer::Object(serde_json::to_value(stored).unwrap())
    });
    (Applier::new(client, "test-manager"), calls)
}

#[tokio::test]
async fn a_status_that_stands_already_is_not_written() {
    let (applier, calls) = server();
    let current = widget("5", Some(status(3)));
    assert!(applier.status(&current, &status(3)).await.unwrap().is_none());
    assert!(calls.take().is_empty());
}

#[tokio::test]
async fn a_changed_status_is_one_apply_on_the_subresource() {
    let (applier, calls) = server();
    let written = applier.status(&widget("5", None), &status(3)).await.unwrap().unwrap();
    assert_eq!(written.0.status.unwrap().replicas, Some(3));
    let calls = calls.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].path, "/apis/example.org/v1/namespaces/team-a/widgets/w/status");
    assert_eq!(
        calls[0].body,
        json!({
            "apiVersion": "example.org/v1", "kind": "Widget",
            "metadata": { "name": "w", "namespace": "team-a", "uid": "u1" },
            "status": { "replicas": 3 }
        })
    );
}

#[tokio::test]
async fn what_another_manager_adds_does_not_make_us_write_again() {
    let (applier, calls) = server();
    let written = applier.status(&widget("5", None), &status(3)).await.unwrap().unwrap();
    assert_eq!(written.0.status.as_ref().unwrap().ready_replicas, Some(7));
    calls.take();
    assert!(applier.status(&written, &status(3)).await.unwrap().is_none());
    assert!(calls.take().is_empty());
    assert!(applier.status(&written, &status(4)).await.unwrap().is_some());
}
