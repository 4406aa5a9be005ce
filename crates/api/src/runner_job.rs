//! `RunnerJob`: one claimed job, the durable memory of the job machine and what a person looks at.

#![expect(
    clippy::duplicated_attributes,
    reason = "printer columns share their keys, which the lint takes for repeats"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr};

use crate::failure::FailureClass;

/// What the offer said, written before the job is acquired. Immutable.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "actions-gateway.github.com",
    version = "v1alpha1",
    kind = "RunnerJob",
    namespaced,
    status = "RunnerJobStatus",
    derive = "PartialEq",
    doc = "One workflow job that the tenant's controller has claimed. Written by the controller alone; deleting an unfinished one cancels its job.",
    shortname = "rj",
    category = "actions-gateway",
    printcolumn(name = "Repository", type_ = "string", json_path = ".status.job.repository"),
    printcolumn(name = "Job", type_ = "string", json_path = ".status.job.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Pod", type_ = "string", json_path = ".status.pod.name"),
    printcolumn(name = "Run", type_ = "string", json_path = ".status.job.runId", priority = 1),
    printcolumn(name = "Node", type_ = "string", json_path = ".status.pod.node", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf")
        .message("spec: is immutable, since it is what the offer said; delete the RunnerJob to cancel its job"),
    validation = Rule::new("has(self.broker)").message("spec: names nobody who offered the job; set broker")
)]
pub struct RunnerJobSpec {
    /// The RunnerGroup that received the offer.
    pub runner_group: RunnerGroupRef,
    /// The PriorityClass that the pod gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub priority_class_name: Option<String>,
    /// The offer, when it came from GitHub's broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<BrokerOffer>,
}

/// What only an offer of GitHub's broker has: it goes to one agent, which alone may acquire the job.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BrokerOffer {
    /// GitHub's `runner_request_id` of the offer.
    #[schemars(length(min = 1, max = 128))]
    pub request_id: String,
    /// Base address of the run service, as the offer gave it.
    #[serde(rename = "runServiceURL")]
    #[schemars(length(min = 1, max = 2048))]
    pub run_service_url: String,
    /// Owner that GitHub bills, echoed at the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub billing_owner_id: Option<String>,
    /// The agent whose session received the offer.
    pub agent: AgentRef,
}

/// Name of a RunnerGroup in the same namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct RunnerGroupRef {
    /// The group's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
}

/// A runner record at GitHub.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AgentRef {
    /// The runner's name.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// The runner's id.
    pub runner_id: i64,
}

/// How far the job has come. A job without a status is being acquired.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RunnerJobStatus {
    /// A summary of the conditions, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What a person looks for first: what the job waits for before it starts, as in WaitingForQuota or WaitingToStart; why it ended
    /// badly, the same word as failureReason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub reason: Option<String>,
    /// Which job it is; known once it is acquired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobIdentity>,
    /// Its worker pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// The pod that a node rejected before any container of it started; the job got one other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_pod: Option<PodRef>,
    /// When it reached each step.
    #[serde(default)]
    pub times: Times,
    /// Until when GitHub holds the job for us, as known when it was acquired or when the lock was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Time>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<JobResult>,
    /// Why it ended badly, when that was not the job's own doing: a word of the closed list in docs/reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub failure_reason: Option<String>,
    /// Whose failure it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_class: Option<FailureClass>,
    /// Exit code of the runner container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Trace id of the run attempt, 32 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub trace_id: Option<String>,
    /// `Acquired`, `PodCreated`, `Complete`, `DeadLetter`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What GitHub says the job is.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JobIdentity {
    /// The run attempt's plan; the jobs of a matrix share it.
    #[schemars(length(max = 128))]
    pub plan_id: String,
    /// The job within the plan.
    #[schemars(length(max = 128))]
    pub job_id: String,
    /// Display name.
    #[schemars(length(max = 1024))]
    pub name: String,
    /// `owner/name`.
    #[schemars(length(max = 512))]
    pub repository: String,
    /// Name of the workflow.
    #[schemars(length(max = 1024))]
    pub workflow: String,
    /// Id of the workflow run.
    #[schemars(length(max = 32))]
    pub run_id: String,
    /// Attempt of the workflow run, from 1.
    pub run_attempt: i64,
}

/// A worker pod.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PodRef {
    /// The pod's name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The pod's uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The node it was placed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub node: Option<String>,
}

/// When the job reached each step; absent, not yet.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// The offer arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Time>,
    /// GitHub assigned the job to us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acquired: Option<Time>,
    /// The pod was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_created: Option<Time>,
    /// The runner container started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// The pod ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
}

/// Summary of a job's conditions.
#[derive(
    Serialize, Deserialize, JsonSchema, EnumIter, IntoStaticStr, Clone, Copy, Debug, PartialEq, Eq, Hash,
)]
#[expect(
    missing_docs,
    reason = "the names are the documentation; doc comments would reorder the schema's enum"
)]
pub enum Phase {
    Acquiring,
    Acquired,
    Starting,
    Running,
    AwaitingRerun,
    Succeeded,
    Failed,
    Cancelled,
}

/// How a job ended.
#[derive(
    Serialize, Deserialize, JsonSchema, EnumIter, IntoStaticStr, Clone, Copy, Debug, PartialEq, Eq, Hash,
)]
#[strum(serialize_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the names are the documentation; doc comments would reorder the schema's enum"
)]
pub enum JobResult {
    Succeeded,
    Failed,
    Cancelled,
    Skipped,
    // Another claim of the same job runs it, and its result is that one's: the status has none.
    #[serde(skip)]
    Duplicate,
}

impl JobResult {
    /// The word that stands in metric and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
