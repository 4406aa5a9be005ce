//! The status of a `RunnerJob`, computed whole. Pure.

use api::FailureReason;
use api::conditions::{Reason, Type, condition, settle};
use api::runner_job::{JobResult, PodRef, RunnerJobStatus, Times};
use jiff::Timestamp;
use job::Outcome;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::View;

/// What the job's status should be; `old` gives the conditions their transition times.
#[must_use]
pub fn status(
    view: &View,
    old: &RunnerJobStatus,
    generation: Option<i64>,
    now: Timestamp,
) -> RunnerJobStatus {
    let outcome = view.outcome.as_ref();
    let known = view.identity.is_some() || old.job.is_some();
    let conditions = [acquired(view, known, generation), complete(view, generation)];
    RunnerJobStatus {
        phase: Some(view.phase),
        job: view.identity.clone().or_else(|| old.job.clone()),
        pod: view
            .pod
            .as_ref()
            .map(|it| PodRef { name: it.name.clone(), uid: it.uid.clone(), node: it.node.clone() })
            .or_else(|| old.pod.clone()),
        times: times(view),
        locked_until: view.locked_until.map(Time),
        result: outcome.and_then(result),
        failure_reason: outcome.and_then(|it| it.reason).map(|it| it.as_str().to_owned()),
        failure_class: outcome.and_then(Outcome::class),
        exit_code: outcome.and_then(|it| it.exit_code),
        trace_id: view.claim.as_ref().map(|it| it.run.trace_id.clone()).or_else(|| old.trace_id.clone()),
        conditions: conditions.into_iter().map(|it| settle(&old.conditions, it, now)).collect(),
    }
}

fn acquired(view: &View, known: bool, generation: Option<i64>) -> Condition {
    if known {
        return condition(Type::Acquired, true, Reason::Acquired, "the job's payload is stored", generation);
    }
    let lost = view.outcome.is_some();
    let (reason, message) = if lost {
        (Reason::ClaimLost, "GitHub granted the claim and its answer was lost")
    } else {
        (Reason::Acquiring, "the claim is under way")
    };
    condition(Type::Acquired, false, reason, message, generation)
}

fn complete(view: &View, generation: Option<i64>) -> Condition {
    let Some(outcome) = &view.outcome else {
        return condition(Type::Complete, false, Reason::Running, "", generation);
    };
    let say = |it: FailureReason| format!("{}: {} {}", it.as_str(), it.meaning(), it.remedy());
    let message = outcome.reason.map_or_else(String::new, say);
    condition(Type::Complete, true, outcome.condition_reason(), message, generation)
}

/// A duplicate has none: the job's result is the other claim's.
fn result(outcome: &Outcome) -> Option<JobResult> {
    Some(outcome.result).filter(|it| *it != JobResult::Duplicate)
}

fn times(view: &View) -> Times {
    let job::Times { offered, acquired, pod_created, scheduled: _, started, finished } = view.times;
    Times {
        offered: offered.map(Time),
        acquired: acquired.map(Time),
        pod_created: pod_created.map(Time),
        started: started.map(Time),
        finished: finished.map(Time),
    }
}

#[cfg(test)]
pub(super) mod tests;
