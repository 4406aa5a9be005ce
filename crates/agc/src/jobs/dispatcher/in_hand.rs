//! What the dispatcher keeps of one job beside its machine.

use std::sync::Arc;

use api::runner_job::JobIdentity;
use job::{Fact, Job, Phase};

use crate::jobs::acquired::AcquiredJob;
use crate::jobs::executor::JobWriter;
use crate::jobs::offer::Offer;
use crate::jobs::snapshot::{JobSnapshot, PodFacts};
use crate::report::{JobFields, JobTrace, Reporter, Subject};
use crate::runner_group::group::Group;

/// One job in hand.
pub(super) struct JobInHand {
    pub(super) job: Job,
    pub(super) offer: Arc<Offer>,
    pub(super) acquired: Option<Arc<AcquiredJob>>,
    pub(super) identity: Option<JobIdentity>,
    /// The `RunnerJob`'s uid.
    pub(super) uid: Option<String>,
    pub(super) pod: Option<PodFacts>,
    /// The pod that a node rejected before that one.
    pub(super) rejected_pod: Option<PodFacts>,
    /// What the cluster said of its pod last, for people.
    pub(super) cluster_words: Option<String>,
    pub(super) writer: JobWriter,
    pub(super) priority_class: Option<String>,
    /// Its pod has been seen to stand.
    pub(super) stands: bool,
    /// Jobs of the group when this one was admitted.
    active: u32,
    pub(super) trace: JobTrace,
}

impl JobInHand {
    pub(super) fn new(
        job: Job,
        offer: Offer,
        priority_class: Option<String>,
        active: u32,
        writer: JobWriter,
    ) -> Self {
        Self {
            job,
            offer: Arc::new(offer),
            acquired: None,
            identity: None,
            uid: None,
            pod: None,
            rejected_pod: None,
            cluster_words: None,
            writer,
            priority_class,
            stands: false,
            active,
            trace: JobTrace::default(),
        }
    }

    /// The job has a name from here on, and a trace.
    pub(super) fn claimed(&mut self, claim: &Arc<AcquiredJob>, reporter: &Reporter) {
        self.acquired = Some(claim.clone());
        self.identity = Some(claim.identity());
        // With this one the group stands at its bound, if it has one.
        let limit = self.offer.spec.as_ref().and_then(|it| it.ceiling.limit());
        let held = limit.is_some_and(|it| self.active + 1 >= it);
        let class = self.priority_class.as_deref();
        self.trace = reporter.trace(&self.offer.group, claim, self.active, held, class);
    }

    /// Its pod is built from what the group asks for when it is built, so that a template that is mended mends the jobs that
    /// wait.
    pub(super) fn follow(&mut self, group: &Arc<Group>) {
        if self.pod.is_none() {
            self.offer = Arc::new(Offer { spec: Some(group.clone()), ..Offer::clone(&self.offer) });
        }
    }

    /// The Secret holds the message from here on, and what was said of it is history.
    pub(super) fn payload_stored(&mut self) {
        self.cluster_words = None;
        self.acquired = self.acquired.take().map(|it| Arc::new(it.stored()));
    }

    /// What the executor needs to know at this moment.
    pub(super) fn snapshot(&self) -> JobSnapshot {
        JobSnapshot {
            offer: self.offer.clone(),
            acquired: self.acquired.clone(),
            identity: self.identity.clone(),
            priority_class: self.priority_class.clone(),
            times: *self.job.times(),
            phase: self.job.summary(),
            outcome: self.job.outcome().cloned(),
            dead_letter: self.job.dead_letter(),
            locked_until: self.job.locked_until(),
            pod: self.pod.clone(),
            waiting: self.job.waiting(),
            payload_stored: self.job.payload_stored(),
            rejected_pod: self.rejected_pod.clone(),
            cluster_words: self.cluster_words.clone(),
            is_hindered: self.job.is_hindered(),
            span: self.trace.root(),
        }
    }

    /// While its pod is replaced, the pod that there is is the one that was rejected.
    pub(super) fn note_rejection(&mut self) {
        if *self.job.phase() == Phase::Replacing && self.rejected_pod.is_none() {
            self.rejected_pod = self.pod.clone();
        }
    }

    /// What a line about it is found by.
    pub(super) fn line(&self) -> JobFields<'_> {
        JobFields {
            runner_group: &self.offer.group.name,
            runner_job: self.offer.name.as_str(),
            identity: self.identity.as_ref(),
        }
    }

    pub(super) fn report(&mut self, fact: &Fact, reporter: &Reporter) {
        let subject = Subject {
            name: &self.offer.name,
            uid: self.uid.as_deref(),
            group: &self.offer.group,
            identity: self.identity.as_ref(),
            pod: self.pod.as_ref(),
            words: self.cluster_words.as_deref(),
            trace: &mut self.trace,
        };
        reporter.fact(subject, fact);
    }
}
