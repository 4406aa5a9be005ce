//! The conditions of a `RunnerJob`, and what they tell whoever reads them.

use api::FailureReason;
use api::conditions::{Reason, Type, condition, find};
use job::{Ended, Kept, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Memory, refused};

/// All that the memory asks for.
pub(super) fn all(memory: &Memory, generation: Option<i64>) -> Vec<Condition> {
    let letter = dead_letter(memory, generation);
    [acquired(memory, generation), complete(memory, generation)].into_iter().chain(letter).collect()
}

fn acquired(memory: &Memory, generation: Option<i64>) -> Condition {
    if memory.identity.is_some() {
        return condition(Type::Acquired, true, Reason::Acquired, "the job's payload is stored", generation);
    }
    let (reason, message) = match memory.ended {
        Some(_) => (Reason::ClaimLost, "GitHub granted the claim and its answer was lost"),
        None => (Reason::Acquiring, "the job is being acquired"),
    };
    condition(Type::Acquired, false, reason, message, generation)
}

fn complete(memory: &Memory, generation: Option<i64>) -> Condition {
    let Some(outcome) = memory.outcome() else {
        return condition(Type::Complete, false, Reason::Running, "", generation);
    };
    let say = |it: FailureReason| format!("{}: {} {}", it.as_str(), it.meaning(), it.remedy());
    let message = outcome.reason.map_or_else(String::new, say);
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
