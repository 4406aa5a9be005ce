//! May one more job be claimed? One pure question, asked before the claim: what is not claimed stays queued at GitHub.

use std::fmt;

use crate::ceiling::Ceiling;
use crate::demand::{Demand, Need};
use crate::quantity::alike;
use crate::quota::Quota;

/// What is asked and what is there.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whether nothing new is begun: the controller or the group is on its way out.
    pub draining: bool,
    /// Whether the API server takes the group's pod.
    pub worker: Worker<'a>,
    /// Whether the group holds back after claims that GitHub refused.
    pub throttled: bool,
    /// The group's bound.
    pub ceiling: &'a Ceiling,
    /// Jobs of the group that hold a slot.
    pub active: u32,
    /// What jobs of this namespace still need that no quota counts yet.
    pub reserved: &'a [Need<'a>],
    /// The quotas of the namespace.
    pub quotas: &'a [Quota],
}

/// What the API server says of the pod that the group would create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker<'a> {
    /// Nothing yet.
    Unasked,
    /// It takes it, or does not tell before the claim. What one more job takes: its pod in the priority class that the
    /// ceiling gives to the next one.
    Accepted(&'a Demand),
    /// It found no room in a quota, in these words, and nothing has been heard of the quotas since: where their numbers have
    /// room, one of them is not understood here.
    Exceeded(&'a Demand, &'a str),
    /// It refuses it, in these words.
    Refused(&'a str),
}

/// The answer. As a sentence it says what holds jobs back: `20 of 20 workers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Claim it; its pod gets this priority class.
    Admitted {
        /// `None` when the group has no tiers.
        priority_class: Option<String>,
    },
    /// Nothing new is begun.
    Draining,
    /// GitHub refused claims of the group, which holds back for a while.
    Throttled,
    /// The API server refuses the group's pod.
    Refused {
        /// Its words.
        message: String,
    },
    /// The API server has not said yet whether it takes the group's pod.
    Unasked,
    /// The group is full.
    Ceiling {
        /// Jobs that hold a slot.
        active: u32,
        /// The group's bound.
        limit: u32,
    },
    /// A ResourceQuota has no room. Amounts are in thousandths.
    Quota {
        /// The quota's name.
        name: String,
        /// The resource that runs short, as the quota names it.
        resource: String,
        /// What is used, and reserved for jobs in flight.
        used: i128,
        /// What may be used.
        hard: i128,
        /// What the job needs.
        needed: i128,
    },
}

impl Verdict {
    /// The word that stands in the metric of decisions.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Admitted { .. } => "admitted",
            Self::Draining => "draining",
            Self::Throttled => "throttled",
            Self::Refused { .. } => "refused",
            Self::Unasked => "unasked",
            Self::Ceiling { .. } => "ceiling",
            Self::Quota { .. } => "quota",
        }
    }

    /// Whether the job may be claimed.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        matches!(self, Self::Admitted { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted { priority_class: None } => f.write_str("admitted"),
            Self::Admitted { priority_class: Some(class) } => {
                write!(f, "admitted with PriorityClass {class}")
            }
            Self::Draining => f.write_str("no new jobs are acquired: shutting down"),
            Self::Throttled => f.write_str("GitHub refused to assign jobs: the next try waits"),
            Self::Refused { message } => write!(f, "the API server refuses the pod: {message}"),
            Self::Unasked => f.write_str("the API server has not answered the dry run of the pod yet"),
            Self::Ceiling { active, limit } => write!(f, "{active} of {limit} workers"),
            Self::Quota { name, resource, used, hard, needed } => {
                let [used, hard, needed] = alike([*used, *hard, *needed]);
                write!(f, "quota {name}: {resource} {used} of {hard} used, {needed} needed")
            }
        }
    }
}

/// Answers the question. What no waiting for other jobs mends comes first, then what GitHub says, the group's own bound, and
/// every quota.
#[must_use]
pub fn admit(question: &Question<'_>) -> Verdict {
    if question.draining {
        return Verdict::Draining;
    }
    let (demand, exceeded) = match question.worker {
        Worker::Unasked => return Verdict::Unasked,
        Worker::Refused(words) => return refused(words),
        Worker::Accepted(demand) => (demand, None),
        Worker::Exceeded(demand, words) => (demand, Some(words)),
    };
    if question.throttled {
        return Verdict::Throttled;
    }
    let Question { ceiling, active, .. } = *question;
    if let Some(limit) = ceiling.limit().filter(|limit| active >= *limit) {
        return Verdict::Ceiling { active, limit };
    }
    let priority_class = ceiling.priority_class(active);
    let need = Need::whole(demand, priority_class);
    for quota in question.quotas {
        if let Some(short) = quota.short_of(need, question.reserved) {
            let crate::Shortage { resource, used, hard, needed } = short;
            return Verdict::Quota { name: quota.name.clone(), resource, used, hard, needed };
        }
    }
    let admitted = || Verdict::Admitted { priority_class: priority_class.map(str::to_owned) };
    exceeded.map_or_else(admitted, refused)
}

fn refused(words: &str) -> Verdict {
    Verdict::Refused { message: words.to_owned() }
}

#[cfg(test)]
mod tests;
