//! Who holds a slot, what quotas leave, and how eager to be.

use std::collections::HashMap;
use std::time::Duration;

use admission::{Need, Object, Question, Quota, Verdict, Worker, admit};
use job::Phase;
use job::effect::Slot;
use runtime::backoff::{Backoff, Failures};
use tokio::time::Instant;

use super::in_hand::JobInHand;
use crate::runner_group::group::Group;

/// How long a group holds back after claims that GitHub refused with 404, 409 or 422 (protocol §5.2).
const REFUSED_CLAIMS: Backoff =
    Backoff::Throttle { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

/// Counts of all groups.
#[derive(Debug, Default)]
pub(super) struct Admission {
    slots: HashMap<String, u32>,
    throttles: HashMap<String, (Failures, Instant)>,
    pub(super) quotas: Vec<Quota>,
}

impl Admission {
    pub(super) fn active(&self, group: &str) -> u32 {
        self.slots.get(group).copied().unwrap_or_default()
    }

    /// Does what a job's machine says of its group's account.
    pub(super) fn change(&mut self, group: &str, change: Slot, now: Instant, seed: u64) {
        match change {
            Slot::Take => *self.slots.entry(group.to_owned()).or_default() += 1,
            Slot::GiveBack => {
                if let Some(slots) = self.slots.get_mut(group) {
                    *slots = slots.saturating_sub(1);
                }
            }
            Slot::Throttle => self.refused(group, now, seed),
            Slot::Unthrottle => drop(self.throttles.remove(group)),
        }
    }

    /// May one more job of this group be claimed?
    pub(super) fn admit<'a>(&self, group: &Group, jobs: impl Iterator<Item = &'a JobInHand>) -> Verdict {
        let reserved: Vec<Need<'_>> = jobs.filter_map(still_needs).collect();
        admit(&Question {
            draining: false,
            worker: Worker::Accepted,
            throttled: false,
            ceiling: &group.ceiling,
            active: self.active(&group.id.name),
            demand: &group.demand,
            reserved: &reserved,
            quotas: &self.quotas,
        })
    }

    /// GitHub refused a claim: the group holds back longer each time.
    fn refused(&mut self, group: &str, now: Instant, seed: u64) {
        let (refusals, until) = self
            .throttles
            .entry(group.to_owned())
            .or_insert_with(|| (Failures::new(REFUSED_CLAIMS, seed), now));
        *until = now + refusals.fail();
    }

    pub(super) fn is_throttled(&self, group: &str, now: Instant) -> bool {
        self.throttles.get(group).is_some_and(|(_, until)| now < *until)
    }
}

/// What a job in hand takes that no quota counts yet.
fn still_needs(job: &JobInHand) -> Option<Need<'_>> {
    let spec = job.offer.spec.as_deref().filter(|_| job.job.outcome().is_none())?;
    let from = match (&job.pod, job.job.phase()) {
        // A pod is bound to a node only when its volume claims exist.
        (Some(pod), _) if pod.node.is_some() => return None,
        (Some(_), _) => Object::Claims,
        (None, Phase::Offered | Phase::Recording) => Object::RunnerJob,
        (None, Phase::Acquiring { .. } | Phase::Verifying { .. } | Phase::Storing { .. }) => {
            Object::PayloadSecret
        }
        (None, _) => Object::Pod,
    };
    Some(Need { demand: &spec.demand, priority_class: job.priority_class.as_deref(), from })
}
