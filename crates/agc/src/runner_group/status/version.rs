//! What the status says of the group's runner version. Pure.

use api::conditions::Reason;
use api::runner_group::RunnerVersion;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Said;
use crate::runner_group::state::GroupState;
use crate::versions::VersionFacts;

/// GitHub's refusal stands before any date.
pub(super) fn too_old(facts: &GroupState) -> Said {
    let version = facts.runner_version.as_ref();
    if let Some(words) = &facts.version_too_old {
        let remedy = version.map(|it| format!("; {}", it.remedy())).unwrap_or_default();
        return (true, Reason::VersionTooOld, format!("GitHub refuses the runner version: {words}{remedy}"));
    }
    match version.and_then(VersionFacts::ending) {
        Some(words) => (true, Reason::VersionEnding, words),
        None => (false, Reason::VersionAccepted, String::new()),
    }
}

/// Nothing is said before a worker has told its version.
pub(super) fn mismatch(facts: &GroupState) -> Option<Said> {
    let version = facts.runner_version.as_ref()?;
    let worker = version.worker.as_ref()?;
    Some(match version.difference() {
        Some(words) => (true, Reason::VersionDiffers, words),
        None => (false, Reason::VersionAccepted, format!("the last worker ran {worker}, as configured")),
    })
}

/// What a later controller of the group takes up again.
pub(super) fn written(facts: &VersionFacts) -> RunnerVersion {
    RunnerVersion {
        reported: facts.reported.clone(),
        configured: facts.configured.clone(),
        image: facts.image.clone(),
        configured_at: Time(facts.configured_at),
        worker: facts.worker.clone(),
        ends_at: facts.ends_at.map(Time),
    }
}
