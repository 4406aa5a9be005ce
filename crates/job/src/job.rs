//! The machine of one job.
//!
//! ```text
//!                                                    ┌─ Replacing ◀─┐
//!                                                    ▼              │
//! Offered ─▶ Recording ─▶ Acquiring ─▶ Storing ─▶ Creating ─▶ Starting ─▶ Running ─▶ Finished ─▶ Settled
//!    │           │         │      ▲       │           │           │                    ▲
//!    └───────────┴─────────┴──────│───────┴───────────┴───────────┴────────────────────┘
//!          Dropped  ◀── Verifying ┘         lost, refused, cancelled                 DeadLetter ◀─┘ ▲
//!                                                                                        └─────────┘
//! ```

use std::time::Duration;

use backoff::Backoff;
use jiff::{SignedDuration, Timestamp};

use crate::effect::{Call, Effect, Kept, NotAcquired, Slot, Step, Timer, Write};
use crate::event::{AgentState, Event, StartFailure};
use crate::outcome::{Disruption, Outcome};
use api::runner_job::{self, JobResult};
use api::{FailureReason, StopReason};

mod claim;
mod lock;
mod placing;
mod pod;
mod recover;
mod replace;
mod settle;
mod start;
mod stop;

use lock::Lock;
use placing::Placing;
pub use recover::{Ended, Recovered};
pub use settle::{DeadLetter, Settlement};
use start::Told;
use stop::Stopping;

/// Pause between tries of what stands between the claim and the pod: short, because the job waits.
const WRITE: Backoff = Backoff::Doubling { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// What a group says of all its jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long a job may wait for its pod to be created, and the pod for its start.
    pub pending_deadline: SignedDuration,
    /// How long a worker may live; `None` for ever.
    pub lifetime: Option<SignedDuration>,
    /// How often a job is tried again whose pod or payload a quota refused.
    pub quota_retries: u32,
    /// The pause before each.
    pub quota_delay: SignedDuration,
    /// Whether GitHub is asked to run a job again whose worker the cluster took.
    pub reruns: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            pending_deadline: SignedDuration::from_mins(10),
            lifetime: Some(SignedDuration::from_hours(12)),
            quota_retries: 5,
            quota_delay: SignedDuration::from_secs(30),
            reruns: false,
        }
    }
}

/// When a job came to where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// The offer arrived.
    pub offered: Option<Timestamp>,
    /// X1 answered.
    pub acquired: Option<Timestamp>,
    /// The pod was made.
    pub pod_created: Option<Timestamp>,
    /// A node was found for it.
    pub scheduled: Option<Timestamp>,
    /// The `runner` container started.
    pub started: Option<Timestamp>,
    /// The job was over.
    pub finished: Option<Timestamp>,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is written, nothing is reserved.
    Offered,
    /// W1 is under way.
    Recording,
    /// X1 is under way, or waits for its next try.
    Acquiring {
        /// This try, from 1.
        attempt: u32,
        /// Whether an earlier try may have been granted.
        doubtful: bool,
    },
    /// X1 was refused, but may have been granted before: R5 will tell.
    Verifying {
        /// Times asked.
        attempt: u32,
        /// Since when.
        since: Timestamp,
    },
    /// Claimed; W2 is under way.
    Storing {
        /// This try, from 1.
        attempt: u32,
    },
    /// Claimed and stored; W3 is under way.
    Creating {
        /// This try, from 1.
        attempt: u32,
        /// The pod was refused, and its next try waits for a dry run that passes.
        held: bool,
    },
    /// The pod exists; its `runner` container has not started.
    Starting,
    /// A node rejected the pod before anything ran; when it is gone the job gets another one.
    Replacing,
    /// The `runner` container runs.
    Running,
    /// Over, with this left to do.
    Finished(Outcome, Settlement),
    /// Over, and written down, but for a call that GitHub refuses.
    DeadLetter(Outcome, Kept),
    /// Over, and written down.
    Settled(Outcome),
    /// Not ours; nothing is left of it.
    Dropped,
}

/// One job, from its offer until nothing is left to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    policy: Policy,
    /// Spreads the pauses of jobs that fail together.
    seed: u64,
    phase: Phase,
    times: Times,
    lock: Lock,
    placing: Placing,
    /// The write or question that waits for its next try.
    retry: Option<Timer>,
    /// Why we end the worker, and how far that is.
    stopping: Option<Stopping>,
    cancelled_by_github: bool,
    deletion_requested: bool,
    /// The pod is gone without a word: something of the job may have run.
    vanished: bool,
    start_failure: Option<(StartFailure, Timestamp)>,
    /// What people were told of its hindrances.
    told: Told,
    /// Whether a node rejected its first pod.
    rejected: bool,
    gone_by: Option<Timestamp>,
    disruption: Option<Disruption>,
    /// Whether the pod's wrapper hears what it is asked.
    listens: bool,
    running_written: bool,
}

