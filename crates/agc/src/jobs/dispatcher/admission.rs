//! Who holds a slot, what quotas leave, and how eager to be.

use std::collections::HashMap;
use std::time::Duration;

use admission::capacity::{Amounts, Question, Quota, Verdict, admit};
use admission::quota::QuotaFacts;
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
    pub(super) quotas: Vec<QuotaFacts>,
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
        let mut reserved = Amounts::new();
        // A job whose pod exists is counted by the quota itself.
        for job in jobs.filter(|it| it.job.outcome().is_none() && it.pod.is_none()) {
            for (resource, amount) in job.offer.spec.iter().flat_map(|it| &it.demand) {
                *reserved.entry(resource.clone()).or_default() += amount;
            }
        }
        let template = &group.template;
        let deadline = template.lifetime_seconds.is_some()
            || template.pod.spec.as_ref().is_some_and(|it| it.active_deadline_seconds.is_some());
        let quotas: Vec<Quota> =
            self.quotas.iter().filter(|it| it.counts(deadline)).map(|it| it.quota.clone()).collect();
        admit(&Question {
            ceiling: &group.ceiling,
            active: self.active(&group.id.name),
            demand: &group.demand,
            reserved: &reserved,
            quotas: &quotas,
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
