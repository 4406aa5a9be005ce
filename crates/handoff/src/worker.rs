//! What the tenant's controller writes for the worker's wrapper, and what the wrapper reports back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::proxy::ENV_PROXY_CA;

mod stop;

pub use stop::{NoStopRequest, StopFrame, StopRequest};

/// Folder that the install container fills and `runner` reads: wrapper and payload, in memory.
pub const RUN_DIR: &str = "/run/actions-gateway";
/// Folder within [`RUN_DIR`], which nobody but its owner can list. The claim's files are in the folder below it that
/// [`ENV_CLAIM`] names: their reader must be able to remove them, and [`RUN_DIR`] itself, a volume in memory, lets only a
/// file's owner do so (its sticky bit is set).
pub const CLAIM_DIR: &str = "claim";
/// Argument of `worker install`: the job's user is the one that installs, so the claim is for nobody else.
pub const INSTALL_PRIVATE: &str = "--private";
/// The wrapper within [`RUN_DIR`].
pub const WRAPPER: &str = "worker";
/// Where the payload Secret is mounted in the install container.
pub const PAYLOAD_DIR: &str = "/run/secrets/job-payload";
/// Key and file of the job message, byte for byte as GitHub sent it.
pub const PAYLOAD: &str = "payload";
/// Key and file of the job message when it is kept compressed.
pub const PAYLOAD_GZ: &str = "payload.gz";
/// Key and file of the runner's JIT configuration.
pub const JIT_CONFIG: &str = "jitconfig";
/// Key and file of [`RunInfo`], JSON.
pub const RUN_INFO: &str = "run.json";
/// The user of GitHub's runner image. It has a name there, which the kubelet cannot check against `runAsNonRoot`.
pub const RUNNER_USER: i64 = 1001;
/// Root of the runner in GitHub's image, parent of `bin`.
pub const RUNNER_HOME: &str = "/home/runner";

/// Annotation of a worker pod: a [`StopRequest`], written when its job is to end; empty until then.
pub const ANNOTATION_STOP: &str = "actions-gateway.github.com/stop";
/// Where the downward-API volume with [`STOP_FILE`] is mounted, whole: a file mounted by itself is never refreshed.
pub const STOP_DIR: &str = "/etc/actions-gateway/pod";
/// The file within [`STOP_DIR`] that shows the value of [`ANNOTATION_STOP`]; empty while there is none.
pub const STOP_FILE: &str = "stop";

/// Variable: folder of the payload Secret, for `worker install`.
pub const ENV_PAYLOAD_DIR: &str = "PAYLOAD_SECRET_PATH";
/// Variable: folder of wrapper and payload, for `worker run`.
pub const ENV_RUN_DIR: &str = "ACTIONS_GATEWAY_RUN_DIR";
/// Variable: name of the folder below [`CLAIM_DIR`] that holds the claim's files, of which no other container of the pod
/// knows; absent: they are in [`CLAIM_DIR`] itself.
pub const ENV_CLAIM: &str = "ACTIONS_GATEWAY_CLAIM";
/// Variable: root of the runner, parent of `bin`.
pub const ENV_RUNNER_HOME: &str = "RUNNER_HOME_DIR";
/// Variable: the stop file, where it is not [`STOP_FILE`] in [`STOP_DIR`].
pub const ENV_STOP_FILE: &str = "WORKER_STOP_FILE";
/// Variable: the pod's `terminationGracePeriodSeconds`, a whole number; absent: 30, as in Kubernetes.
pub const ENV_POD_GRACE: &str = "POD_TERMINATION_GRACE_SECONDS";
/// Variable: seconds between SIGTERM and killing the runner; absent or longer: five less than [`ENV_POD_GRACE`].
pub const ENV_SHUTDOWN_GRACE: &str = "WORKER_SHUTDOWN_GRACE";
/// Variable: file of GitHub's private CA.
pub const ENV_GITHUB_CA: &str = "GITHUB_CA_CERT_PATH";
/// Variable: where the termination report goes.
pub const ENV_TERMINATION_PATH: &str = "TERMINATION_MESSAGE_PATH";
/// Variable: `debug`, `info`, `warn` or `error`.
pub const ENV_LOG_LEVEL: &str = "LOG_LEVEL";

/// Every variable that only the wrapper reads: the runner and its steps, which inherit all others, never see these.
pub const WRAPPER_ENV: [&str; 11] = [
    ENV_PAYLOAD_DIR,
    ENV_RUN_DIR,
    ENV_CLAIM,
    ENV_RUNNER_HOME,
    ENV_STOP_FILE,
    ENV_POD_GRACE,
    ENV_SHUTDOWN_GRACE,
    ENV_PROXY_CA,
    ENV_GITHUB_CA,
    ENV_TERMINATION_PATH,
    ENV_LOG_LEVEL,
];

