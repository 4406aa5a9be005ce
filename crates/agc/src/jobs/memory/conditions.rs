//! The conditions of a `RunnerJob`, and what they tell whoever reads them.

use api::FailureReason;
use api::conditions::{Reason, Type, condition, find};
use api::runner_job::JobResult;
use job::{Ended, Kept, Verdict, Waiting};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use strum::IntoEnumIterator as _;

use super::{Memory, refused};
use crate::jobs::words;

/// What condition `Acquired` says once the payload Secret is there.
const STORED: &str = "the job's payload is stored";
const NOT_STORED: &str = "the job's payload is not stored";

/// All that the memory asks for.
pub(super) fn all(memory: &Memory, generation: Option<i64>) -> Vec<Condition> {
    let letter = dead_letter(memory, generation);
    let rest = [complete(memory, generation)].into_iter().chain(letter);
    [acquired(memory, generation)].into_iter().chain(pod_created(memory, generation)).chain(rest).collect()
}

fn acquired(memory: &Memory, generation: Option<i64>) -> Condition {
    if memory.identity.is_some() {
        let message = if memory.payload_stored { STORED } else { NOT_STORED };
        return condition(Type::Acquired, true, Reason::Acquired, message, generation);
    }
    let (reason, message) = match memory.ended {
        Some(_) => (Reason::ClaimLost, "GitHub granted the claim and its answer was lost"),
        None => (Reason::Acquiring, "the job is being acquired"),
    };
    condition(Type::Acquired, false, reason, message, generation)
}

/// Whether the payload was stored, as condition `Acquired` says.
pub(super) fn payload_stored(conditions: &[Condition]) -> bool {
    find(conditions, Type::Acquired).is_some_and(|it| it.message == STORED)
}

fn pod_created(memory: &Memory, generation: Option<i64>) -> Option<Condition> {
    let said = || memory.words.clone().unwrap_or_default();
    let message = match (waiting_reason(memory), &memory.waiting, &memory.pod) {
        (Some(_), Some((_, cause)), _) => cause.clone(),
        (Some(_), None, _) => said(),
        (None, _, Some(pod)) => format!("created pod {}", pod.name),
        (None, _, None) => return None,
    };
    let reason = waiting_reason(memory).unwrap_or(Reason::PodCreated);
    let stands = matches!(reason, Reason::PodCreated | Reason::WaitingToStart);
    Some(condition(Type::PodCreated, stands, reason, message, generation))
}

/// What the job waits for, with a pod or without one.
pub(super) fn waiting_reason(memory: &Memory) -> Option<Reason> {
    match &memory.waiting {
        Some((waiting, _)) => Some(words::reason(*waiting)),
        None if memory.pod_is_rejected() => Some(Reason::NodeRejected),
        None => memory.is_hindered.then_some(Reason::WaitingToStart),
    }
}

/// What a job without a pod waits for, and the API server's words for it.
pub(super) fn waiting(conditions: &[Condition]) -> Option<(Waiting, String)> {
    let missing = find(conditions, Type::PodCreated).filter(|it| it.status == "False")?;
    let waiting = Waiting::iter().find(|it| words::reason(*it).as_str() == missing.reason)?;
    Some((waiting, missing.message.clone()))
}

fn complete(memory: &Memory, generation: Option<i64>) -> Condition {
    let Some(outcome) = memory.outcome() else {
        return condition(Type::Complete, false, Reason::Running, "", generation);
    };
    let say = |it: FailureReason| format!("{}: {} {}", it.as_str(), it.meaning(), it.remedy());
    let mut message = outcome.reason.map_or_else(String::new, say);
    if let (JobResult::Failed, Some(_), Some(said)) = (outcome.result, outcome.reason, &memory.words) {
        message.push(' ');
        message.push_str(words::SAYS);
        message.push_str(said);
    }
    match memory.ended {
        Some(Ended::AwaitingRerun(_)) => {
            condition(Type::Complete, false, Reason::AwaitingRerun, message, generation)
        }
        _ => condition(Type::Complete, true, outcome.condition_reason(), message, generation),
    }
}

fn dead_letter(memory: &Memory, generation: Option<i64>) -> Option<Condition> {
    let (status, reason, message) = match (&memory.ended, memory.decided) {
        (Some(Ended::DeadLetter(_, call)), _) => (true, refused(*call), "GitHub refused it for good"),
        (_, Some(Verdict::Retry)) => (false, Reason::Retried, ""),
        (_, Some(Verdict::Discard)) => (false, Reason::Discarded, ""),
        (_, None) => return None,
    };
    Some(condition(Type::DeadLetter, status, reason, message, generation))
}

/// What the cluster said last.
pub(super) fn words(conditions: &[Condition]) -> Option<String> {
    const HAVE_WORDS: [Reason; 2] = [Reason::NodeRejected, Reason::WaitingToStart];
    let of_end = find(conditions, Type::Complete).and_then(|it| words::in_message(&it.message));
    let start = find(conditions, Type::PodCreated);
    let start = start.filter(|it| HAVE_WORDS.map(Reason::as_str).contains(&it.reason.as_str()));
    let of_start = start.map(|it| it.message.as_str()).filter(|it| !it.is_empty());
    of_end.or(of_start).map(str::to_owned)
}

/// Whether something hinders the pod's start.
pub(super) fn is_hindered(conditions: &[Condition]) -> bool {
    find(conditions, Type::PodCreated).is_some_and(|it| it.reason == Reason::WaitingToStart.as_str())
}

/// The call that GitHub refused, if one is kept.
pub(super) fn kept(conditions: &[Condition]) -> Option<Kept> {
    let letter = find(conditions, Type::DeadLetter).filter(|it| it.status == "True")?;
    [Kept::RerunFailedJobs].into_iter().find(|it| refused(*it).as_str() == letter.reason)
}

/// What a person decided about one.
pub(super) fn decided(conditions: &[Condition]) -> Option<Verdict> {
    let letter = find(conditions, Type::DeadLetter).filter(|it| it.status == "False")?;
    match letter.reason.as_str() {
        it if it == Reason::Retried.as_str() => Some(Verdict::Retry),
        it if it == Reason::Discarded.as_str() => Some(Verdict::Discard),
        _ => None,
    }
}
