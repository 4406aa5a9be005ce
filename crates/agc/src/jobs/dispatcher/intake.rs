//! Whether groups take jobs: what dry runs and refused pods come to, what sessions are told, and what is said about it.

use std::sync::Arc;

use admission::Verdict;
use job::naming::RunnerJobName;
use job::{Event, Phase};

use super::Dispatcher;
use super::in_hand::JobInHand;
use crate::agents;
use crate::dry_run::Asked;
use crate::jobs::offer::Offer;
use crate::runner_group::group::Group;
use crate::runner_group::state::Withheld;

impl Dispatcher {
    /// What the API server says of a group's pods.
    pub(super) fn dry_run(&mut self, asked: Arc<Asked>) {
        let group = asked.group.id.name.clone();
        if self.admission.asked(asked) {
            self.let_one_go(&group);
        }
        self.hold_or_let_listen(&group);
    }

    /// The job that waits longest for its pod to be taken tries again.
    fn let_one_go(&mut self, group: &str) {
        let waiting = self.waiting(group);
        if let Some(first) = waiting.first() {
            self.admission.goes_first(group, first);
            self.event(first, Event::PodsAdmitted);
        }
    }

    /// The jobs of a group whose pods were refused, the longest claimed first.
    fn waiting(&self, group: &str) -> Vec<RunnerJobName> {
        let held = |it: &JobInHand| matches!(it.job.phase(), Phase::Creating { held: true, .. });
        let of_group = |it: &&JobInHand| it.offer.group.name == group && held(it);
        let mut waiting: Vec<&JobInHand> = self.jobs.values().filter(of_group).collect();
        waiting.sort_by_key(|it| it.job.times().acquired);
        waiting.into_iter().map(|it| it.offer.name.clone()).collect()
    }

    /// A pod was refused after its job was claimed.
    pub(super) fn pod_refused(&mut self, group: &str, words: String) {
        self.admission.pod_refused(group, words);
        self.refusals.send_modify(|it| *it.entry(group.to_owned()).or_default() += 1);
    }

    /// A pod of the group stands: whoever waits for that goes on.
    pub(super) fn pod_placed(&mut self, group: &str) {
        if self.admission.pod_placed(group) {
            self.refusals.send_if_modified(|it| it.remove(group).is_some());
            for name in self.waiting(group) {
                self.event(&name, Event::PodsAdmitted);
            }
            self.hold_or_let_listen(group);
        }
    }

    /// While every offer would be left alone, the group's sessions say so to GitHub, which then offers the job to
    /// somebody else (protocol §4.3); while the API server refuses its pods, nobody listens.
    pub(super) fn hold_or_let_listen(&mut self, name: &str) {
        let Some((group, _)) = self.groups.get(name) else { return };
        let group = group.clone();
        let verdict = self.admission.admit(&group, false, self.jobs.values());
        self.note_withheld(&group, &verdict);
        let intake = self.admission.intake(&group, &verdict);
        if self.intakes.insert(name.to_owned(), intake) != Some(intake) {
            self.tell_pool(name, agents::Message::Intake(intake));
        }
        let admitted = self.admission.workers_admitted(&group);
        let withheld = self.withheld.get(name).cloned();
        self.states.update(name, |it| {
            it.workers_admitted = admitted;
            it.withheld = withheld;
        });
    }

    /// What one group's job does not need any more another group's may have. Nothing else says so: a quota counts what there is,
    /// and not what was about to be.
    pub(super) fn look_again_at_quotas(&mut self, but: &str) {
        let short = self.withheld.iter().filter(|(name, it)| it.reason == "quota" && *name != but);
        let short: Vec<String> = short.map(|(name, _)| name.clone()).collect();
        short.iter().for_each(|it| self.hold_or_let_listen(it));
    }

    /// One reason lasts until another takes its place, or there is none; its numbers may move.
    fn note_withheld(&mut self, group: &Group, verdict: &Verdict) {
        let name = &group.id.name;
        if verdict.is_admitted() || *verdict == Verdict::Draining {
            if self.withheld.remove(name).is_some() {
                self.reporter.listens_again(&group.id);
            }
            return;
        }
        let (reason, detail) = (verdict.as_str(), verdict.to_string());
        match self.withheld.get_mut(name).filter(|it| it.reason == reason) {
            Some(withheld) => withheld.detail = detail,
            None => {
                self.reporter.withheld(&group.id, verdict);
                let withheld = Withheld { reason, detail, count: 0, since: self.clock.now() };
                self.withheld.insert(name.clone(), withheld);
            }
        }
    }

    /// The job stays queued at GitHub.
    pub(super) fn decline(&mut self, offer: &Offer, group: &Group) {
        self.release(offer);
        if let Some(withheld) = self.withheld.get_mut(&group.id.name) {
            withheld.count += 1;
            let withheld = withheld.clone();
            self.states.update(&group.id.name, |it| it.withheld = Some(withheld));
        }
    }
}
