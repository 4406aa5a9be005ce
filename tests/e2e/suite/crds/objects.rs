//! Smallest valid objects of each kind, and how a test bends them.

use anyhow::{Context as _, Result};
use e2e::Namespace;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Client, Error};
use serde_json::{Value, json};

/// A kind of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ActionsGateway,
    RunnerGroup,
    RunnerJob,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::ActionsGateway, Self::RunnerGroup, Self::RunnerJob];

    pub fn name(self) -> &'static str {
        match self {
            Self::ActionsGateway => "ActionsGateway",
            Self::RunnerGroup => "RunnerGroup",
            Self::RunnerJob => "RunnerJob",
        }
    }

    /// An object with its required fields only.
    pub fn minimal(self) -> Value {
        let spec = match self {
            Self::ActionsGateway => {
                json!({"gitHubAppRef": {"name": "github-app"}, "gitHubURL": "https://github.test/acme"})
            }
            Self::RunnerGroup => json!({"runnerLabels": ["linux"]}),
            Self::RunnerJob => json!({
                "runnerGroup": {"name": "linux"}, "broker": {
                    "requestId": "request", "runServiceURL": "https://github.test/run",
                    "agent": {"name": "linux-0", "runnerId": 1},
                },
            }),
        };
        json!({
            "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": self.name(),
            "metadata": {"name": "minimal"}, "spec": spec,
        })
    }
}

/// Writes objects as the ones who may: people for two kinds, the tenant's controller for RunnerJobs.
pub struct Writer {
    namespace: String,
    person: Client,
    controller: Client,
}

impl Writer {
    pub async fn new(namespace: &Namespace) -> Result<Self> {
        namespace.world().definitions().await?;
        let name = namespace.name().to_owned();
        let account = format!("system:serviceaccount:{name}:{}", api::names::CONTROLLER);
        let controller = namespace.world().environment.client_as(&account, &["system:masters"]).await?;
        Ok(Self { namespace: name, person: namespace.client(), controller })
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let client = if kind == Kind::RunnerJob { &self.controller } else { &self.person };
        let gvk = GroupVersionKind::gvk(api::labels::GROUP, "v1alpha1", kind.name());
        Api::namespaced_with(client.clone(), &self.namespace, &ApiResource::from_gvk(&gvk))
    }

    /// Creates an object for real, or only asks whether it could be.
    pub async fn create(&self, kind: Kind, object: &Value, dry_run: bool) -> Result<Value, Error> {
        let object: DynamicObject = serde_json::from_value(object.clone()).map_err(Error::SerdeError)?;
        let params = PostParams { dry_run, field_manager: None };
        let created = self.api(kind).create(&params, &object).await?;
        serde_json::to_value(created).map_err(Error::SerdeError)
    }

    /// Asks whether an object that is there could be changed.
    pub async fn change(&self, kind: Kind, name: &str, patch: &Value) -> Result<(), Error> {
        let params = PatchParams { dry_run: true, ..PatchParams::default() };
        self.api(kind).patch(name, &params, &Patch::Merge(patch)).await.map(drop)
    }
}

/// Sets a field by its path; `[]` is the first item of a list, `{}` the entry `key` of a map.
pub fn put(object: &mut Value, path: &str, value: Value) -> Result<()> {
    let pointer = format!("/{}", path.replace("[]", ".0").replace("{}", ".key").replace('.', "/"));
    let mut place = object;
    for name in pointer.split('/').skip(1) {
        place = match (place, name.parse::<usize>()) {
            (Value::Array(list), Ok(index)) => list.get_mut(index),
            (Value::Object(map), Err(_)) => Some(map.entry(name).or_insert(Value::Null)),
            (empty @ Value::Null, Ok(_)) => {
                *empty = json!([null]);
                empty.get_mut(0)
            }
            (empty @ Value::Null, Err(_)) => {
                *empty = json!({name: null});
                empty.get_mut(name)
            }
            _ => None,
        }
        .with_context(|| format!("{path}: there is no place for {name}"))?;
    }
    *place = value;
    Ok(())
}

/// The field's path as the API server writes it in a refusal.
pub fn spoken(path: &str) -> String {
    path.replace("[]", "[0]").replace("{}", ".key")
}
