//! Why a pod does not start, and whether anything of it ever ran.

use api::names;
use job::StartFailure;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, PodStatus,
};

use super::{condition, pull, words};

/// What keeps a pod from starting.
pub(super) struct Hindrance {
    pub(super) failure: StartFailure,
    /// The container and the cause, in the cluster's words.
    pub(super) words: String,
}

/// What keeps a pod from starting, if anything says so. What cannot pass by itself goes first.
pub(super) fn hindrance(status: &PodStatus) -> Option<Hindrance> {
    let mut hindrances = unplaced(status).into_iter().chain(containers(status).filter_map(of_container));
    let first = hindrances.next()?;
    match first.failure.may_pass() {
        true => Some(hindrances.find(|it| !it.failure.may_pass()).unwrap_or(first)),
        false => Some(first),
    }
}

/// The scheduler's sentence.
fn unplaced(status: &PodStatus) -> Option<Hindrance> {
    let placed = status.conditions.iter().flatten().find(|it| it.type_ == "PodScheduled")?;
    let reason = placed.reason.as_deref();
    let failure = match reason {
        Some("Unschedulable") => StartFailure::Unschedulable,
        _ => StartFailure::Passing,
    };
    let words = words::joined(reason, placed.message.as_deref())?;
    (placed.status == "False").then_some(Hindrance { failure, words })
}

/// A container with what it is called in a sentence.
pub(super) struct Named<'a> {
    pub(super) label: String,
    pub(super) status: &'a ContainerStatus,
}

/// Init containers first, as they are started.
pub(super) fn containers(status: &PodStatus) -> impl Iterator<Item = Named<'_>> {
    let inits = status.init_container_statuses.iter().flatten();
    let inits = inits.map(|it| Named { label: format!("init container {}", it.name), status: it });
    let others = status.container_statuses.iter().flatten();
    inits.chain(others.map(|it| Named { label: format!("container {}", it.name), status: it }))
}

fn of_container(container: Named<'_>) -> Option<Hindrance> {
    let state = container.status.state.as_ref()?;
    let waiting = state.waiting.as_ref().filter(|it| !is_ordinary(it));
    let (failure, cause) = match waiting {
        Some(waiting) => (kind(waiting), words::of_waiting(waiting, container.status)?),
        // One that is started again, or the pod's end is not written yet.
        None => (StartFailure::Passing, words::of_terminated(failure_of(container.status)?)),
    };
    let failure = match container.status.name.as_str() {
        names::INSTALL_CONTAINER if !failure.may_pass() => StartFailure::Install,
        _ => failure,
    };
    Some(Hindrance { failure, words: format!("{}: {cause}", container.label) })
}

/// What every container waits for before it starts.
fn is_ordinary(waiting: &ContainerStateWaiting) -> bool {
    matches!(waiting.reason.as_deref(), None | Some("" | "ContainerCreating" | "PodInitializing"))
}

fn kind(waiting: &ContainerStateWaiting) -> StartFailure {
    let message = waiting.message.as_deref().unwrap_or_default();
    match waiting.reason.as_deref().unwrap_or_default() {
        "ErrImageNeverPull" | "InvalidImageName" => StartFailure::ImageName,
        "ImagePullBackOff" if pull::hides_its_cause(message) => StartFailure::PullBackOff,
        "ErrImagePull" | "ImagePullBackOff" if pull::is_refused(message) => StartFailure::ImagePull,
        "CreateContainerConfigError" => StartFailure::ContainerConfig,
        "CreateContainerError" if !pull::is_on_the_way(message) => StartFailure::ContainerConfig,
        _ => StartFailure::Passing,
    }
}

/// How a container failed that was started.
pub(super) fn failure_of(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let terminated = container.state.as_ref()?.terminated.as_ref()?;
    (terminated.exit_code != 0 && !never_was(terminated)).then_some(terminated)
}

/// Whether the container's program could not be executed.
pub(super) fn cannot_run(terminated: &ContainerStateTerminated) -> bool {
    matches!(terminated.reason.as_deref(), Some("StartError" | "ContainerCannotRun"))
}

/// Whether the kubelet refused the pod that it was given: it says so in `reason`, of which there is no closed list, and
/// certainly nothing ran.
pub(super) fn is_rejected(status: &PodStatus) -> bool {
    let refused = match status.reason.as_deref().unwrap_or_default() {
        "" | "DeadlineExceeded" => false,
        // Kubelets also end with these what they had admitted. Old ones set no DisruptionTarget, and forget the containers.
        "Evicted" | "Preempting" | "Terminated" | "NodeShutdown" | "Shutdown" | "NodeLost" => {
            status.message.as_deref().is_some_and(|it| it.starts_with("Pod was rejected"))
        }
        _ => true,
    };
    refused
        && status.phase.as_deref() == Some("Failed")
        && condition(status, "DisruptionTarget").is_none()
        && !has_run(status)
}

fn has_run(status: &PodStatus) -> bool {
    let statuses =
        [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    statuses.into_iter().flatten().flatten().any(|it| {
        let ran = |it: &Option<ContainerState>| it.as_ref().is_some_and(shows_a_run);
        let has_id = it.container_id.as_ref().is_some_and(|it| !it.is_empty());
        has_id || it.restart_count > 0 || ran(&it.state) || ran(&it.last_state)
    })
}

fn shows_a_run(state: &ContainerState) -> bool {
    state.running.is_some() || state.terminated.as_ref().is_some_and(|it| !never_was(it))
}

/// The kubelet gives the first container of a pod that it refused an end that never was.
fn never_was(terminated: &ContainerStateTerminated) -> bool {
    terminated.reason.as_deref() == Some("ContainerStatusUnknown")
        && terminated.started_at.is_none()
        && terminated.container_id.as_ref().is_none_or(String::is_empty)
}

#[cfg(test)]
mod tests;
