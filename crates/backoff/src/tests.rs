use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

const DOUBLING: Backoff = Backoff::Doubling { first: seconds(1), longest: seconds(60) };
const THROTTLE: Backoff = Backoff::Throttle { first: seconds(1), longest: seconds(60) };
const TIERS: Backoff =
    Backoff::Tiers { first: (seconds(15), seconds(30)), patience: 5, second: (seconds(30), seconds(60)) };

/// The pauses after the first to the tenth failure.
fn pauses(backoff: Backoff, seed: u64) -> Vec<Duration> {
    let mut failures = Failures::new(backoff, seed);
    (0..10).map(|_| failures.fail()).collect()
}

/// Each pause is at least the first and at most the second number of seconds of its pair.
fn check(backoff: Backoff, seed: u64, bounds: [(f64, f64); 10]) -> Result<(), TestCaseError> {
    for (pause, (least, most)) in pauses(backoff, seed).into_iter().zip(bounds) {
        let within = pause >= Duration::from_secs_f64(least) && pause <= Duration::from_secs_f64(most);
        prop_assert!(within, "{pause:?} is not within {least} s and {most} s");
    }
    Ok(())
}

fn any_backoff() -> impl Strategy<Value = Backoff> {
    let pause = || (1u64..100_000).prop_map(Duration::from_millis);
    let range = || (pause(), pause());
    prop_oneof![
        range().prop_map(|(first, longest)| Backoff::Doubling { first, longest }),
        range().prop_map(|(first, longest)| Backoff::Throttle { first, longest }),
        (range(), 0u32..8, range()).prop_map(|(first, patience, second)| Backoff::Tiers {
            first,
            patience,
            second
        }),
    ]
}

proptest! {
    #[test]
    fn a_pause_doubles_and_its_second_half_is_chance(seed: u64) {
        let full = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0];
        check(DOUBLING, seed, full.map(|it| (it / 2.0, it)))?;
    }

    #[test]
    fn a_throttle_lets_the_first_failure_pass_and_never_waits_less_than_the_rule_says(seed: u64) {
        let least = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0];
        check(THROTTLE, seed, least.map(|it| (it, it * 1.25)))?;
    }

    #[test]
    fn five_failures_wait_in_the_first_tier_and_all_others_in_the_second(seed: u64) {
        let (first, second) = ((15.0, 30.0), (30.0, 60.0));
        check(TIERS, seed, [first, first, first, first, first, second, second, second, second, second])?;
    }

    #[test]
    fn a_pause_is_not_shorter_than_the_one_before_until_they_are_capped(seed: u64, failures in 1u32..6) {
        prop_assert!(DOUBLING.after(failures + 1, seed) >= DOUBLING.after(failures, seed));
        prop_assert!(THROTTLE.after(failures + 1, seed) >= THROTTLE.after(failures, seed));
    }

    #[test]
    fn the_same_seed_gives_the_same_pauses(backoff in any_backoff(), seed: u64) {
        prop_assert_eq!(pauses(backoff, seed), pauses(backoff, seed));
    }

    #[test]
    fn after_a_success_the_next_failure_is_the_first(backoff in any_backoff(), seed: u64, failed in 0usize..9) {
        let mut failures = Failures::new(backoff, seed);
        for pause in pauses(backoff, seed).into_iter().take(failed) {
            prop_assert_eq!(failures.fail(), pause);
        }
        failures.reset();
        prop_assert_eq!(failures.count(), 0);
        prop_assert_eq!(failures.fail(), backoff.after(1, seed));
    }

    #[test]
    fn no_number_of_failures_overflows(failures: u32, seed: u64) {
        let greedy = Backoff::Doubling { first: Duration::MAX, longest: seconds(60) };
        let throttle = Backoff::Throttle { first: Duration::MAX, longest: seconds(60) };
        prop_assert!(greedy.after(failures, seed) <= seconds(60));
        prop_assert!(throttle.after(failures, seed) <= seconds(75));
        prop_assert!(TIERS.after(failures, seed) <= seconds(60));
    }

    #[test]
    fn what_is_drawn_lies_within_its_range(seed: u64, attempt: u32, shortest in 0u64..100, more in 0u64..100) {
        let range = (Duration::from_nanos(shortest), Duration::from_nanos(shortest + more));
        let drawn = between(range, seed, attempt);
        prop_assert!(range.0 <= drawn && drawn <= range.1, "{drawn:?}");
    }
}

#[test]
fn what_fails_together_does_not_come_back_together() {
    for backoff in [DOUBLING, THROTTLE, TIERS] {
        let pauses: BTreeSet<_> = (0..100).map(|seed| backoff.after(6, seed)).collect();
        assert!(pauses.len() > 90, "{} different pauses of 100 by {backoff:?}", pauses.len());
    }
}

#[test]
fn repeated_draws_of_one_seed_differ() {
    let drawn: BTreeSet<_> = (0..100).map(|attempt| between((seconds(5), seconds(15)), 7, attempt)).collect();
    assert!(drawn.len() > 90, "{} different draws of 100", drawn.len());
}

#[test]
fn draws_reach_both_ends_of_a_range() {
    let range = (Duration::from_nanos(3), Duration::from_nanos(6));
    let drawn: BTreeSet<_> = (0..100).map(|seed| between(range, seed, 0)).collect();
    assert_eq!(drawn, (3..=6).map(Duration::from_nanos).collect());
}

#[test]
fn a_range_the_wrong_way_round_is_its_first_end() {
    assert_eq!(between((seconds(5), seconds(1)), 9, 0), seconds(5));
}

#[test]
fn a_tier_without_patience_is_skipped() {
    let tiers =
        Backoff::Tiers { first: (seconds(1), seconds(1)), patience: 0, second: (seconds(9), seconds(9)) };
    assert_eq!(tiers.after(1, 7), seconds(9));
}

#[test]
fn where_nothing_failed_nothing_waits() {
    for backoff in [DOUBLING, THROTTLE, TIERS] {
        assert_eq!(backoff.after(0, 7), Duration::ZERO);
    }
}

#[test]
fn a_faster_rule_divides_every_pause() {
    for backoff in [DOUBLING, THROTTLE, TIERS] {
        let most = (1..10).map(|failures| backoff.faster(1000).after(failures, 7)).max();
        assert!(most.is_some_and(|it| it > Duration::ZERO && it <= Duration::from_millis(75)), "{most:?}");
    }
}
