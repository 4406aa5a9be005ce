//! One agent as it is stored: a Secret that holds its registration.

use std::collections::BTreeMap;

use api::runner_job::AgentRef;
use github_proto::{JitBlob, RunnerId};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;

use crate::group::Group;

const NAME: &str = "name";
const RUNNER_ID: &str = "runnerId";
const GENERATION: &str = "generation";
const JIT_CONFIG: &str = "jitconfig";
const LABELS: &str = "labels";

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
    pub fn to_secret(&self, group: &Group, namespace: &str, gateway: &str) -> Secret {
        let text = |value: &str| ByteString(value.as_bytes().to_vec());
        let data = BTreeMap::from([
            (NAME.to_owned(), text(&self.name)),
            (RUNNER_ID.to_owned(), text(&self.runner_id.to_string())),
            (GENERATION.to_owned(), text(&self.generation.to_string())),
            (LABELS.to_owned(), text(&self.labels.join("\n"))),
            (JIT_CONFIG.to_owned(), text(self.jit.expose())),
        ]);
        Secret {
            metadata: ObjectMeta {
                name: Some(group.agents().secret(self.index)),
                namespace: Some(namespace.to_owned()),
                labels: Some(group.labels_of_children(gateway)),
                owner_references: Some(vec![group.owner.clone()]),
                ..ObjectMeta::default()
            },
            data: Some(data),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        }
    }

    /// Reads what [`Agent::to_secret`] wrote; `None` when the Secret is broken, and so of no use.
    #[must_use]
    pub fn from_secret(index: u32, secret: &Secret) -> Option<Self> {
        let text = |key: &str| std::str::from_utf8(&secret.data.as_ref()?.get(key)?.0).ok();
        Some(Self {
            index,
            generation: text(GENERATION)?.parse().ok()?,
            name: text(NAME)?.to_owned(),
            runner_id: RunnerId(text(RUNNER_ID)?.parse().ok()?),
            labels: text(LABELS)?.lines().map(str::to_owned).collect(),
            jit: JitBlob::new(text(JIT_CONFIG)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner_group::validate::identity;

    #[test]
    fn what_is_stored_of_an_agent_is_read_back() {
        let group = serde_yaml::from_str(
            "{ apiVersion: v, kind: RunnerGroup, metadata: { name: blue, uid: u }, spec: { runnerLabels: [a] } }",
        );
        let group = identity(&group.unwrap());
        let agent = Agent {
            index: 3,
            generation: 14,
            name: group.agents().agent(3, 14),
            runner_id: RunnerId(31_007),
            labels: vec!["linux".into(), "gpu-2x".into()],
            jit: JitBlob::new("blob"),
        };
        let secret = agent.to_secret(&group, "team-a", "team-a");
        assert_eq!(secret.metadata.name.as_deref(), Some(group.agents().secret(3).as_str()));
        assert_eq!(secret.metadata.labels.as_ref().unwrap()[api::labels::MANAGED_BY], "actions-gateway");
        assert!(api::names::is_controllers_secret(&group.agents().secret(3)), "no template may mount it");
        assert_eq!(Agent::from_secret(3, &secret), Some(agent));
        assert_eq!(Agent::from_secret(3, &Secret::default()), None);
    }
}
