//! Whether the tenant's controller is available, and what keeps it from being so, in the words of whoever refuses: the
//! API server, the scheduler, the kubelet or the container itself. Pure.

use std::cmp::Reverse;

use api::names;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::ResourceExt as _;

/// What every container waits for at first.
const ORDINARY: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// Whether a pod of the Deployment's newest template is available, so that nobody need look at its pods.
pub fn is_available(deployment: &Deployment) -> bool {
    deployment.status.as_ref().is_some_and(|it| {
        it.updated_replicas.unwrap_or_default() > 0 && it.available_replicas.unwrap_or_default() > 0
    })
}

/// Why the Deployment does not serve the spec, if it does not. `wanted` is the generation that this pass wrote.
pub fn unavailable(deployment: Option<&Deployment>, pods: &[Pod], wanted: Option<i64>) -> Option<String> {
    let Some(deployment) = deployment else {
        return Some("the controller's Deployment has not been created yet".to_owned());
    };
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = wanted.or(deployment.metadata.generation);
    if status.observed_generation < wanted {
        return Some("the controller is being rolled out".to_owned());
    }
    if is_available(deployment) {
        return None;
    }
    // Where a pod is refused, what stands there is of an older template.
    let (told, look_at) = match refusal(&status) {
        Some(refused) => (format!("{refused}{}", remedy(&refused)), "replicaset"),
        None => (of_newest(pods).or_else(|| of_deployment(&status)).unwrap_or_else(nothing), "pod"),
    };
    let see = format!("see: kubectl describe {look_at} -l app={}", names::CONTROLLER);
    Some(format!("the controller is not available: {told} ({see})"))
}

fn nothing() -> String {
    "no pod of it is available".to_owned()
}

/// What the API server answered when the ReplicaSet asked for a pod.
fn refusal(status: &DeploymentStatus) -> Option<String> {
    message(status, "ReplicaFailure", "True")
}

/// `Progressing` (a deadline passed) tells more than `Available`.
fn of_deployment(status: &DeploymentStatus) -> Option<String> {
    message(status, "Progressing", "False").or_else(|| message(status, "Available", "False"))
}

fn message(status: &DeploymentStatus, type_: &str, value: &str) -> Option<String> {
    let mut conditions = status.conditions.iter().flatten();
    conditions.find(|it| it.type_ == type_ && it.status == value)?.message.clone()
}

/// What the platform can do about a refusal whose cause is known.
fn remedy(refusal: &str) -> &'static str {
    let says = |words: &str| refusal.contains(words);
    match () {
        () if says("must specify") => {
            "; the quota admits the controller once a LimitRange of the namespace has a default for what it misses"
        }
        () if says("exceeded quota") => "; raise the quota, or free what others use of it",
        () if says("minimum ") && says(" usage per ") => "; lower the minimum of the namespace's LimitRange",
        () if says("maximum ") && says(" usage per ") => "; raise the maximum of the namespace's LimitRange",
        () => "",
    }
}

/// What hinders the newest pod that is not on its way out.
fn of_newest(pods: &[Pod]) -> Option<String> {
    let mut pods: Vec<&Pod> = pods.iter().filter(|it| it.metadata.deletion_timestamp.is_none()).collect();
    pods.sort_by_key(|it| Reverse(it.creation_timestamp()));
    let pod = pods.first()?;
    hindrance(pod).map(|it| format!("pod {}: {it}", pod.name_any()))
}

fn hindrance(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if let Some(reason) = &status.reason {
        return Some(worded(reason, status.message.as_deref()));
    }
    let conditions = status.conditions.iter().flatten();
    let mut unplaced = conditions.filter(|it| it.type_ == "PodScheduled" && it.status == "False");
    if let Some(unplaced) = unplaced.next() {
        return unplaced.message.clone().or_else(|| unplaced.reason.clone());
    }
    let init = status.init_container_statuses.iter().flatten();
    let containers = || status.container_statuses.iter().flatten();
    init.filter_map(|it| of_container(it, true))
        .chain(containers().filter_map(|it| of_container(it, false)))
        .next()
        .or_else(|| containers().find_map(unready))
}

/// What a container waits for that does not come by itself.
fn of_container(status: &ContainerStatus, may_end: bool) -> Option<String> {
    let state = status.state.as_ref()?;
    let told = waiting(state).or_else(|| ended(state).filter(|_| !may_end || !succeeded(state)))?;
    let last = status.last_state.as_ref().and_then(ended).map(|it| format!("; before that it {it}"));
    let told = if waiting(state).is_some() { format!(": {told}") } else { format!(" {told}") };
    Some(format!("container {}{told}{}", status.name, last.unwrap_or_default()))
}

fn waiting(state: &ContainerState) -> Option<String> {
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().filter(|it| !ORDINARY.contains(it))?;
    Some(worded(reason, waiting.message.as_deref()))
}

fn ended(state: &ContainerState) -> Option<String> {
    let ended = state.terminated.as_ref()?;
    let why = ended.reason.as_deref().filter(|it| !it.is_empty()).unwrap_or("without a reason");
    let told = worded(why, ended.message.as_deref());
    Some(format!("ended with exit code {}, {told}", ended.exit_code))
}

fn succeeded(state: &ContainerState) -> bool {
    state.terminated.as_ref().is_some_and(|it| it.exit_code == 0)
}

fn unready(status: &ContainerStatus) -> Option<String> {
    let runs = status.state.as_ref().is_some_and(|it| it.running.is_some());
    (runs && !status.ready).then(|| format!("container {} runs and is not ready", status.name))
}

fn worded(reason: &str, message: Option<&str>) -> String {
    match message.map(str::trim).filter(|it| !it.is_empty()) {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
