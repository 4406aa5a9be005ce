//! A RunnerGroup after validation: inside the program this value is proof.

use std::collections::BTreeMap;

use api::runner_group::JobHistory;
use jiff::SignedDuration;
use job::capacity::{Amounts, Ceiling};
use job::naming::AgentSeries;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::pod::build::Template;

/// What one group asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
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
    /// What one more worker takes from a ResourceQuota.
    pub demand: Amounts,
    /// How long a finished worker stays on show.
    pub completed_pod_ttl: SignedDuration,
    /// How much of the past is kept.
    pub history: JobHistory,
}

impl Group {
    /// The names of its agents.
    #[must_use]
    pub fn agents(&self) -> AgentSeries {
        AgentSeries::new(&self.name, &self.uid)
    }

    /// The runner image, where the group names one.
    #[must_use]
    pub fn runner_image(&self) -> Option<&str> {
        let containers = self.template.pod.spec.iter().flat_map(|it| &it.containers);
        let runner = containers.into_iter().find(|it| it.name == api::names::RUNNER_CONTAINER);
        let written = runner.and_then(|it| it.image.as_deref()).filter(|it| !it.is_empty());
        written.or(self.template.worker_image.as_deref())
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
