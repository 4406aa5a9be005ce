//! The conditions of a `RunnerJob`, and what they tell whoever reads them.

use api::FailureReason;
use api::conditions::{Reason, Type, condition, find};
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
    if let Some(pod) = &memory.pod {
        let message = format!("created pod {}", pod.name);
        return Some(condition(Type::PodCreated, true, Reason::PodCreated, message, generation));
    }
    let (waiting, cause) = memory.waiting.as_ref()?;
    Some(condition(Type::PodCreated, false, words::reason(*waiting), cause, generation))
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
    if let (Some(_), Some(words)) = (outcome.reason, &memory.words) {
        message.push_str(" Kubernetes says: ");
        message.push_str(words);
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
