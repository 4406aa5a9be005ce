//! A job as a successor finds it: the rows of the crash table.

use jiff::Timestamp;

use super::{DeadLetter, Job, Phase, Policy, Settlement, Times};
use crate::effect::{Call, Effect, Kept, Slot, Step, Timer, Write};
use crate::event::{Event, PodView};
use crate::outcome::Outcome;
use crate::waiting::Waiting;

/// The end of a job as a successor finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// W6 says that it is complete.
    Complete(Outcome),
    /// W6 says that it is to be run again.
    AwaitingRerun(Outcome),
    /// It is complete, and GitHub refused this call.
    DeadLetter(Outcome, Kept),
}

/// What the cluster holds of a job whose controller is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// What the `RunnerJob` says of its times.
    pub times: Times,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
    /// Whether W4 named the pod's uid.
    pub pod_named: bool,
    /// Whether a node rejected the first pod, and the status says so. That one is not `pod_named`.
    pub rejected: bool,
    /// Whether `pod` is that one.
    pub pod_is_rejected: bool,
    /// Whether W5 was done.
    pub running_written: bool,
    /// End of the lock as W4 wrote it.
    pub locked_until: Option<Timestamp>,
    /// Whether the payload Secret is there: the claim.
    pub payload_stored: bool,
    /// The pod that the `RunnerJob` owns.
    pub pod: Option<PodView>,
    /// What its status says that it waits for, where it names no pod.
    pub waiting: Option<Waiting>,
    /// Whether somebody deleted the `RunnerJob`.
    pub deletion_requested: bool,
}

impl Job {
    /// Takes a job up where its predecessor left it.
    #[must_use]
    pub fn recover(policy: Policy, seed: u64, found: Recovered, now: Timestamp) -> (Self, Vec<Effect>) {
        let mut job = Self::offered(policy, seed, now);
        job.times = found.times;
        job.running_written = found.running_written;
        job.placing_found(found.waiting);
        job.rejected = found.rejected;
        if let Some(ended) = found.ended {
            job.deletion_requested = found.deletion_requested;
            let effects = job.settle_rest(ended, found.pod.is_some_and(|it| it.held));
            return (job, effects);
        }
        let mut effects = vec![Effect::Slot(Slot::Take)];
        effects.extend(match found.pod {
            Some(_) if found.pod_is_rejected => job.found_rejected_pod(found.locked_until, now), // C13
            Some(pod) => job.found_pod(pod, found.pod_named, found.locked_until, now),           // C5 to C8
            None if found.pod_named => job.found_no_pod(now),                                    // C12
            None if found.payload_stored => job.found_payload(found.locked_until, now),          // C4, C13
            None => job.found_intent(),                                                          // C2, C3
        });
        if found.deletion_requested {
            effects.extend(job.handle(Event::DeletionRequested, now));
        }
        (job, effects)
    }

    /// C9 to C11: what is left of cleaning up, and of completing.
    fn settle_rest(&mut self, ended: Ended, pod_held: bool) -> Vec<Effect> {
        let clean_up = [Step::DeletePayload, Step::ReplaceAgent, Step::ReleasePod];
        let clean_up = clean_up.into_iter().filter(|_| pod_held);
        let (outcome, settlement) = match ended {
            Ended::Complete(outcome) => (outcome, Settlement::of(clean_up)),
            Ended::AwaitingRerun(outcome) => {
                let rerun = (!self.deletion_requested).then_some(Step::RerunFailedJobs);
                (outcome, Settlement::of(clean_up.chain(rerun).chain([Step::PatchComplete])))
            }
            Ended::DeadLetter(outcome, call) => {
                let letter = DeadLetter { call, verdict: None };
                (outcome, Settlement::of(clean_up).with(letter))
            }
        };
        self.phase = Phase::Finished(outcome, settlement);
        self.go_on()
    }

    fn found_pod(
        &mut self,
        pod: PodView,
        named: bool,
        locked_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<Effect> {
        let mut effects = vec![self.reclaim(locked_until, now)];
        self.placed();
        self.times.pod_created = Some(pod.created);
        self.phase = Phase::Starting;
        if !named {
            effects.push(Effect::Write(Write::PatchAcquired));
        }
        effects.push(Effect::Wake(Timer::Pending, self.pending_deadline(pod.created)));
        effects.extend(self.look_at_pod(pod, now));
        effects
    }

    fn found_rejected_pod(&mut self, locked_until: Option<Timestamp>, now: Timestamp) -> Vec<Effect> {
        let renew = self.reclaim(locked_until, now);
        let overdue = Effect::Wake(Timer::Pending, self.pending_deadline(now));
        [renew, overdue].into_iter().chain(self.remove_rejected_pod()).collect()
    }

    fn found_no_pod(&mut self, now: Timestamp) -> Vec<Effect> {
        self.placed();
        self.phase = Phase::Starting;
        self.pod_gone(now)
    }

    fn found_payload(&mut self, locked_until: Option<Timestamp>, now: Timestamp) -> Vec<Effect> {
        let renew = self.reclaim(locked_until, now);
        let mut effects = self.create_pod();
        effects.push(renew);
        effects.extend(self.placing_timers(now));
        effects
    }

    fn found_intent(&mut self) -> Vec<Effect> {
        self.enter(Phase::Acquiring { attempt: 1, doubtful: true }, [Effect::Call(Call::AcquireJob)])
    }

    /// The claim is ours still. Without W4 its lock is of unknown age: it counts from now, and X2 tells.
    fn reclaim(&mut self, locked_until: Option<Timestamp>, now: Timestamp) -> Effect {
        self.times.acquired.get_or_insert(now);
        self.lock.taken(locked_until.unwrap_or(now))
    }
}
