//! Everything that a gateway is made of, from the one validated value. Pure; one file for each kind of child.

mod account;
mod controller;
mod env;
mod runner_group;
mod service;

use std::collections::BTreeMap;

use api::{RunnerGroup, labels, names};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::core::ObjectMeta;
use operator::apply::Applied;

use crate::gateway::kinds::Child;
use crate::gateway::validate::Gateway;

/// The value of `app.kubernetes.io/name` on every child.
const PRODUCT: &str = "actions-gateway";

/// A gateway's children, at one stage of their way into the cluster.
///
/// Taken apart without `..` wherever all of them matter, so that a forgotten one does not compile.
pub struct Resources<S: Stage> {
    /// Account of the controller.
    pub controller_account: S::Item<ServiceAccount>,
    /// Account of workers: no token, no grants.
    pub worker_account: S::Item<ServiceAccount>,
    /// What the controller may do, in this namespace.
    pub role_binding: S::Item<RoleBinding>,
    /// The controller's metrics.
    pub service: S::Item<Service>,
    /// The sets of runners.
    pub runner_groups: Vec<S::Item<RunnerGroup>>,
    /// The controller.
    pub deployment: S::Item<Deployment>,
}

/// How far along the children are.
pub trait Stage {
    /// What is known of a child of kind `K`.
    type Item<K: Child>;
}

/// Wished for: the whole object.
pub enum Built {}

/// Standing in the cluster as wished: a receipt.
pub enum InCluster {}

impl Stage for Built {
    type Item<K: Child> = K;
}

impl Stage for InCluster {
    type Item<K: Child> = Applied;
}

impl Resources<InCluster> {
    /// Whether an object of that kind and name is among the children.
    pub fn holds(&self, kind: &str, name: &str) -> bool {
        let Self { controller_account, worker_account, role_binding, service, runner_groups, deployment } =
            self;
        let mut all = [controller_account, worker_account, role_binding, service, deployment]
            .into_iter()
            .chain(runner_groups);
        all.any(|it| &*it.id.kind == kind && &*it.id.name == name)
    }
}

/// Builds the children.
pub fn build(gateway: &Gateway) -> Resources<Built> {
    Resources {
        controller_account: account::controller(gateway),
        worker_account: account::worker(gateway),
        role_binding: account::role_binding(gateway),
        service: service::metrics(gateway),
        runner_groups: gateway
            .runner_groups
            .iter()
            .map(|it| runner_group::runner_group(gateway, it))
            .collect(),
        deployment: controller::deployment(gateway),
    }
}

/// Metadata of a child: where it is, whose it is, and the labels by which it is found.
fn metadata(gateway: &Gateway, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(gateway.identity.namespace.clone()),
        labels: Some(child_labels(gateway)),
        owner_references: Some(vec![gateway.identity.owner_reference()]),
        ..ObjectMeta::default()
    }
}

/// Metadata of a child that belongs to the controller: `app` is what Services and people select by.
fn controller_metadata(gateway: &Gateway) -> ObjectMeta {
    let mut metadata = metadata(gateway, names::CONTROLLER);
    metadata.labels.get_or_insert_default().extend(controller_selector());
    metadata
}

fn child_labels(gateway: &Gateway) -> BTreeMap<String, String> {
    let pairs = [
        ("app.kubernetes.io/name", PRODUCT),
        (labels::MANAGED_BY, labels::MANAGED_BY_VALUE),
        (labels::GATEWAY, &gateway.identity.name),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A Deployment's selector cannot be changed later: it is this one label and nothing else.
fn controller_selector() -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), names::CONTROLLER.to_owned())])
}

#[cfg(test)]
mod tests;
