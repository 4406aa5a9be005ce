//! A RunnerGroup after validation: inside the program this value is proof.

use std::collections::BTreeMap;
use std::sync::Arc;

use admission::Ceiling;
use api::RunnerGroup;
use api::runner_group::JobHistory;
use jiff::SignedDuration;
use job::naming::AgentSeries;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource as _, ResourceExt as _};

use crate::pod::build::Template;

/// Which group it is: enough to find what was made for it, whatever its spec says.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupId {
    /// Its name: label `runner_group` everywhere.
    pub name: String,
    /// Its uid: a group that is made anew under the same name is another.
    pub uid: String,
    /// Which edit of its spec this is.
    pub generation: Option<i64>,
    /// Whether it is on its way out: it takes no new job.
    pub deleting: bool,
    /// Makes it the owner of what is written for it.
    pub owner: OwnerReference,
    /// Names it in Events.
    pub reference: ObjectReference,
}

/// A group as a start finds it.
#[derive(Debug, Clone)]
pub struct Known {
    /// Which group it is.
    pub id: Arc<GroupId>,
    /// What it asks for; `None` when its spec cannot be honoured.
    pub spec: Option<Arc<Group>>,
}

/// What one group asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Which group it is.
    pub id: Arc<GroupId>,
    /// What jobs select it by.
    pub labels: Vec<String>,
    /// Bound on the sessions that listen.
    pub max_listeners: usize,
    /// Bound on the jobs that run.
    pub ceiling: Ceiling,
    /// How each job of it is treated.
    pub policy: job::Policy,
    /// How a worker looks.
    pub template: Template,
    /// The runner version in its image, where it says so.
    pub runner_version: Option<String>,
    /// How long a finished worker stays on show.
    pub completed_pod_ttl: SignedDuration,
    /// How much of the past is kept.
    pub history: JobHistory,
}

impl GroupId {
    /// The group as it stands in the API server.
    #[must_use]
    pub fn of(group: &RunnerGroup) -> Self {
        let owner = group.controller_owner_ref(&()).unwrap_or_default();
        Self {
            name: group.name_any(),
            uid: group.uid().unwrap_or_default(),
            generation: group.metadata.generation,
            deleting: group.metadata.deletion_timestamp.is_some(),
            owner: OwnerReference { block_owner_deletion: None, ..owner },
            reference: group.object_ref(&()),
        }
    }

    /// Whether both are the same edit of the same group's spec.
    #[must_use]
    pub fn is_same_spec(&self, other: &Self) -> bool {
        self.uid == other.uid && self.generation == other.generation
    }

    /// The names of its agents.
    #[must_use]
    pub fn agents(&self) -> AgentSeries {
        AgentSeries::new(&self.name, &self.uid)
    }

    /// Labels of what belongs to the group and to no job.
    #[must_use]
    pub fn labels_of_children(&self, gateway: &str) -> BTreeMap<String, String> {
        let pairs = [
            (api::labels::MANAGED_BY, api::labels::MANAGED_BY_VALUE),
            (api::labels::GATEWAY, gateway),
            (api::labels::RUNNER_GROUP, &self.name),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }
}

impl Group {
    /// The runner image, where the group names one.
    #[must_use]
    pub fn runner_image(&self) -> Option<&str> {
        let containers = self.template.pod.spec.iter().flat_map(|it| &it.containers);
        let runner = containers.into_iter().find(|it| it.name == api::names::RUNNER_CONTAINER);
        let written = runner.and_then(|it| it.image.as_deref()).filter(|it| !it.is_empty());
        written.or(self.template.worker_image.as_deref())
    }
}
