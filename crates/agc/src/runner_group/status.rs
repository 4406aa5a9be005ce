//! The status of a RunnerGroup: one function of spec, facts and time. Pure.

mod version;

use std::sync::Arc;

use api::RunnerGroup;
use api::conditions::{Reason, Status, Type, condition, is_true, settle};
use api::labels;
use api::runner_group::{Intake, RunnerGroupStatus};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt as _;

use super::validate;
use crate::dry_run::Answer;
use crate::runner_group::state::{GroupState, Trouble, Withheld};

/// As much of a verdict's words as the schema takes.
const DETAIL: usize = 1024;

/// What the group's status should be.
#[must_use]
pub fn status(
    group: &RunnerGroup,
    invalid: Option<&validate::Error>,
    facts: &GroupState,
    unschedulable: Option<String>,
    now: Timestamp,
) -> RunnerGroupStatus {
    let generation = group.metadata.generation;
    let old = group.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default();
    let said = |type_, (status, reason, message): Said| condition(type_, status, reason, message, generation);
    let conditions: [Option<Condition>; 8] = [
        Some(said(Type::Ready, ready(facts, is_true(old, Type::Ready)))),
        Some(said(Type::Degraded, degraded(invalid))),
        Some(said(Type::RateLimited, rate_limited(facts))),
        Some(said(Type::RunnerVersionTooOld, version::too_old(facts))),
        version::mismatch(facts).map(|it| said(Type::RunnerVersionMismatch, it)),
        Some(said(Type::WorkersUnschedulable, schedulable(unschedulable))),
        facts.workers_admitted.as_ref().map(|it| {
            let (status, reason, message) = admitted(it);
            condition(Type::WorkersAdmitted, status, reason, message, generation)
        }),
        Some(said(Type::PossibleReapBlockingSidecar, reap_blocking(facts))),
    ];
    let count = |number: usize| Some(i32::try_from(number).unwrap_or(i32::MAX));
    RunnerGroupStatus {
        conditions: conditions.into_iter().flatten().map(|it| settle(old, it, now)).collect(),
        active_sessions: count(facts.listening),
        active_jobs: count(facts.active_jobs),
        pending_jobs: count(facts.pending_jobs),
        intake: facts.withheld.as_ref().map(withheld),
        runner_version: facts.runner_version.as_ref().map(version::written),
        observed_generation: generation,
    }
}

/// The first worker pod of the group that no node takes, and why.
#[must_use]
pub fn unschedulable(group: &str, pods: &[Arc<Pod>]) -> Option<String> {
    let of_group =
        pods.iter().filter(|it| it.labels().get(labels::RUNNER_GROUP).is_some_and(|it| it == group));
    of_group.into_iter().find_map(|pod| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let placed = conditions.iter().find(|it| it.type_ == "PodScheduled" && it.status == "False")?;
        let why = placed.message.as_deref().unwrap_or_default();
        Some(format!("{}: {why}", pod.name_any()))
    })
}

/// Whether the condition is true, why, and in words.
type Said = (bool, Reason, String);

/// Between a claim and the next listener lies a moment that is no trouble.
fn ready(facts: &GroupState, was_ready: bool) -> Said {
    if let Some(Answer::Refused(words)) = &facts.workers_admitted {
        return (false, Reason::PodRefused, words.clone());
    }
    if facts.listening > 0 {
        return (true, Reason::ListenerActive, "a session listens for jobs".to_owned());
    }
    match &facts.trouble {
        Some(Trouble::LabelsRefused(words)) => (false, Reason::LabelsRefused, words.clone()),
        Some(Trouble::RunnerGroupNotFound(words)) => (false, Reason::RunnerGroupNotFound, words.clone()),
        Some(Trouble::TokenUnavailable(words)) => (false, Reason::TokenUnavailable, words.clone()),
        Some(Trouble::SessionRefused(words) | Trouble::Other(words)) => {
            (false, Reason::NoActiveSessions, words.clone())
        }
        None if facts.is_between && was_ready && facts.version_too_old.is_none() => {
            (true, Reason::ListenerActive, "a session listens for jobs".to_owned())
        }
        None => (false, Reason::NoActiveSessions, nobody_listens(facts)),
    }
}

fn nobody_listens(facts: &GroupState) -> String {
    match &facts.poll_error {
        Some(words) => format!("no session listens for jobs: {words}"),
        None => "no session listens for jobs yet".to_owned(),
    }
}

fn degraded(invalid: Option<&validate::Error>) -> Said {
    match invalid {
        Some(error) => (true, Reason::InvalidSpec, error.to_string()),
        None => (false, Reason::ReconcileSucceeded, String::new()),
    }
}

fn rate_limited(facts: &GroupState) -> Said {
    match facts.rate_limited {
        true => (true, Reason::SustainedRateLimit, "GitHub keeps answering polls with 429".to_owned()),
        false => (false, Reason::PollingHealthy, String::new()),
    }
}

fn schedulable(unschedulable: Option<String>) -> Said {
    match unschedulable {
        Some(words) => (true, Reason::PodsUnschedulable, words),
        None => (false, Reason::WorkersSchedulable, String::new()),
    }
}

fn admitted(answer: &Answer) -> (Status, Reason, &str) {
    match answer {
        Answer::Accepted => (Status::True, Reason::DryRunAccepted, ""),
        Answer::Unsupported(words) => (Status::Unknown, Reason::DryRunUnsupported, words),
        Answer::Unknown(words) => (Status::Unknown, Reason::Unknown, words),
        Answer::QuotaExceeded(words) => (Status::False, Reason::QuotaExceeded, words),
        Answer::Refused(words) => (Status::False, Reason::PodRefused, words),
    }
}

fn withheld(why: &Withheld) -> Intake {
    let count = i32::try_from(why.count).unwrap_or(i32::MAX);
    let detail = why.detail.chars().take(DETAIL).collect();
    let withheld =
        api::runner_group::Withheld { reason: why.reason.to_owned(), detail, count, since: Time(why.since) };
    Intake { withheld: vec![withheld] }
}

fn reap_blocking(facts: &GroupState) -> Said {
    match &facts.outlived_pod {
        Some(words) => (true, Reason::ReapBlockingSidecar, words.clone()),
        None => (false, Reason::NoReapBlockingSidecar, String::new()),
    }
}

#[cfg(test)]
mod tests;
