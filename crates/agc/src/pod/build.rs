//! Builds a worker pod. Pure: template and job in, pod out.
//!
//! What the template says stands, except where it would let a job out of its fence: those fields are written last.
//! What it leaves open gets the secure default of the gateway's profile.

mod containers;
mod security;

use std::collections::BTreeMap;

use api::actions_gateway::SecurityProfile;
use api::pod_template::Rules;
use api::priority::PriorityClasses;
use api::{labels, names};
use handoff::worker::{ANNOTATION_STOP, RUN_DIR, RunInfo, STOP_FILE};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource, KeyToPath,
    ObjectFieldSelector, Pod, PodSpec, PodTemplateSpec, SecretVolumeSource, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;

/// The runner needs 20 s to end a job and report it; the kubelet's own kill must come later.
const MIN_GRACE_SECONDS: i64 = 30;

/// What tells the autoscalers and the descheduler in use to leave a busy worker alone.
const HINTS: [(&str, &str); 3] = [
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("descheduler.alpha.kubernetes.io/prefer-no-eviction", "true"),
    ("karpenter.sh/do-not-disrupt", "true"),
];

/// What is the same for all workers of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Namespace of the gateway.
    pub namespace: String,
    /// Name of the gateway.
    pub gateway: String,
    /// Runner image of a group that names none.
    pub worker_image: String,
    /// Image of the wrapper.
    pub wrapper_image: String,
    /// ServiceAccount without grants.
    pub service_account: String,
    /// What a job may do.
    pub profile: SecurityProfile,
    /// The Secret with the App's credentials, which no worker may read.
    pub app_secret: String,
    /// The PriorityClasses that workers may have.
    pub priority_classes: PriorityClasses,
    /// Proxy variables, in both cases; empty without a proxy.
    pub proxy: BTreeMap<String, String>,
    /// ConfigMap with the proxy's CA.
    pub proxy_ca: Option<String>,
    /// ConfigMap with GitHub's private CA.
    pub github_ca: Option<String>,
}

impl Platform {
    /// What templates may ask for.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            profile: self.profile,
            app_secret: self.app_secret.clone(),
            priority_classes: self.priority_classes.clone(),
        }
    }
}

/// What one group says of its workers.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The group's name.
    pub group: String,
    /// Its pod template, parsed.
    pub pod: PodTemplateSpec,
    /// Its runner image.
    pub worker_image: Option<String>,
    /// How long a worker may live, in seconds.
    pub lifetime_seconds: Option<i64>,
}

/// Which job the pod is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Work<'a> {
    /// The pod's name.
    pub name: &'a str,
    /// The RunnerJob: the pod's owner.
    pub owner: OwnerReference,
    /// The Secret with the payload.
    pub payload_secret: &'a str,
    /// What people and log lines call the job.
    pub run: &'a RunInfo,
    /// Chosen by the group's tiers.
    pub priority_class: Option<&'a str>,
}

/// The worker pod of this job.
#[must_use]
pub fn build(platform: &Platform, template: &Template, work: &Work<'_>) -> Pod {
    let mut spec = template.pod.spec.clone().unwrap_or_default();
    let grace = spec.termination_grace_period_seconds.unwrap_or(MIN_GRACE_SECONDS).max(MIN_GRACE_SECONDS);
    spec.termination_grace_period_seconds = Some(grace);
    // The containers of the pod cannot know it: they have no way to ask for the pod's owner.
    let claim = &work.owner.uid;
    containers::runner(&mut spec, platform, template, claim, grace);
    add_volumes(&mut spec, platform, work.payload_secret);
    if let Some(class) = work.priority_class {
        spec.priority_class_name = Some(class.to_owned());
    }
    spec.active_deadline_seconds = spec.active_deadline_seconds.or(template.lifetime_seconds);
    spec.enable_service_links = spec.enable_service_links.or(Some(false));
    security::fill_gaps(&mut spec, platform.profile);
    containers::install(&mut spec, platform, claim);
    reserve(&mut spec, platform);
    Pod { metadata: metadata(platform, template, work), spec: Some(spec), status: None }
}

