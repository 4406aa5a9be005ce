//! From the offer to the claim: X1, its repetitions, and what an unanswered one leaves open.

use std::time::Duration;

use backoff::{Range, between};
use jiff::{SignedDuration, Timestamp};

use super::{Job, Phase, WRITE};
use crate::effect::{Agent, Call, Effect, Fact, NotAcquired, Slot, Timer, Write};
use crate::outcome::Outcome;
use crate::waiting::Waiting;
use api::FailureReason;

/// How often a claim that may have been granted is repeated before the agent is asked instead: the offer's window is
/// two minutes.
const ACQUIRE_ATTEMPTS: u32 = 3;
/// The pause of GitHub's own runner between two claims, protocol §5.2.
const ACQUIRE_PAUSE: Range = (Duration::from_secs(5), Duration::from_secs(15));
/// Past this an unanswered question for the agent is answered by the lock's end: whatever was claimed is over.
const VERIFY_FOR: SignedDuration = SignedDuration::from_mins(10);

impl Job {
    /// What was certainly not granted is given back; what may have been is asked for again, and then about.
    pub(super) fn acquire_again(&mut self, attempt: u32, doubtful: bool, now: Timestamp) -> Vec<Effect> {
        match (doubtful, attempt < ACQUIRE_ATTEMPTS) {
            (false, _) => self.drop_offer(NotAcquired::Failed),
            (true, false) => self.verify(now),
            (true, true) => {
                self.phase = Phase::Acquiring { attempt: attempt + 1, doubtful };
                self.again(Timer::Acquire, now + between(ACQUIRE_PAUSE, self.seed, attempt))
            }
        }
    }

    pub(super) fn verify(&mut self, since: Timestamp) -> Vec<Effect> {
        self.enter(Phase::Verifying { attempt: 1, since }, [Effect::Call(Call::GetRunner)])
    }

    pub(super) fn verify_again(&mut self, attempt: u32, since: Timestamp, now: Timestamp) -> Vec<Effect> {
        if now >= since + VERIFY_FOR {
            return self.finish_without_pod(Outcome::failed(FailureReason::ClaimLost), now);
        }
        self.phase = Phase::Verifying { attempt: attempt + 1, since };
        self.again(Timer::CheckAgent, now + WRITE.after(attempt, self.seed))
    }

    pub(super) fn drop_offer(&mut self, why: NotAcquired) -> Vec<Effect> {
        self.retry = None;
        self.phase = Phase::Dropped;
        let throttle = (why == NotAcquired::Refused).then_some(Effect::Slot(Slot::Throttle));
        let rest = [
            Effect::Write(Write::DeleteRunnerJob),
            Effect::Slot(Slot::GiveBack),
            Effect::Agent(Agent::Release),
            Effect::Report(Fact::NotAcquired(why)),
        ];
        throttle.into_iter().chain(rest).collect()
    }

    /// The agent runs nothing of ours. A job that was written down as acquired is over all the same, and says so.
    pub(super) fn not_acquired_after_all(&mut self, now: Timestamp) -> Vec<Effect> {
        if self.times.acquired.is_none() {
            return self.drop_offer(NotAcquired::Refused);
        }
        self.lock.lose(now);
        let reason = self.waiting().map_or(FailureReason::ClaimLost, Waiting::failure);
        self.finish_without_pod(Outcome::failed(reason), now)
    }

    pub(super) fn acquired(&mut self, locked_until: Timestamp, now: Timestamp) -> Vec<Effect> {
        self.retry = None;
        self.times.acquired.get_or_insert(now);
        self.phase = Phase::Storing { attempt: 1 };
        let renew = self.lock.taken(locked_until);
        let told =
            [Effect::Slot(Slot::Unthrottle), Effect::Agent(Agent::Keep), Effect::Report(Fact::Acquired)];
        if self.deletion_requested {
            return told.into_iter().chain(self.finish_without_pod(Outcome::cancelled(), now)).collect();
        }
        // What stands between the claim and the pod goes first.
        let first = [Effect::Write(Write::CreatePayload), renew];
        first.into_iter().chain(told).chain(self.placing_timers(now)).collect()
    }
}
