//! When a group's pod is shown to the API server next. Pure.

use std::time::Duration;

use runtime::backoff::{Backoff, Failures};
use tokio::time::Instant;

use super::answer::Answer;

/// After a refusal the namespace is likely to be mended soon.
const REFUSED: Backoff =
    Backoff::Doubling { first: Duration::from_secs(5), longest: Duration::from_secs(60) };
/// What nothing tells us of, such as a policy of another kind, shows by then.
pub(super) const PERIOD: Duration = Duration::from_secs(600);

/// The API server judges by what it has heard of a change, which may be later than we have.
const CONFIRMED_AFTER: Duration = Duration::from_secs(5);

/// The next dry run of one group.
#[derive(Debug)]
pub(super) struct Schedule {
    due: Instant,
    refusals: Failures,
    /// The world has changed, and a good answer may be about the world before.
    unconfirmed: bool,
}

impl Schedule {
    /// At once.
    pub(super) fn new(now: Instant, seed: u64) -> Self {
        Self { due: now, refusals: Failures::new(REFUSED, seed), unconfirmed: false }
    }

    /// When it is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The world has changed: at once, and patiently no more.
    pub(super) fn world_changed(&mut self, now: Instant) {
        self.refusals.reset();
        self.due = now;
        self.unconfirmed = true;
    }

    /// A pod of the group was refused though a dry run had passed.
    pub(super) fn pod_refused(&mut self, now: Instant) {
        self.due = self.due.min(now + self.refusals.fail());
    }

    /// Pods of the group stand again.
    pub(super) fn pods_placed(&mut self) {
        self.refusals.reset();
    }

    /// There is an answer; `period` is the time to the next when it is a good one. While pods are `refused` all the same,
    /// a good one does not shorten the pauses.
    pub(super) fn answered(&mut self, answer: &Answer, refused: bool, now: Instant, period: Duration) {
        self.due = match answer {
            Answer::Accepted | Answer::Unsupported(_) => {
                if !refused {
                    self.refusals.reset();
                }
                now + if std::mem::take(&mut self.unconfirmed) { CONFIRMED_AFTER } else { period }
            }
            Answer::Unknown(_) | Answer::QuotaExceeded(_) | Answer::Refused(_) => now + self.refusals.fail(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Duration = Duration::ZERO;

    fn refused() -> Answer {
        Answer::Refused("no".into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_group_is_shown_again_after_growing_pauses_of_at_most_a_minute() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now, 7);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            schedule.answered(&refused(), false, now, PERIOD);
            pauses.push(schedule.due() - now);
        }
        assert!(
            pauses[0] >= Duration::from_millis(2500) && pauses[0] <= Duration::from_secs(5),
            "{pauses:?}"
        );
        assert!(pauses[7] >= Duration::from_secs(30) && pauses[7] <= Duration::from_secs(60), "{pauses:?}");
        schedule.world_changed(now);
        assert_eq!(schedule.due() - now, NOTHING);
        schedule.answered(&refused(), false, now, PERIOD);
        assert!(schedule.due() - now <= Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn an_accepted_group_is_shown_again_after_the_period() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now, 7);
        schedule.answered(&Answer::Accepted, false, now, PERIOD);
        assert_eq!(schedule.due() - now, PERIOD);
        schedule.answered(&Answer::Unsupported("no".into()), false, now, PERIOD);
        assert_eq!(schedule.due() - now, PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_answer_after_a_change_is_asked_for_once_more() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now, 7);
        schedule.world_changed(now);
        schedule.answered(&Answer::Accepted, false, now, PERIOD);
        assert_eq!(schedule.due() - now, CONFIRMED_AFTER);
        schedule.answered(&Answer::Accepted, false, now, PERIOD);
        assert_eq!(schedule.due() - now, PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn pods_that_are_refused_after_dry_runs_that_pass_are_tried_less_and_less_often() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now, 7);
        for _ in 0..8 {
            schedule.answered(&Answer::Accepted, true, now, PERIOD);
            schedule.pod_refused(now);
        }
        assert!(schedule.due() - now >= Duration::from_secs(30));
        schedule.pods_placed();
        schedule.pod_refused(now);
        assert!(schedule.due() - now <= Duration::from_secs(5));
    }
}