fn metadata(platform: &Platform, template: &Template, work: &Work<'_>) -> ObjectMeta {
    let written = template.pod.metadata.clone().unwrap_or_default();
    let mut pod_labels = written.labels.unwrap_or_default();
    pod_labels.extend(worker_labels(&platform.gateway, &template.group, &work.owner.name));
    let mut annotations = written.annotations.unwrap_or_default();
    annotations.extend(HINTS.map(|(key, value)| (key.to_owned(), value.to_owned())));
    annotations.extend(run_annotations(work.run));
    // Nothing is asked yet; that it stands there says that the wrapper looks at it.
    annotations.insert(ANNOTATION_STOP.to_owned(), String::new());
    ObjectMeta {
        name: Some(work.name.to_owned()),
        namespace: Some(platform.namespace.clone()),
        labels: Some(pod_labels),
        annotations: Some(annotations),
        owner_references: Some(vec![work.owner.clone()]),
        finalizers: Some(vec![labels::FINALIZER_JOB.to_owned()]),
        ..ObjectMeta::default()
    }
}

/// The labels of everything that belongs to one job.
pub fn worker_labels(gateway: &str, group: &str, runner_job: &str) -> BTreeMap<String, String> {
    let pairs = [
        (labels::MANAGED_BY, labels::MANAGED_BY_VALUE),
        (labels::COMPONENT, labels::WORKER),
        (labels::GATEWAY, gateway),
        (labels::RUNNER_GROUP, group),
        (labels::RUNNER_JOB, runner_job),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn run_annotations(run: &RunInfo) -> BTreeMap<String, String> {
    let pairs = [
        (labels::RUN_ID, run.run_id.clone()),
        (labels::RUN_ATTEMPT, run.run_attempt.to_string()),
        (labels::REPOSITORY, run.repository.clone()),
        (labels::JOB_NAME, run.job_name.clone()),
        (labels::WORKFLOW, run.workflow.clone()),
        (labels::TRACE_ID, run.trace_id.clone()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn add_volumes(spec: &mut PodSpec, platform: &Platform, payload_secret: &str) {
    let mut volumes = spec.volumes.take().unwrap_or_default();
    volumes.push(Volume {
        name: names::RUN_VOLUME.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            // In memory: a job message holds secrets, and must not reach a disk of the node.
            medium: Some("Memory".to_owned()),
            size_limit: Some(Quantity("64Mi".to_owned())),
        }),
        ..Volume::default()
    });
    volumes.push(Volume {
        name: names::PAYLOAD_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(payload_secret.to_owned()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    });
    volumes.push(stop_volume());
    let cas = [(names::PROXY_CA_VOLUME, &platform.proxy_ca), (names::GITHUB_CA_VOLUME, &platform.github_ca)];
    volumes
        .extend(cas.into_iter().filter_map(|(name, config_map)| Some(ca_volume(name, config_map.as_ref()?))));
    spec.volumes = Some(volumes);
}

/// The pod's own annotation as a file: a worker has no other way to hear from its controller.
fn stop_volume() -> Volume {
    let field_path = format!("metadata.annotations['{ANNOTATION_STOP}']");
    let file = DownwardAPIVolumeFile {
        path: STOP_FILE.to_owned(),
        field_ref: Some(ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path }),
        ..DownwardAPIVolumeFile::default()
    };
    Volume {
        name: names::STOP_VOLUME.to_owned(),
        downward_api: Some(DownwardAPIVolumeSource { items: Some(vec![file]), default_mode: None }),
        ..Volume::default()
    }
}

fn ca_volume(name: &str, config_map: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.to_owned(),
            items: Some(vec![KeyToPath {
                key: names::CA_KEY.to_owned(),
                path: names::CA_KEY.to_owned(),
                mode: None,
            }]),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// What no template decides. Written last, so that nothing above can undo it.
fn reserve(spec: &mut PodSpec, platform: &Platform) {
    spec.restart_policy = Some("Never".to_owned());
    spec.service_account_name = Some(platform.service_account.clone());
    spec.service_account = None;
    spec.automount_service_account_token = Some(false);
    spec.host_network = None;
    spec.host_pid = None;
    spec.host_ipc = None;
    spec.priority = None;
}

/// The wrapper's path in both containers.
fn wrapper() -> String {
    format!("{RUN_DIR}/{}", handoff::worker::WRAPPER)
}

#[cfg(test)]
mod tests;
