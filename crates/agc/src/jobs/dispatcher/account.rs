//! Whether a group takes one more job: who holds a slot, what quotas leave, what the API server says of the group's pod,
//! how eager to be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use admission::breaker::Breaker;
use admission::{Need, Object, Question, Quota, Verdict, Worker, admit};
use job::Phase;
use job::effect::Slot;
use job::listeners::Intake;
use job::naming::RunnerJobName;
use runtime::backoff::{Backoff, Failures};
use tokio::time::Instant;

use super::in_hand::JobInHand;
use crate::dry_run::{Answer, Asked};
use crate::runner_group::group::Group;

/// How long a group holds back after claims that GitHub refused with 404, 409 or 422 (protocol §5.2).
const REFUSED_CLAIMS: Backoff =
    Backoff::Throttle { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

/// What is known of all groups.
#[derive(Debug, Default)]
pub(super) struct Admission {
    groups: HashMap<String, Account>,
    quotas: Vec<Quota>,
    pub(super) draining: bool,
}

/// What is known of one group.
#[derive(Debug, Default)]
struct Account {
    slots: u32,
    throttle: Option<(Failures, Instant)>,
    /// What the API server said of its pod last.
    asked: Option<Arc<Asked>>,
    /// The dry run found no room in a quota, and nothing has been heard of the quotas since.
    exceeded: bool,
    breaker: Breaker<RunnerJobName>,
}

impl Admission {
    /// Jobs of the group that hold a slot.
    pub(super) fn active(&self, group: &str) -> u32 {
        self.groups.get(group).map_or(0, |it| it.slots)
    }

    /// Does what a job's machine says of its group's account.
    pub(super) fn change(&mut self, group: &str, change: Slot, now: Instant, seed: u64) {
        let account = self.account(group);
        match change {
            Slot::Take => account.slots += 1,
            Slot::GiveBack => account.slots = account.slots.saturating_sub(1),
            Slot::Throttle => account.claim_refused(now, seed),
            Slot::Unthrottle => account.throttle = None,
            Slot::Break => {}
        }
    }

    /// The API server refused the pod of a claimed job with these words.
    pub(super) fn pod_refused(&mut self, group: &str, words: String) {
        let account = self.account(group);
        let revision = account.asked.as_ref().map_or(0, |it| it.revision);
        account.breaker.refused(words, revision);
    }

    /// A pod of the group stands. Whether jobs waited for that.
    pub(super) fn pod_placed(&mut self, group: &str) -> bool {
        self.account(group).breaker.placed()
    }

    /// This job goes first, if one has to.
    pub(super) fn goes_first(&mut self, group: &str, job: &RunnerJobName) {
        self.account(group).breaker.went(job.clone());
    }

    /// This job is over.
    pub(super) fn over(&mut self, group: &str, job: &RunnerJobName) {
        if let Some(account) = self.groups.get_mut(group) {
            account.breaker.over(job);
        }
    }

    /// There is an answer about the group's pod. Whether a job that waits may try its own again.
    pub(super) fn asked(&mut self, asked: Arc<Asked>) -> bool {
        let account = self.account(&asked.group.id.name);
        account.exceeded = matches!(asked.answer, Answer::QuotaExceeded(_));
        let passed = asked.answer == Answer::Accepted;
        if passed {
            account.breaker.passed(asked.revision);
        }
        account.asked = Some(asked);
        passed && account.breaker.lets_one_go()
    }

    /// The quotas are as this now.
    pub(super) fn quotas(&mut self, quotas: Vec<Quota>) {
        self.quotas = quotas;
        self.groups.values_mut().for_each(|it| it.exceeded = false);
    }

    /// The group is gone; its jobs may not be.
    pub(super) fn forget(&mut self, group: &str) {
        if let Some(account) = self.groups.get_mut(group) {
            *account = Account { slots: account.slots, ..Account::default() };
        }
    }

    /// Whether GitHub refused claims of the group a moment ago.
    pub(super) fn is_throttled(&self, group: &str, now: Instant) -> bool {
        let throttle = self.groups.get(group).and_then(|it| it.throttle.as_ref());
        throttle.is_some_and(|(_, until)| now < *until)
    }

    /// May one more job of this group be claimed? `throttled` is said of one offer, and holds no session.
    pub(super) fn admit<'a>(
        &self,
        group: &Group,
        throttled: bool,
        jobs: impl Iterator<Item = &'a JobInHand>,
    ) -> Verdict {
        let nothing = Account::default();
        let account = self.groups.get(&group.id.name).unwrap_or(&nothing);
        // Without quotas nothing is reserved: in a burst every job asks, and there may be a thousand.
        let reserved: Vec<Need<'_>> = match self.quotas.is_empty() {
            true => Vec::new(),
            false => jobs.filter_map(|it| self.need(it)).collect(),
        };
        admit(&Question {
            draining: self.draining || group.id.deleting,
            worker: account.worker(group),
            throttled,
            ceiling: &group.ceiling,
            active: account.slots,
            reserved: &reserved,
            quotas: &self.quotas,
        })
    }

    /// What sessions of a group with this verdict do. While only the breaker holds it, they stay: it may be a moment's trouble.
    pub(super) fn intake(&self, group: &Group, verdict: &Verdict) -> Intake {
        let refused = || {
            let account = self.groups.get(&group.id.name)?;
            Some(matches!(account.asked_about(group)?.answer, Answer::Refused(_)))
        };
        match verdict {
            Verdict::Admitted { .. } => Intake::Open,
            Verdict::Refused { .. } if refused() == Some(true) => Intake::Closed,
            _ => Intake::Held,
        }
    }

    /// What is known of whether the API server takes the group's pods.
    pub(super) fn workers_admitted(&self, group: &Group) -> Option<Answer> {
        let account = self.groups.get(&group.id.name)?;
        if let Some(words) = account.breaker.refusal() {
            return Some(Answer::Refused(words.to_owned()));
        }
        Some(account.asked_about(group)?.answer.clone())
    }

    /// What a job takes that no quota counts yet.
    fn need<'a>(&'a self, job: &'a JobInHand) -> Option<Need<'a>> {
        let from = match job.job.phase() {
            Phase::Offered | Phase::Recording => Object::RunnerJob,
            Phase::Acquiring { .. } | Phase::Verifying { .. } | Phase::Storing { .. } => {
                Object::PayloadSecret
            }
            Phase::Creating { .. } => Object::Pod,
            Phase::Starting => Object::Claims,
            _ => return None,
        };
        let asked = self.groups.get(&job.offer.group.name)?.asked.as_ref()?;
        let class = job.priority_class.as_deref();
        let demand = asked.demands.get(&job.priority_class).or_else(|| asked.demands.values().next())?;
        Some(Need { demand, priority_class: class, from })
    }

    fn account(&mut self, group: &str) -> &mut Account {
        self.groups.entry(group.to_owned()).or_default()
    }
}

