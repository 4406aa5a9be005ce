//! The kinds of children: one list, behind `Resources`, watches, pruning and teardown.

use api::RunnerGroup;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Resource;
use kube::api::ApiResource;

/// A kind that a gateway has children of. Nothing else fits into [`crate::gateway::build::Resources`], so a kind that was
/// forgotten here does not compile.
pub trait Child: Resource<DynamicType = (), Scope = NamespaceResourceScope> {}

/// RunnerGroups are not found by our label: those that were written by hand concern a gateway too, so each pass reads all
/// of them, and their watch looks at their conditions.
impl Child for RunnerGroup {}

macro_rules! found_by_label {
    ($($kind:ty),+) => {
        $(impl Child for $kind {})+

        /// The kinds whose children are found by our label: watched, pruned and taken down by it. In the order in which
        /// they need each other.
        pub fn found_by_label() -> impl DoubleEndedIterator<Item = ApiResource> {
            [$(ApiResource::erase::<$kind>(&())),+].into_iter()
        }
    };
}

found_by_label!(ServiceAccount, RoleBinding, Service, Deployment);
