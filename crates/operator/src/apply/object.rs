//! Which object, and whose.

use std::{fmt, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{api::ApiResource, core::ObjectMeta};

/// An object of the cluster; prints as `Kind namespace/name`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// As in `Deployment`.
    pub kind: Arc<str>,
    /// None for what is cluster-wide.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// It is controlled by the owner in question.
    Ours,
    /// It is controlled by this one (`Kind/name`), or by `nobody`.
    Foreign(String),
}

/// Whether the object is controlled by the owner with this uid.
pub fn ownership(object: &ObjectMeta, owner_uid: &str) -> Ownership {
    match controller(object) {
        Some(owner) if owner.uid == owner_uid => Ownership::Ours,
        Some(owner) => Ownership::Foreign(format!("{}/{}", owner.kind, owner.name)),
        None => Ownership::Foreign("nobody".to_owned()),
    }
}

pub(super) fn controller(object: &ObjectMeta) -> Option<&OwnerReference> {
    object.owner_references.iter().flatten().find(|it| it.controller == Some(true))
}

impl ObjectId {
    pub(crate) fn of(kind: &ApiResource, meta: &ObjectMeta) -> Self {
        ObjectId {
            kind: kind.kind.as_str().into(),
            namespace: meta.namespace.as_deref().map(Arc::from),
            name: meta.name.as_deref().unwrap_or_default().into(),
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectId { kind, namespace, name } = self;
        match namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{name}"),
            None => write!(f, "{kind} {name}"),
        }
    }
}
