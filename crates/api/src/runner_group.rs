//! `RunnerGroup`: runners that share labels, limits and a pod template.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::pod_template::PodTemplate;

/// What a RunnerGroup asks for.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "actions-gateway.github.com",
    version = "v1alpha1",
    kind = "RunnerGroup",
    namespaced,
    status = "RunnerGroupStatus",
    derive = "PartialEq",
    doc = "Runners that share labels, limits and a pod template. Made by the GMC from spec.runnerGroups of an ActionsGateway, or written by hand beside one.",
    shortname = "rg",
    category = "actions-gateway",
    printcolumn(name = "MaxListeners", type_ = "integer", json_path = ".spec.maxListeners"),
    printcolumn(name = "ActiveSessions", type_ = "integer", json_path = ".status.activeSessions"),
    printcolumn(name = "ActiveJobs", type_ = "integer", json_path = ".status.activeJobs"),
    printcolumn(name = "PendingJobs", type_ = "integer", json_path = ".status.pendingJobs"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Withheld", type_ = "string", json_path = ".status.intake.withheld[0].reason"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(
        name = "ObservedGen",
        type_ = "integer",
        json_path = ".status.observedGeneration",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 30 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name: a RunnerGroup's name is a DNS label of at most 30 characters; choose a shorter name of lower-case letters, digits and '-'")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.maxWorkers) || !has(self.priorityTiers) || self.priorityTiers.size() == 0 || self.priorityTiers[self.priorityTiers.size() - 1].threshold == self.maxWorkers")
        .message("maxWorkers: must equal the last priorityTiers threshold when both are set; leave one of them out or make them equal")
)]
pub struct RunnerGroupSpec {
    /// How many sessions may listen for jobs at the same time. It bounds the pollers, not the jobs: that is maxWorkers.
    #[serde(default = "default_max_listeners")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_listeners: i32,

    /// How many workers may run at the same time. Absent: as many as priorityTiers or the namespace's ResourceQuota admit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_workers: Option<i32>,

    /// The labels that `runs-on` of a workflow job selects by. They are the whole set: GitHub adds none.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 256), regex(pattern = r"^[^,\s]+$")))]
    pub runner_labels: Vec<String>,

    /// PriorityClasses by the number of workers that already run: the first tier whose threshold is above the
    /// count gives the class. The last threshold is a ceiling, as maxWorkers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(
        validation = Rule::new("self.map(t, t.threshold).isSorted() && self.all(t, self.filter(u, u.threshold == t.threshold).size() == 1)")
            .message("priorityTiers: thresholds must rise strictly from tier to tier; order the tiers and make each threshold larger than the one before")
    )]
    pub priority_tiers: Vec<PriorityTier>,

    /// A pod template (metadata and spec) for the workers, parsed strictly: unknown and reserved fields are refused.
    /// A template without a container named `runner` gets one that runs workerImage.
    #[serde(default, skip_serializing_if = "PodTemplate::is_empty")]
    pub pod_template: PodTemplate,

    /// The runner image, for a template whose `runner` container names none. Absent: the installation's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub worker_image: Option<String>,

    /// The runner version in workerImage, as 2.337.0: it is reported to GitHub until a worker has told its own.
    /// Absent: the installation's default. GitHub gives no jobs to a version past its end date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^\d+\.\d+\.\d+$"))]
    pub runner_version: Option<String>,

    /// How often one workflow run is re-run after the cluster took a worker away. No effect yet: runs are not re-run.
    #[serde(default = "default_max_eviction_retries")]
    #[schemars(range(min = 0, max = 10))]
    pub max_eviction_retries: i32,

    /// How long to wait after a disruption before the run is re-run. No effect yet: runs are not re-run.
    #[serde(default = "default_eviction_retry_delay")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s')").message("evictionRetryDelay: must be at least 1s"))]
    pub eviction_retry_delay: GoDuration,

    /// How often an acquired job is tried again whose pod or payload Secret a ResourceQuota refuses.
    #[serde(default = "default_max_quota_retries")]
    #[schemars(range(min = 0, max = 20))]
    pub max_quota_retries: i32,

    /// How long to wait before each such try.
    #[serde(default = "default_quota_retry_delay")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s')").message("quotaRetryDelay: must be at least 1s"))]
    pub quota_retry_delay: GoDuration,

    /// How long a finished worker pod stays for inspection. 0s: it goes at once.
    #[serde(default = "default_completed_pod_ttl")]
    #[serde(rename = "completedPodTTL")]
    pub completed_pod_ttl: GoDuration,

    /// How long a worker pod may stay Pending before its job is given up.
    #[serde(default = "default_pending_pod_deadline")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s')").message("pendingPodDeadline: must be at least 1s"))]
    pub pending_pod_deadline: GoDuration,

    /// How long a worker may live; the kubelet ends it even when no controller is alive. 0s: no limit.
    /// An activeDeadlineSeconds in the template wins.
    #[serde(default = "default_max_worker_lifetime")]
    pub max_worker_lifetime: GoDuration,

    /// How many settled RunnerJobs are kept, and for how long; the oldest go first.
    #[serde(default)]
    pub job_history: JobHistory,
}

