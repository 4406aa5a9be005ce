//! Reads what a gateway depends on and does not itself contain: its namespace, the other gateways there, and how
//! its controller and RunnerGroups are.

use std::collections::BTreeMap;

use api::{ActionsGateway, RunnerGroup, labels, names};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ListParams};
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::{Client, Resource};

use crate::gateway::availability::is_available;
use crate::gateway::away::away_since;
use crate::gateway::identity::Identity;

/// What was found.
#[derive(Clone, Debug)]
pub struct References {
    /// The gateway itself.
    pub identity: Identity,
    /// Labels of its namespace.
    pub namespace_labels: BTreeMap<String, String>,
    /// When the deletion of the namespace was asked for, if it was.
    pub namespace_deleted: Option<Timestamp>,
    /// The other gateways of the namespace.
    pub siblings: Vec<Identity>,
    /// The Deployment of the controller's name, whosever it is.
    pub controller: Option<Deployment>,
    /// The controller's pods, where that Deployment is ours and none of them is available.
    pub controller_pods: Vec<Pod>,
    /// The Lease by which the controller leads.
    pub lease: Option<Lease>,
    /// All RunnerGroups of the namespace: ours, and those written by hand.
    pub runner_groups: Vec<Group>,
}

/// A RunnerGroup as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its metadata.
    pub meta: ObjectMeta,
    /// What its controller says of it, or why the object cannot be read.
    pub conditions: Result<Vec<Condition>, String>,
}

/// A read failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {what} of namespace {namespace}")]
pub struct Error {
    what: &'static str,
    namespace: String,
    #[source]
    source: kube::Error,
}

impl References {
    /// The value of a label of the namespace.
    pub fn namespace_label(&self, key: &str) -> Option<&str> {
        self.namespace_labels.get(key).map(String::as_str)
    }

    /// The oldest gateway of the namespace, if it is another one. Uids break ties, so that all agree.
    pub fn elder(&self) -> Option<&Identity> {
        let age = |it: &Identity| (it.created, it.uid.clone());
        self.siblings.iter().filter(|it| age(it) < age(&self.identity)).min_by_key(|it| age(it))
    }

    /// Since when the controller has been away, if it is. A Lease that an earlier gateway's controller left says nothing.
    pub fn away_since(&self, now: Timestamp) -> Option<Timestamp> {
        away_since(self.lease.as_ref(), now).filter(|it| *it >= self.identity.created)
    }

    /// The controller's Deployment, if it is this gateway's.
    pub fn own_controller(&self) -> Option<&Deployment> {
        self.controller.as_ref().filter(|it| self.identity.owns(&it.metadata))
    }
}

/// Five reads, side by side, and one more for what hinders a controller that is not available.
///
/// # Errors
/// [`Error`], naming the read that failed.
pub async fn dereference(client: &Client, identity: Identity) -> Result<References, Error> {
    let name = &identity.namespace;
    let (namespace, siblings, controller, lease, runner_groups) = tokio::try_join!(
        named("the metadata", name, namespace(client, name)),
        named("the gateways", name, siblings(client, &identity)),
        named("the controller", name, controller(client, name)),
        named("the controller's Lease", name, lease(client, name)),
        named("the RunnerGroups", name, runner_groups(client, name)),
    )?;
    let ill = controller.as_ref().is_some_and(|it| identity.owns(&it.metadata) && !is_available(it));
    let controller_pods = match ill {
        true => named("the controller's pods", name, controller_pods(client, name)).await?,
        false => Vec::new(),
    };
    Ok(References {
        namespace_deleted: namespace.deletion_timestamp.map(|it| it.0),
        namespace_labels: namespace.labels.unwrap_or_default(),
        siblings,
        controller,
        controller_pods,
        lease,
        runner_groups,
        identity,
    })
}

async fn named<T>(
    what: &'static str,
    namespace: &str,
    read: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Error> {
    read.await.map_err(|source| Error { what, namespace: namespace.to_owned(), source })
}

async fn namespace(client: &Client, name: &str) -> Result<ObjectMeta, kube::Error> {
    Ok(Api::<Namespace>::all(client.clone()).get_metadata(name).await?.metadata)
}

async fn siblings(client: &Client, identity: &Identity) -> Result<Vec<Identity>, kube::Error> {
    let gateways: Api<ActionsGateway> = Api::namespaced(client.clone(), &identity.namespace);
    let found = gateways.list_metadata(&ListParams::default()).await?;
    let others = found.items.iter().filter_map(|it| Identity::of(&it.metadata));
    Ok(others.filter(|it| it.uid != identity.uid).collect())
}

async fn controller(client: &Client, namespace: &str) -> Result<Option<Deployment>, kube::Error> {
    Api::<Deployment>::namespaced(client.clone(), namespace).get_opt(names::CONTROLLER).await
}

async fn lease(client: &Client, namespace: &str) -> Result<Option<Lease>, kube::Error> {
    Api::<Lease>::namespaced(client.clone(), namespace).get_opt(names::CONTROLLER).await
}

async fn controller_pods(client: &Client, namespace: &str) -> Result<Vec<Pod>, kube::Error> {
    let of_controller = ListParams::default().labels(&labels::component(labels::AGC));
    Ok(Api::<Pod>::namespaced(client.clone(), namespace).list(&of_controller).await?.items)
}

/// One that does not parse is carried along as such: it must not hide the others.
async fn runner_groups(client: &Client, namespace: &str) -> Result<Vec<Group>, kube::Error> {
    let groups: Api<DeserializeGuard<RunnerGroup>> = Api::namespaced(client.clone(), namespace);
    let found = groups.list(&ListParams::default()).await?;
    Ok(found.items.into_iter().map(group).collect())
}

fn group(guard: DeserializeGuard<RunnerGroup>) -> Group {
    let meta = guard.meta().clone();
    let conditions = guard
        .0
        .map(|group| group.status.map(|status| status.conditions).unwrap_or_default())
        .map_err(|invalid| invalid.error);
    Group { meta, conditions }
}