impl Account {
    /// What was said of the group as it is now. An edit has to be asked about anew.
    fn asked_about(&self, group: &Group) -> Option<&Asked> {
        self.asked.as_deref().filter(|it| it.group.id.is_same_spec(&group.id))
    }

    fn worker(&self, group: &Group) -> Worker<'_> {
        let class = group.ceiling.priority_class(self.slots).map(str::to_owned);
        let asked = self.asked_about(group).and_then(|it| Some((it, it.demands.get(&class)?)));
        let Some((asked, demand)) = asked else { return Worker::Unasked };
        if let Some(words) = self.breaker.holds() {
            return Worker::Refused(words);
        }
        match &asked.answer {
            Answer::Refused(words) => Worker::Refused(words),
            Answer::QuotaExceeded(words) if self.exceeded => Worker::Exceeded(demand, words),
            // A quota is judged by its numbers, which are newer.
            Answer::Accepted | Answer::QuotaExceeded(_) | Answer::Unsupported(_) | Answer::Unknown(_) => {
                Worker::Accepted(demand)
            }
        }
    }

    /// GitHub refused a claim: the group holds back longer each time.
    fn claim_refused(&mut self, now: Instant, seed: u64) {
        let (refusals, until) =
            self.throttle.get_or_insert_with(|| (Failures::new(REFUSED_CLAIMS, seed), now));
        *until = now + refusals.fail();
    }
}
