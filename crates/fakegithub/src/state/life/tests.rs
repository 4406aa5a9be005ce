use proptest::prelude::*;

use super::*;
use crate::settings::{AcknowledgedEffect, DeclinedTo};

const EPOCH: Timestamp = Timestamp::UNIX_EPOCH;

fn timers() -> Timers {
    Timers { factor: 1.0, poll_hold: SignedDuration::from_secs(50), redelivery: SignedDuration::from_secs(1) }
}

fn policy() -> Policy {
    Policy {
        window: timers().window(),
        patience: timers().redelivery,
        times: None,
        to: DeclinedTo::Same,
        acknowledged: AcknowledgedEffect::Again,
    }
}

fn at(seconds: i64) -> Timestamp {
    EPOCH + SignedDuration::from_secs(seconds)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn claimed() -> Life {
    let mut life = Life::new(false);
    life.deliver(id(1), 1, id(11), EPOCH);
    assert_eq!(life.acquire(id(11), 1, true, &timers(), EPOCH), Ok(Acquired::New));
    life
}

#[test]
fn an_offer_can_be_claimed_for_two_minutes_after_its_last_delivery() {
    let mut life = Life::new(false);
    life.deliver(id(1), 1, id(11), EPOCH);
    life.deliver(id(1), 1, id(12), at(60));
    assert_eq!(life.clone().acquire(id(11), 1, true, &timers(), at(179)), Ok(Acquired::New));
    assert_eq!(life.acquire(id(11), 1, true, &timers(), at(180)), Err(AcquireError::Unknown));
}

#[test]
fn a_request_id_belongs_to_one_agent() {
    let mut life = Life::new(false);
    life.deliver(id(1), 1, id(11), EPOCH);
    assert_eq!(life.acquire(id(11), 2, true, &timers(), EPOCH), Err(AcquireError::Unknown));
}

#[test]
fn a_withdrawn_offer_cannot_be_claimed_and_comes_back_under_its_old_id() {
    let mut life = Life::new(false);
    life.deliver(id(1), 1, id(11), EPOCH);
    life.withdraw(id(1));
    assert_eq!(life.acquire(id(11), 1, true, &timers(), EPOCH), Err(AcquireError::Unknown));
    assert_eq!(life.deliver(id(1), 1, id(12), EPOCH), id(11));
}

#[test]
fn a_claim_that_never_starts_is_cancelled_after_a_quarter_of_an_hour_though_it_is_renewed() {
    let mut life = claimed();
    life.renew(timers().lock(), at(590)).unwrap();
    assert!(!life.tick(&timers(), EPOCH, at(899)));
    assert!(life.tick(&timers(), EPOCH, at(900)));
    assert_eq!(life.conclusion(), Some(Conclusion::Cancelled));
}

#[test]
fn a_claim_that_is_never_renewed_ends_with_its_first_lock() {
    let mut life = claimed();
    assert!(!life.tick(&timers(), EPOCH, at(599)));
    let mut late = life.clone();
    assert_eq!(late.renew(timers().lock(), at(600)), Err(Over), "what has lapsed cannot be held");
    assert!(life.tick(&timers(), EPOCH, at(600)));
    assert_eq!(life.conclusion(), Some(Conclusion::Failure));
}

#[test]
fn a_job_ends_by_what_was_due_first_however_late_one_looks() {
    let mut unstarted = claimed();
    unstarted.renew(timers().lock(), at(590)).unwrap();
    assert!(unstarted.tick(&timers(), EPOCH, at(5000)));
    assert_eq!(unstarted.conclusion(), Some(Conclusion::Cancelled));
    let mut silent = claimed();
    assert!(silent.tick(&timers(), EPOCH, at(5000)));
    assert_eq!(silent.conclusion(), Some(Conclusion::Failure));
}

#[test]
fn a_started_job_fails_when_its_lock_lapses() {
    let mut life = claimed();
    life.start();
    assert_eq!(life.renew(timers().lock(), at(60)), Ok(at(660)));
    assert!(!life.tick(&timers(), EPOCH, at(659)));
    assert!(life.tick(&timers(), EPOCH, at(660)));
    assert_eq!(life.conclusion(), Some(Conclusion::Failure));
    assert_eq!(life.renew(timers().lock(), at(661)), Err(Over));
}

#[test]
fn a_cancelled_job_has_five_minutes_to_end() {
    let mut life = claimed();
    life.start();
    assert!(life.cancel(timers().grace(), at(10)));
    assert!(!life.tick(&timers(), EPOCH, at(309)));
    assert!(life.tick(&timers(), EPOCH, at(310)));
    assert_eq!(life.conclusion(), Some(Conclusion::Cancelled));
}

#[test]
fn the_cancellation_of_a_job_is_delivered_once() {
    let mut life = claimed();
    assert!(!life.is_cancelling());
    assert!(life.cancel(timers().grace(), at(10)) && life.is_cancelling());
    assert!(!life.cancel(timers().grace(), at(20)));
    assert!(life.tick(&timers(), EPOCH, at(310)), "its time is that of the first one");
}

#[test]
fn time_does_not_act_on_a_job_that_is_stuck() {
    let mut life = claimed();
    life.stick();
    assert!(!life.tick(&timers(), EPOCH, at(100_000)));
    assert_eq!((life.conclusion(), life.has_started()), (None, Some(false)));
}

#[test]
fn a_queued_job_is_cancelled_at_once() {
    let mut life = Life::new(false);
    assert!(!life.cancel(timers().grace(), EPOCH));
    assert_eq!(life.conclusion(), Some(Conclusion::Cancelled));
}

#[derive(Debug, Clone)]
enum Step {
    Deliver(u8),
    Withdraw(u8),
    Acquire(u8, u8),
    Renew,
    Start,
    Complete,
    Cancel,
    Force,
    Tick,
    Unblock,
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let one = prop_oneof![
        4 => (0u8..3).prop_map(Step::Deliver),
        1 => (0u8..3).prop_map(Step::Withdraw),
        4 => (0u8..3, 0u8..3).prop_map(|(offer, agent)| Step::Acquire(offer, agent)),
        2 => Just(Step::Renew),
        1 => Just(Step::Start),
        1 => Just(Step::Complete),
        1 => Just(Step::Cancel),
        1 => Just(Step::Force),
        2 => Just(Step::Tick),
        1 => Just(Step::Unblock),
    ];
    (one, 0i64..400)
}

/// Session and agent `n` go together; a new offer to it is called `100 + n`.
fn play(life: &mut Life, step: &Step, siblings: bool, now: Timestamp) -> Option<u64> {
    let timers = timers();
    match *step {
        Step::Deliver(n) if !life.is_done() && life.phase != Phase::Blocked => {
            life.deliver(id(n.into()), n.into(), id(100 + u128::from(n)), now);
        }
        Step::Deliver(_) => {}
        Step::Withdraw(n) => life.withdraw(id(n.into())),
        Step::Acquire(offer, agent) => {
            let request = id(100 + u128::from(offer));
            if life.acquire(request, agent.into(), siblings, &timers, now) == Ok(Acquired::New) {
                return Some(agent.into());
            }
        }
        Step::Renew => {
            let _ = life.renew(timers.lock(), now);
        }
        Step::Start => life.start(),
        Step::Complete => {
            let _ = life.complete(Conclusion::Success);
        }
        Step::Cancel => {
            let _ = life.cancel(timers.grace(), now);
        }
        Step::Force => life.force(Conclusion::Cancelled),
        Step::Tick => {
            life.judge(&policy(), now);
            let _ = life.tick(&timers, EPOCH, now);
        }
        Step::Unblock => life.unblock(),
    }
    None
}

proptest! {
    #[test]
    fn a_job_has_one_claimant_and_what_is_over_stays_over(steps in prop::collection::vec(step(), 0..60), blocked: bool) {
        let mut life = Life::new(blocked);
        let (mut now, mut claimants, mut end) = (EPOCH, Vec::new(), None);
        for (step, seconds) in steps {
            now += SignedDuration::from_secs(seconds);
            claimants.extend(play(&mut life, &step, false, now));
            prop_assert!(claimants.len() <= 1, "claimed by {claimants:?}");
            prop_assert!(end.is_none() || life.conclusion() == end, "{end:?} became {:?}", life.phase);
            prop_assert!(!life.is_done() || life.open_offers() == 0);
            end = life.conclusion();
        }
    }

    #[test]
    fn siblings_claim_once_each(steps in prop::collection::vec(step(), 0..60)) {
        let mut life = Life::new(false);
        let (mut now, mut claimants) = (EPOCH, Vec::new());
        for (step, seconds) in steps {
            now += SignedDuration::from_secs(seconds);
            claimants.extend(play(&mut life, &step, true, now));
        }
        let mut once = claimants.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), claimants.len());
        prop_assert_eq!(life.claims.len(), claimants.len());
    }
}
