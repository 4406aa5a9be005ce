//! The manager: what it makes of a gateway, keeps as it is, and takes away again.

pub mod conditions;
pub mod configuration;
pub mod life;
pub mod upkeep;

use anyhow::Result;
use e2e::Namespace;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Resource as _, ResourceExt as _};

/// Every kind that a gateway might own, as group, version, kind.
const KINDS: [(&str, &str, &str); 10] = [
    ("", "v1", "ConfigMap"),
    ("", "v1", "Secret"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("apps", "v1", "Deployment"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("policy", "v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("actions-gateway.github.com", "v1alpha1", "RunnerGroup"),
];

/// An object that belongs to a gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Child {
    /// `Kind/name`.
    id: String,
    uid: String,
    version: String,
}

/// All that belongs to the gateway of that uid, in order.
async fn children(namespace: &Namespace, gateway_uid: &str) -> Result<Vec<Child>> {
    let mut children = Vec::new();
    for (group, version, kind) in KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(namespace.client(), namespace.name(), &resource);
        let objects = api.list(&ListParams::default()).await?;
        let owned =
            objects.into_iter().filter(|it| it.owner_references().iter().any(|it| it.uid == gateway_uid));
        children.extend(owned.map(|it| Child {
            id: format!("{kind}/{}", it.name_any()),
            uid: it.uid().unwrap_or_default(),
            version: it.meta().resource_version.clone().unwrap_or_default(),
        }));
    }
    children.sort();
    Ok(children)
}