/// The kubelet keeps this much of a termination message, in bytes.
pub const TERMINATION_LIMIT: usize = 4096;

/// Which job this is: for the header line of the worker's log, and for the trace that steps may join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunInfo {
    /// `owner/name`.
    pub repository: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Display name of the job.
    pub job_name: String,
    /// Id of the workflow run.
    pub run_id: String,
    /// Attempt of the workflow run.
    pub run_attempt: i64,
    /// The run attempt's plan.
    pub plan_id: String,
    /// The job within the plan.
    pub job_id: String,
    /// Trace id of the run attempt, 32 hex digits.
    pub trace_id: String,
    /// Span id of the job, 16 hex digits.
    pub span_id: String,
    /// Span id of the runner's part of the job, 16 hex digits; empty: there is no such span.
    pub run_span_id: String,
    /// Whether the trace is kept; absent: it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled: Option<bool>,
    /// Namespace of the worker.
    pub namespace: String,
    /// The RunnerGroup.
    pub runner_group: String,
}

/// One JSON line in the termination message: how the worker ended.
///
/// A reader takes unknown fields; a missing or broken report is itself a finding, not an error of the reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminationReport {
    /// Version of this type: 1.
    pub v: u32,
    /// How the job ended; absent when the runner did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TaskResult>,
    /// Exit code of `Runner.Worker`: 100 + result, or 128 + signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Version of the runner, when the image says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_version: Option<String>,
    /// Why the wrapper could not do its work; no secret stands in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the wrapper was told to stop.
    #[serde(default)]
    pub stopped: bool,
    /// The last [`StopFrame`] that was written to the runner, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u8>,
    /// When each phase began.
    #[serde(default)]
    pub phases: Phases,
    /// What the container used.
    #[serde(default)]
    pub usage: Usage,
}

/// What the container used in its life, by its cgroup; absent: the node does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Processes that the kernel killed for want of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
    /// The most memory at once, in bytes, page cache included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<u64>,
    /// CPU time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
}

/// When each phase of the wrapper began; absent: not reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phases {
    /// The wrapper's first instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapper: Option<Timestamp>,
    /// `Runner.Worker` was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<Timestamp>,
    /// The job message was written whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over: Option<Timestamp>,
    /// `Runner.Worker` ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// The runner's word for a result; its exit code is 100 + the position here (protocol §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskResult {
    /// Exit 100.
    Succeeded,
    /// Exit 101.
    SucceededWithIssues,
    /// Exit 102.
    Failed,
    /// Exit 103.
    Canceled,
    /// Exit 104.
    Skipped,
    /// Exit 105.
    Abandoned,
}

impl TaskResult {
    const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::SucceededWithIssues,
        Self::Failed,
        Self::Canceled,
        Self::Skipped,
        Self::Abandoned,
    ];

    /// The result that an exit code of `Runner.Worker` means; other codes mean none.
    pub fn of_exit(code: i32) -> Option<Self> {
        Self::ALL.get(usize::try_from(code.checked_sub(100)?).ok()?).copied()
    }
}

impl TerminationReport {
    /// An empty report of this version.
    pub fn new() -> Self {
        Self {
            v: 1,
            result: None,
            exit: None,
            runner_version: None,
            error: None,
            stopped: false,
            frame: None,
            phases: Phases::default(),
            usage: Usage::default(),
        }
    }

    /// The report as one line of at most [`TERMINATION_LIMIT`] bytes: free text is cut until it fits.
    pub fn to_line(&self) -> String {
        let mut report = self.clone();
        loop {
            let line = serde_json::to_string(&report).unwrap_or_default();
            if line.len() <= TERMINATION_LIMIT {
                return line;
            }
            if !halve(&mut report.error) && !halve(&mut report.runner_version) {
                return String::new();
            }
        }
    }

    /// Reads a termination message; `None` when it holds no report that this version understands.
    pub fn from_message(message: &str) -> Option<Self> {
        let report: Self = serde_json::from_str(message.trim()).ok()?;
        (report.v == 1).then_some(report)
    }
}

impl Default for TerminationReport {
    fn default() -> Self {
        Self::new()
    }
}

/// Cuts `text` to half, at a character; false when there was nothing left to cut.
fn halve(text: &mut Option<String>) -> bool {
    let Some(it) = text.as_mut().filter(|it| !it.is_empty()) else { return false };
    let half = it.floor_char_boundary(it.len() / 2);
    it.truncate(half);
    true
}

#[cfg(test)]
mod tests;
