//! From the offer to the claim: X1, its repetitions, and what an unanswered one leaves open.

use jiff::{SignedDuration, Timestamp};

use super::{Job, Phase, WRITE, not_acquired};
use crate::backoff::between;
use crate::effect::{Effect, Fact, NotAcquired, Timer};
use crate::outcome::{FailureReason, Outcome};

/// As often as GitHub's own runner tries to claim.
const ACQUIRE_ATTEMPTS: u32 = 5;
/// Its pause between two of them, protocol §5.2.
const ACQUIRE_PAUSE: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(5), SignedDuration::from_secs(15));
/// Past this an unanswered question for the agent is answered by the lock's end: whatever was claimed is over.
const VERIFY_FOR: SignedDuration = SignedDuration::from_mins(10);

impl Job {
    pub(super) fn acquire_first(&mut self) -> Vec<Effect> {
        let acknowledge = self.acknowledge.then_some(Effect::Acknowledge);
        self.phase = Phase::Acquiring { attempt: 1, doubtful: false };
        acknowledge.into_iter().chain([Effect::Acquire]).collect()
    }

    pub(super) fn acquire_again(&mut self, attempt: u32, doubtful: bool, now: Timestamp) -> Vec<Effect> {
        match (attempt < ACQUIRE_ATTEMPTS, doubtful) {
            (true, _) => {
                self.phase = Phase::Acquiring { attempt: attempt + 1, doubtful };
                self.again(
                    Timer::Acquire,
                    now + between(ACQUIRE_PAUSE.0, ACQUIRE_PAUSE.1, self.seed, attempt),
                )
            }
            (false, true) => self.verify(now),
            (false, false) => self.drop_offer(NotAcquired::Failed),
        }
    }

    pub(super) fn verify(&mut self, since: Timestamp) -> Vec<Effect> {
        self.enter(Phase::Verifying { attempt: 1, since }, [Effect::CheckAgent])
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
        self.enter(Phase::Dropped, [Effect::DeleteRecord, Effect::ReleaseSlot, not_acquired(why)])
    }

    pub(super) fn acquired(&mut self, locked_until: Timestamp, now: Timestamp) -> Vec<Effect> {
        self.retry = None;
        self.times.acquired = Some(now);
        let renew = self.lock.taken(locked_until);
        let mut effects = vec![Effect::Report(Fact::Acquired)];
        if self.deletion_requested {
            self.phase = Phase::Storing { attempt: 1 };
            effects.extend(self.finish_without_pod(Outcome::cancelled(), now));
            return effects;
        }
        self.phase = Phase::Storing { attempt: 1 };
        effects.splice(0..0, [Effect::StorePayload, renew]);
        effects
    }
}
