//! What the watches show of the children, whichever gateway's they are: their metadata, by kind.

use kube::api::ApiResource;
use kube::core::{DynamicObject, ObjectMeta, PartialObjectMeta};
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;

use crate::gateway::kinds;

/// A child of any kind: its metadata.
pub type ChildMeta = PartialObjectMeta<DynamicObject>;

/// What is known of the children of the kinds of [`kinds::found_by_label`]. Cheap to clone; clones see the same.
#[derive(Clone)]
pub struct Children(Vec<(ApiResource, Store<ChildMeta>)>);

impl Children {
    /// Knows of none, until the watch of each kind has filled its writer.
    pub fn new() -> (Self, Vec<(ApiResource, Writer<ChildMeta>)>) {
        let writers: Vec<_> = kinds::found_by_label().map(|kind| (kind.clone(), Writer::new(kind))).collect();
        let stores = writers.iter().map(|(kind, writer)| (kind.clone(), writer.as_reader()));
        (Self(stores.collect()), writers)
    }

    /// The children in a namespace, by kind; those that need others stand before what they need.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = (&ApiResource, Vec<ObjectMeta>)> {
        self.0.iter().rev().map(move |(kind, store)| {
            let all = store.state();
            let here = all.iter().filter(|it| it.metadata.namespace.as_deref() == Some(namespace));
            (kind, here.map(|it| it.metadata.clone()).collect())
        })
    }
}
