//! What is watched, and which gateways an object concerns.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use api::conditions::Type;
use api::{ActionsGateway, RunnerGroup, labels};
use futures::Stream;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ApiResource};
use kube::core::{DeserializeGuard, ObjectMeta, PartialObjectMeta};
use kube::runtime::PredicateConfig;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Client, Resource};
use runtime::admin::Health;
use runtime::clock::Clock;
use serde::de::DeserializeOwned;

use crate::gateway::children::ChildMeta;
use crate::gateway::status::worst;

type Guarded<K> = DeserializeGuard<K>;
type Watched<K> = Result<K, watcher::Error>;

/// Makes the watches; each is a condition of readiness until it has delivered once.
pub(super) struct Watches {
    pub(super) client: Client,
    pub(super) health: Health,
    pub(super) clock: Clock,
}

impl Watches {
    /// Gateways whose spec, finalizers, or the AGC's verdict on the credentials changed; not our own status writes.
    pub(super) fn gateways(
        &self,
        writer: Writer<Guarded<ActionsGateway>>,
    ) -> impl Stream<Item = Watched<Guarded<ActionsGateway>>> + Send + use<> {
        self.all("actionsgateways")
            .reflect(writer)
            .touched_objects()
            .predicate_filter(gateway_change, PredicateConfig::default())
    }

    /// Our children of one kind: metadata only, and only those that carry our label. One that loses the label is
    /// told as deleted, which is occasion enough.
    pub(super) fn children(
        &self,
        kind: &ApiResource,
        writer: Writer<ChildMeta>,
    ) -> impl Stream<Item = Watched<ChildMeta>> + Send + use<> {
        let api = Api::<ChildMeta>::all_with(self.client.clone(), kind);
        let ours = watcher::Config::default().labels(&labels::ours());
        operator::watch(&self.health, &self.clock, &kind.plural, api, ours).reflect(writer).touched_objects()
    }

    /// RunnerGroups, ours and those written by hand, whose spec, metadata or impairments changed: not each count of
    /// their sessions and jobs.
    pub(super) fn runner_groups(&self) -> impl Stream<Item = Watched<Guarded<RunnerGroup>>> + Send + use<> {
        self.all("runnergroups")
            .touched_objects()
            .predicate_filter(runner_group_change, PredicateConfig::default())
    }

    /// Namespaces whose labels changed, or that began to end: metadata only.
    pub(super) fn namespaces(
        &self,
    ) -> impl Stream<Item = Watched<PartialObjectMeta<Namespace>>> + Send + use<> {
        self.all("namespaces")
            .touched_objects()
            .predicate_filter(namespace_change, PredicateConfig::default())
    }

    fn all<K>(&self, label: &'static str) -> impl Stream<Item = Watched<Event<K>>> + Send + use<K>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        operator::watch(
            &self.health,
            &self.clock,
            label,
            Api::all(self.client.clone()),
            watcher::Config::default(),
        )
    }
}

/// The gateways of an object's namespace.
pub(super) fn gateways_beside<K: Resource>(
    gateways: Store<Guarded<ActionsGateway>>,
) -> impl Fn(K) -> Vec<ObjectRef<Guarded<ActionsGateway>>> + Send + Sync + 'static {
    move |object| in_namespace(&gateways, object.meta().namespace.as_deref())
}

/// The gateways of a namespace.
pub(super) fn gateways_in(
    gateways: Store<Guarded<ActionsGateway>>,
) -> impl Fn(PartialObjectMeta<Namespace>) -> Vec<ObjectRef<Guarded<ActionsGateway>>> + Send + Sync + 'static
{
    move |namespace| in_namespace(&gateways, namespace.metadata.name.as_deref())
}

fn in_namespace(
    gateways: &Store<Guarded<ActionsGateway>>,
    namespace: Option<&str>,
) -> Vec<ObjectRef<Guarded<ActionsGateway>>> {
    let all = gateways.state();
    all.iter()
        .filter(|it| it.meta().namespace.as_deref() == namespace)
        .map(|it| ObjectRef::from_obj(&**it))
        .collect()
}

fn gateway_change(gateway: &Guarded<ActionsGateway>) -> Option<u64> {
    let conditions =
        gateway.0.as_ref().ok().and_then(|it| it.status.as_ref()).map(|it| it.conditions.as_slice());
    let credential = verdicts(conditions.unwrap_or_default(), &[Type::CredentialUnavailable]);
    let meta = gateway.meta();
    Some(hash((&meta.uid, meta.generation, &meta.finalizers, credential)))
}

fn runner_group_change(group: &Guarded<RunnerGroup>) -> Option<u64> {
    let conditions =
        group.0.as_ref().ok().and_then(|it| it.status.as_ref()).map(|it| it.conditions.as_slice());
    let impairment = worst(conditions.unwrap_or_default()).map(verdict);
    let meta = group.meta();
    Some(hash((&meta.uid, meta.generation, &meta.labels, &meta.finalizers, owners(meta), impairment)))
}

fn namespace_change(namespace: &PartialObjectMeta<Namespace>) -> Option<u64> {
    let meta = &namespace.metadata;
    Some(hash((&meta.uid, &meta.labels, meta.deletion_timestamp.is_some())))
}

fn owners(meta: &ObjectMeta) -> Vec<&str> {
    meta.owner_references.iter().flatten().map(|it| it.uid.as_str()).collect()
}

/// What the conditions of these types say, without their times.
fn verdicts<'a>(conditions: &'a [Condition], types: &[Type]) -> Vec<(&'a str, &'a str, &'a str, &'a str)> {
    let wanted = conditions.iter().filter(|it| types.iter().any(|type_| it.type_ == type_.as_str()));
    wanted.map(verdict).collect()
}

fn verdict(it: &Condition) -> (&str, &str, &str, &str) {
    (&it.type_, &it.status, &it.reason, &it.message)
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
