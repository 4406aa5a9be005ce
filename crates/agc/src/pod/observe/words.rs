//! What the cluster says of a pod, for people: container and cause, in its own words.

use k8s_openapi::api::core::v1::{
    ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod, PodStatus,
};

use super::start::{cannot_run, containers, failure_of, hindrance};
use super::{condition, pull};

/// What the cluster says of the pod's end, or of why it does not start.
#[must_use]
pub fn words(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let of_pod = joined(status.reason.as_deref(), status.message.as_deref());
    let disrupted = || {
        let target = condition(status, "DisruptionTarget")?;
        joined(target.reason.as_deref(), target.message.as_deref())
    };
    let ended = || {
        containers(status)
            .find_map(|it| Some(format!("{}: {}", it.label, of_terminated(failure_of(it.status)?))))
    };
    let hindered = || hindrance(status).filter(|_| !has_started(status)).map(|it| it.words);
    // The kubelet's last word on a pod that it ends puts containers back to where they never got beyond.
    let under_way = || progress(status).filter(|_| pod.metadata.deletion_timestamp.is_none());
    of_pod.or_else(disrupted).or_else(hindered).or_else(ended).or_else(under_way)
}

/// Of what was said before and what is said now, what tells more: a pull that waits for its next try may leave out why the
/// last one failed.
#[must_use]
pub fn more_telling(before: Option<String>, now: Option<String>) -> Option<String> {
    const TRIES: [&str; 3] = ["ErrImagePull", "RegistryUnavailable", "SignatureValidationFailed"];
    let told = |container: &str| {
        let cause = before.as_ref().and_then(|it| it.strip_prefix(container)?.strip_prefix(": "));
        cause.is_some_and(|cause| TRIES.iter().any(|it| cause.starts_with(it)))
    };
    match now.as_ref().and_then(|it| it.split_once(": ImagePullBackOff: ")) {
        Some((container, message)) if pull::hides_its_cause(message) && told(container) => before,
        _ => now.or(before),
    }
}

pub(super) fn joined(reason: Option<&str>, message: Option<&str>) -> Option<String> {
    match (reason.filter(|it| !it.is_empty()), message.filter(|it| !it.is_empty())) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
        (only, None) | (None, only) => only.map(str::to_owned),
    }
}

/// Why a container waits. Of one that crashes again and again, its last end says more than the pause.
pub(super) fn of_waiting(waiting: &ContainerStateWaiting, container: &ContainerStatus) -> Option<String> {
    let last = container.last_state.as_ref().and_then(|it| it.terminated.as_ref());
    let crashed = last.filter(|_| waiting.reason.as_deref() == Some("CrashLoopBackOff")).map(of_terminated);
    joined(waiting.reason.as_deref(), crashed.as_deref().or(waiting.message.as_deref()))
}

/// How a container ended. Its own message is not the cluster's, and may hold anything; the runtime's is told.
pub(super) fn of_terminated(terminated: &ContainerStateTerminated) -> String {
    let code = format!("exited with {}", terminated.exit_code);
    match terminated.reason.as_deref() {
        None | Some("" | "Error" | "Completed") => code,
        reason if cannot_run(terminated) => joined(reason, terminated.message.as_deref()).unwrap_or(code),
        Some(reason) => format!("{reason}: {code}"),
    }
}

/// Whether the pod is past its start, so that a container that waits is no hindrance.
fn has_started(status: &PodStatus) -> bool {
    let runner = super::runner(status).and_then(|it| it.state.as_ref());
    runner.is_some_and(|it| it.running.is_some() || it.terminated.is_some())
}

/// How far a pod is that nothing hinders: the init container that the others wait for, or the first one that waits.
fn progress(status: &PodStatus) -> Option<String> {
    if has_started(status) {
        return None;
    }
    let inits = status.init_container_statuses.iter().flatten();
    let running = inits.rev().find(|it| it.state.as_ref().is_some_and(|it| it.running.is_some()));
    if let Some(init) = running {
        return Some(format!("init container {}: running", init.name));
    }
    containers(status).find_map(|it| {
        let waiting = it.status.state.as_ref()?.waiting.as_ref()?;
        Some(format!("{}: {}", it.label, joined(waiting.reason.as_deref(), waiting.message.as_deref())?))
    })
}

#[cfg(test)]
mod tests;