impl Job {
    /// A job that GitHub offers.
    #[must_use]
    pub fn offered(policy: Policy, seed: u64, now: Timestamp) -> Self {
        Self {
            policy,
            seed,
            phase: Phase::Offered,
            times: Times { offered: Some(now), ..Times::default() },
            lock: Lock::default(),
            placing: Placing::default(),
            retry: None,
            stopping: None,
            cancelled_by_github: false,
            deletion_requested: false,
            vanished: false,
            start_failure: None,
            told: Told::default(),
            rejected: false,
            gone_by: None,
            disruption: None,
            listens: false,
            running_written: false,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// When it came to where.
    #[must_use]
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// End of the lock, as GitHub last said; `None` before the claim.
    #[must_use]
    pub fn locked_until(&self) -> Option<Timestamp> {
        self.lock.until()
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.phase {
            Phase::Finished(outcome, _) | Phase::DeadLetter(outcome, _) | Phase::Settled(outcome) => {
                Some(outcome)
            }
            _ => None,
        }
    }

    /// The call that GitHub refused, if one was.
    #[must_use]
    pub fn dead_letter(&self) -> Option<DeadLetter> {
        match &self.phase {
            Phase::Finished(_, settlement) => settlement.dead_letter(),
            Phase::DeadLetter(_, call) => Some(DeadLetter { call: *call, verdict: None }),
            _ => None,
        }
    }

    /// Whether nothing is left to do about it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Settled(_) | Phase::Dropped)
    }

    /// Whether it is claimed and not over: its agent is busy.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        matches!(
            self.phase,
            Phase::Storing { .. }
                | Phase::Creating { .. }
                | Phase::Starting
                | Phase::Replacing
                | Phase::Running
        )
    }

    /// Whether its lock is ours to renew: until GitHub has heard how it ended.
    fn holds_lock(&self) -> bool {
        let telling = |it: &Settlement| matches!(it.next(), Some(Step::CompleteJob(_)));
        self.is_claimed() || matches!(&self.phase, Phase::Finished(_, it) if telling(it))
    }

    /// The status's word for where it stands.
    #[must_use]
    pub fn summary(&self) -> runner_job::Phase {
        use runner_job::Phase as Summary;
        match &self.phase {
            Phase::Offered
            | Phase::Recording
            | Phase::Acquiring { .. }
            | Phase::Verifying { .. }
            | Phase::Dropped => Summary::Acquiring,
            Phase::Storing { .. } | Phase::Creating { .. } => Summary::Acquired,
            Phase::Starting | Phase::Replacing => Summary::Starting,
            Phase::Running => Summary::Running,
            Phase::Finished(_, settlement) if settlement.awaits_rerun() => Summary::AwaitingRerun,
            Phase::Finished(outcome, _) | Phase::DeadLetter(outcome, _) | Phase::Settled(outcome) => {
                match outcome.result {
                    JobResult::Succeeded | JobResult::Skipped => Summary::Succeeded,
                    JobResult::Failed => Summary::Failed,
                    JobResult::Cancelled | JobResult::Duplicate => Summary::Cancelled,
                }
            }
        }
    }

    /// Advances the job and says what must be done about it. Does none of it.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        if event == Event::DeletionRequested {
            self.deletion_requested = true;
        }
        match (&self.phase, event) {
            (Phase::Offered, Event::Admitted) => self
                .enter(Phase::Recording, [Effect::Slot(Slot::Take), Effect::Write(Write::CreateRunnerJob)]),

            (Phase::Recording, Event::Recorded) if self.deletion_requested => {
                self.drop_offer(NotAcquired::Failed)
            }
            (Phase::Recording, Event::Recorded) => {
                self.enter(Phase::Acquiring { attempt: 1, doubtful: false }, [Effect::Call(Call::AcquireJob)])
            }
            (Phase::Recording, Event::RecordFailed) => self.drop_offer(NotAcquired::Failed),

            (Phase::Acquiring { .. }, Event::Acquired { locked_until }) => self.acquired(locked_until, now),
            (&Phase::Acquiring { doubtful, .. }, Event::AcquireRefused { doubtful: again }) => {
                match doubtful || again {
                    true => self.verify(now),
                    false => self.drop_offer(NotAcquired::Refused),
                }
            }
            (&Phase::Acquiring { attempt, doubtful }, Event::AcquireFailed { sent })
                if self.retry.is_none() =>
            {
                self.acquire_again(attempt, doubtful || sent, now)
            }
            (Phase::Verifying { .. }, Event::AgentSeen(AgentState::Busy)) => {
                self.finish_without_pod(Outcome::failed(FailureReason::ClaimLost), now)
            }
            (Phase::Verifying { .. }, Event::AgentSeen(AgentState::Free)) => self.not_acquired_after_all(now),
            (&Phase::Verifying { attempt, since }, Event::AgentUnseen) if self.retry.is_none() => {
                self.verify_again(attempt, since, now)
            }

            (Phase::Storing { .. }, Event::PayloadStored) => self.payload_is_stored(now),
            (&Phase::Storing { attempt }, Event::PayloadStoreFailed) if self.is_placing_now() => {
                self.payload_store_failed(attempt, now)
            }
            (Phase::Storing { .. }, Event::PayloadOverQuota) if self.is_placing_now() => {
                self.payload_over_quota(now)
            }
            (Phase::Storing { .. }, Event::PayloadTooLarge) => {
                self.finish_without_pod(Outcome::failed(FailureReason::PayloadTooLarge), now)
            }

            (Phase::Creating { .. }, Event::PodCreated) => self.pod_created(now),
            (Phase::Creating { .. }, Event::PodSeen(view)) => self.pod_adopted(view, now),
            (&Phase::Creating { attempt, .. }, Event::PodCreateFailed) if self.is_placing_now() => {
                self.pod_create_failed(attempt, now)
            }
            (Phase::Creating { .. }, Event::PodRefused(refusal)) if self.is_placing_now() => {
                self.pod_refused(refusal, now)
            }
            (Phase::Creating { held: true, .. }, Event::PodsAdmitted) => self.pods_admitted(),

            (Phase::Starting | Phase::Running, Event::PodSeen(view)) => self.look_at_pod(view, now),
            (Phase::Starting | Phase::Running, Event::PodGone) => self.pod_gone(now),
            (Phase::Replacing, Event::PodGone) => self.create_next_pod(now),

            (_, Event::Cancelled { timeout }) if self.is_claimed() => {
                self.cancelled_by_github = true;
                self.cancel(StopReason::Cancelled, stop::time_to_cancel(timeout), now)
            }
            (_, Event::DeletionRequested) if self.is_claimed() => {
                self.cancel(StopReason::Cancelled, stop::TIME_TO_CANCEL, now)
            }
            (_, Event::DeletionRequested) if self.outcome().is_some() => self.deleted_when_over(),

            (_, Event::Renewed { locked_until }) if self.holds_lock() => self.lock.renewed(locked_until, now),
            (_, Event::RenewFailed) if self.holds_lock() => self.renew_failed(now),
            (_, Event::LockGone) if self.holds_lock() => self.lock_lost(now),

            (Phase::Finished(..), Event::StepTaken(step, came)) => self.step_taken(step, came, now),
            (Phase::DeadLetter(..), Event::Decided(verdict)) => self.decided(verdict),
            (_, Event::Due(timer)) => self.due(timer, now),
            _ => Vec::new(), // a repeat or a straggler
        }
    }

    fn enter<const N: usize>(&mut self, phase: Phase, effects: [Effect; N]) -> Vec<Effect> {
        self.phase = phase;
        effects.into()
    }

    fn again(&mut self, timer: Timer, at: Timestamp) -> Vec<Effect> {
        self.retry = Some(timer);
        vec![Effect::Wake(timer, at)]
    }

    fn due(&mut self, timer: Timer, now: Timestamp) -> Vec<Effect> {
        if self.retry == Some(timer) {
            self.retry = None;
            return self.retried(timer).into_iter().collect();
        }
        match (&self.phase, timer) {
            (_, Timer::Renew) if self.holds_lock() => self.lock.due().into_iter().collect(),
            (Phase::Running, Timer::MarkRunning) if !self.running_written => {
                self.running_written = true;
                vec![Effect::Write(Write::PatchRunning)]
            }
            (Phase::Storing { .. } | Phase::Creating { .. }, timer) => self.placing_timer_due(timer, now),
            (Phase::Starting | Phase::Running, timer) => self.pod_timer_due(timer, now),
            (Phase::Replacing, Timer::Pending) => self.replacement_overdue(now),
            _ => Vec::new(),
        }
    }

    /// What waited for its next try.
    fn retried(&self, timer: Timer) -> Option<Effect> {
        match timer {
            Timer::Acquire => Some(Effect::Call(Call::AcquireJob)),
            Timer::CheckAgent => Some(Effect::Call(Call::GetRunner)),
            Timer::StorePayload => Some(Effect::Write(Write::CreatePayload)),
            Timer::CreatePod => Some(Effect::Write(Write::CreatePod)),
            Timer::Step => self.step_due(),
            Timer::TellWaiting
            | Timer::Placing
            | Timer::Renew
            | Timer::MarkRunning
            | Timer::Pending
            | Timer::StartFailure
            | Timer::TellHindrance
            | Timer::Lifetime
            | Timer::Cancel
            | Timer::Vanish => None,
        }
    }
}

#[cfg(test)]
mod tests;
