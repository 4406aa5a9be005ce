//! A namespace for one test.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace as Object;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{World, logs};

/// Label of every namespace that a run of the suite creates.
pub const RUN: &str = "e2e.test/run";

/// A namespace that one test has to itself. The logs of its pods are collected.
#[derive(Clone)]
pub struct Namespace {
    name: String,
    world: Arc<World>,
}

impl Namespace {
    /// Creates one with the tenant label.
    pub async fn create(world: Arc<World>, test: &str) -> Result<Self> {
        Self::labelled(world, test, json!({"actions-gateway.github.com/tenant": "true"})).await
    }

    /// Creates one with these labels.
    pub async fn labelled(world: Arc<World>, test: &str, mut labels: serde_json::Value) -> Result<Self> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("e2e-{}-{}", slug(test), &unique[..6]);
        labels[RUN] = json!(world.run);
        let object: Object = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
        Api::all(world.client.clone())
            .create(&PostParams::default(), &object)
            .await
            .with_context(|| name.clone())?;
        logs::follow(world.client.clone(), name.clone(), world.logs.clone());
        Ok(Self { name, world })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The suite's world.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The administrator's client.
    pub fn client(&self) -> Client {
        self.world.client.clone()
    }

    /// Its objects of one kind.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone,
    {
        Api::namespaced(self.client(), &self.name)
    }

    /// Asks for its deletion, unless `E2E_KEEP` is set. The suite looks at the end whether it is gone.
    pub async fn delete(&self) -> Result<()> {
        if std::env::var_os("E2E_KEEP").is_some() {
            return Ok(());
        }
        let api: Api<Object> = Api::all(self.client());
        match api.delete(&self.name, &DeleteParams::background()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
            Err(error) => Err(error).with_context(|| format!("deleting {}", self.name)),
        }
    }
}

/// The first words of a sentence, as part of a name.
fn slug(sentence: &str) -> String {
    let words: String =
        sentence.to_lowercase().chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect();
    words.chars().take(30).collect::<String>().trim_matches('-').to_owned()
}
