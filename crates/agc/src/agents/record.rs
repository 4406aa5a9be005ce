//! One seat as it is stored: a Secret that holds the registration of its agent.

use api::runner_job::AgentRef;
use github_proto::{JitBlob, RunnerId};
use job::listeners::{self, AgentId};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;

use crate::runner_group::group::GroupId;

const NAME: &str = "name";
const RUNNER_ID: &str = "runnerId";
const GENERATION: &str = "generation";
const JIT_CONFIG: &str = "jitconfig";
const LABELS: &str = "labels";

/// What is stored of a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A registration.
    Agent(Agent),
    /// That its last agent is consumed, and none has followed.
    Consumed {
        /// The first generation to register next.
        generation: u32,
    },
    /// Nothing, or nothing that can be read.
    Nothing,
}

/// A registered runner that has run no job yet, or runs its one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its place in the group.
    pub index: u32,
    /// Which registration of that place it is.
    pub generation: u32,
    /// Its name at GitHub.
    pub name: String,
    /// Its id at GitHub.
    pub runner_id: RunnerId,
    /// What jobs select it by, for good: GitHub cannot be told otherwise.
    pub labels: Vec<String>,
    /// Its credentials.
    pub jit: JitBlob,
}

impl Agent {
    /// How a `RunnerJob` refers to it.
    #[must_use]
    pub fn reference(&self) -> AgentRef {
        AgentRef { name: self.name.clone(), runner_id: i64::try_from(self.runner_id.0).unwrap_or(i64::MAX) }
    }

    /// The Secret that stores it.
    #[must_use]
    pub fn to_secret(&self, group: &GroupId, namespace: &str, gateway: &str) -> Secret {
        let data = [
            (NAME, self.name.clone()),
            (RUNNER_ID, self.runner_id.to_string()),
            (GENERATION, self.generation.to_string()),
            (LABELS, self.labels.join("\n")),
            (JIT_CONFIG, self.jit.expose().to_owned()),
        ];
        secret(group, self.index, namespace, gateway, data)
    }

    fn from_secret(index: u32, secret: &Secret) -> Option<Self> {
        Some(Self {
            index,
            generation: text(secret, GENERATION)?.parse().ok()?,
            name: text(secret, NAME)?.to_owned(),
            runner_id: RunnerId(text(secret, RUNNER_ID)?.parse().ok()?),
            labels: text(secret, LABELS)?.lines().map(str::to_owned).collect(),
            jit: JitBlob::new(text(secret, JIT_CONFIG)?),
        })
    }

    /// It, as the machine of the listeners knows it.
    #[must_use]
    pub fn known(&self) -> listeners::Agent {
        let runner = listeners::RunnerId(self.runner_id.0);
        listeners::Agent { id: AgentId { seat: self.index, runner }, generation: self.generation }
    }
}

impl Stored {
    /// Reads what [`Agent::to_secret`] or [`consumed`] wrote.
    #[must_use]
    pub fn from_secret(index: u32, secret: &Secret) -> Self {
        let generation = || match text(secret, RUNNER_ID)? {
            "" => text(secret, GENERATION)?.parse().ok(),
            _ => None,
        };
        match (Agent::from_secret(index, secret), generation()) {
            (Some(agent), _) => Self::Agent(agent),
            (None, Some(generation)) => Self::Consumed { generation },
            (None, None) => Self::Nothing,
        }
    }
}

/// The Secret of a seat whose agent is consumed, and whose next one has this generation. It stays, for seats are looked for
/// one after the other; every field is written, so that nothing of the last agent is left.
#[must_use]
pub fn consumed(group: &GroupId, index: u32, generation: u32, namespace: &str, gateway: &str) -> Secret {
    let nobody = [NAME, RUNNER_ID, LABELS, JIT_CONFIG].map(|key| (key, String::new()));
    let data = nobody.into_iter().chain([(GENERATION, generation.to_string())]);
    secret(group, index, namespace, gateway, data)
}

fn secret(
    group: &GroupId,
    index: u32,
    namespace: &str,
    gateway: &str,
    data: impl IntoIterator<Item = (&'static str, String)>,
) -> Secret {
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())));
    Secret {
        metadata: ObjectMeta {
            name: Some(group.agents().secret(index)),
            namespace: Some(namespace.to_owned()),
            labels: Some(group.labels_of_children(gateway)),
            owner_references: Some(vec![group.owner.clone()]),
            ..ObjectMeta::default()
        },
        data: Some(data.collect()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

fn text<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    std::str::from_utf8(&secret.data.as_ref()?.get(key)?.0).ok()
}

#[cfg(test)]
mod tests;
