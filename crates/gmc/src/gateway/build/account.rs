//! Who the controller and its workers are to Kubernetes, and what the controller may do there.

use api::names;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};

use super::{controller_metadata, metadata};
use crate::gateway::validate::Gateway;

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn controller(gateway: &Gateway) -> ServiceAccount {
    ServiceAccount { metadata: controller_metadata(gateway), ..ServiceAccount::default() }
}

/// Jobs are strangers' code: their pods get no token, whatever a template says.
pub(super) fn worker(gateway: &Gateway) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(gateway, names::WORKER),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// Hands out the one role that the manager may `bind`.
pub(super) fn role_binding(gateway: &Gateway) -> RoleBinding {
    RoleBinding {
        metadata: controller_metadata(gateway),
        role_ref: RoleRef {
            api_group: Some(RBAC.to_owned()),
            kind: "ClusterRole".to_owned(),
            name: names::CONTROLLER_ROLE.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: names::CONTROLLER.to_owned(),
            namespace: Some(gateway.identity.namespace.clone()),
            ..Subject::default()
        }]),
    }
}