/// One step of [`RunnerGroupSpec::priority_tiers`].
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PriorityTier {
    /// Name of the PriorityClass.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub priority_class_name: String,
    /// The tier holds while fewer workers than this run.
    #[schemars(range(min = 1, max = 10000))]
    pub threshold: i32,
}

/// How much of the past is kept.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JobHistory {
    /// RunnerJobs that succeeded, were cancelled or were skipped.
    #[serde(default = "default_succeeded")]
    #[schemars(range(min = 0, max = 1000))]
    pub succeeded: i32,
    /// RunnerJobs that failed.
    #[serde(default = "default_failed")]
    #[schemars(range(min = 0, max = 1000))]
    pub failed: i32,
    /// The age at which a settled RunnerJob goes, whatever the counts say.
    #[serde(default = "default_history_ttl")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m')").message("jobHistory.ttl: must be at least 1m"))]
    pub ttl: GoDuration,
}

impl Default for JobHistory {
    fn default() -> Self {
        Self { succeeded: default_succeeded(), failed: default_failed(), ttl: default_history_ttl() }
    }
}

/// What is known of a RunnerGroup. Written by the AGC.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RunnerGroupStatus {
    /// `Ready`, `Degraded`, `RateLimited`, `RunnerVersionTooOld`, `RunnerVersionMismatch`, `WorkersUnschedulable`, `WorkersAdmitted`,
    /// `PossibleReapBlockingSidecar`.
    /// Absent means not yet known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Sessions that listen for jobs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_sessions: Option<i32>,
    /// Acquired jobs that are not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_jobs: Option<i32>,
    /// Acquired jobs whose pod does not run yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_jobs: Option<i32>,
    /// What keeps jobs queued at GitHub. Absent: nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<Intake>,
    /// Which runner version GitHub is told, and where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_version: Option<RunnerVersion>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether a group takes jobs, and what for it does not.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Intake {
    /// Why the next job is left queued at GitHub. While a group is held GitHub offers it nothing, so how many wait there
    /// is not known here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub withheld: Vec<Withheld>,
}

/// One reason why jobs are left queued.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Withheld {
    /// The verdict: `ceiling`, `quota`, `refused`, or `unasked` until the first dry run is answered.
    #[schemars(length(max = 32))]
    pub reason: String,
    /// The verdict with its numbers, as in `quota team: requests.cpu 3900m of 4000m used, 250m needed`.
    #[schemars(length(max = 1024))]
    pub detail: String,
    /// Offers that were declined since then.
    #[schemars(range(min = 0))]
    pub count: i32,
    /// Since when.
    pub since: Time,
}

/// Which runner version GitHub is told, and where it comes from.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RunnerVersion {
    /// What sessions report from their next opening on: the worker's if it is known, else the configured one.
    #[schemars(length(max = 32))]
    pub reported: String,
    /// What the group's runnerVersion, or else the installation, says.
    #[schemars(length(max = 32))]
    pub configured: String,
    /// The runner image that the group's workers get.
    #[schemars(length(max = 1024))]
    pub image: String,
    /// When version and image came to be configured like this: a worker that is older tells nothing of them.
    pub configured_at: Time,
    /// What the last worker that was made since then said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub worker: Option<String>,
    /// When GitHub stops giving jobs to the reported version. Absent: GitHub names no date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
}

fn default_max_listeners() -> i32 {
    1
}
fn default_max_eviction_retries() -> i32 {
    2
}
fn default_eviction_retry_delay() -> GoDuration {
    GoDuration::from_secs(5)
}
fn default_max_quota_retries() -> i32 {
    5
}
fn default_quota_retry_delay() -> GoDuration {
    GoDuration::from_secs(30)
}
fn default_completed_pod_ttl() -> GoDuration {
    GoDuration::from_minutes(5)
}
fn default_pending_pod_deadline() -> GoDuration {
    GoDuration::from_minutes(10)
}
fn default_max_worker_lifetime() -> GoDuration {
    GoDuration::from_hours(12)
}
fn default_succeeded() -> i32 {
    20
}
fn default_failed() -> i32 {
    100
}
fn default_history_ttl() -> GoDuration {
    GoDuration::from_hours(24)
}
