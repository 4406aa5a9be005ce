//! Which gateway is meant: what every step needs of its metadata, parsed once.

use api::ActionsGateway;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::core::ObjectMeta;
use operator::apply::{Ownership, ownership};

/// A stored gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was made.
    pub created: Timestamp,
}

impl Identity {
    /// Nothing, when the object has not come from the API server.
    pub fn of(meta: &ObjectMeta) -> Option<Self> {
        Some(Self {
            namespace: meta.namespace.clone()?,
            name: meta.name.clone()?,
            uid: meta.uid.clone()?,
            created: meta.creation_timestamp.as_ref()?.0,
        })
    }

    /// The reference that marks a child as this gateway's, and lets the API server collect it as a backstop.
    pub fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: ActionsGateway::api_version(&()).into_owned(),
            kind: ActionsGateway::kind(&()).into_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// Whether an object with that metadata is a child of this gateway.
    pub fn owns(&self, child: &ObjectMeta) -> bool {
        ownership(child, &self.uid) == Ownership::Ours
    }
}
