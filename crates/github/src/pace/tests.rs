use std::time::Duration;

use super::{Backoff, Throttle, Tiers, between};
use crate::Timers;

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[test]
fn five_failures_wait_in_the_first_tier_and_all_others_in_the_second() {
    let mut backoff = Backoff::new(Timers::default().poll_backoff);
    let shortest: Vec<Duration> = (0..7).map(|_| backoff.fail(0.0)).collect();
    assert_eq!(shortest, [15, 15, 15, 15, 15, 30, 30].map(seconds));
    assert_eq!(backoff.fail(1.0), seconds(60));
    backoff.reset();
    assert_eq!(backoff.fail(1.0), seconds(30));
}

#[test]
fn a_tier_without_patience_is_skipped() {
    let tiers = Tiers { first: (seconds(1), seconds(1)), patience: 0, second: (seconds(9), seconds(9)) };
    assert_eq!(Backoff::new(tiers).fail(0.5), seconds(9));
}

#[test]
fn the_first_refused_claim_is_free_and_the_rest_double_to_a_minute() {
    let mut throttle = Throttle::of_claims();
    let waits: Vec<u64> = (0..10).map(|_| throttle.refuse().as_secs()).collect();
    assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    throttle.reset();
    assert_eq!(throttle.refuse(), Duration::ZERO);
}

#[test]
fn a_throttle_never_overflows() {
    let mut throttle = Throttle::new(0, Duration::MAX, seconds(60));
    for _ in 0..100 {
        assert_eq!(throttle.refuse(), seconds(60));
    }
}

#[test]
fn chance_outside_its_bounds_stays_within_the_range() {
    let range = (seconds(5), seconds(15));
    assert_eq!(between(range, -1.0), seconds(5));
    assert_eq!(between(range, 0.5), seconds(10));
    assert_eq!(between(range, 7.0), seconds(15));
    assert_eq!(between((seconds(5), seconds(1)), 0.5), seconds(5));
}
