use super::*;

const BEGIN: Timestamp = Timestamp::constant(1_800_000_000, 0);

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[tokio::test(start_paused = true)]
async fn simulated_time_of_day_passes_with_the_runtimes_time() {
    let clock = Clock::simulated(BEGIN, 7);
    assert_eq!(clock.now(), BEGIN);
    tokio::time::advance(seconds(3600)).await;
    assert_eq!(clock.now(), BEGIN + seconds(3600));
}

#[tokio::test]
async fn simulated_chance_repeats_with_its_seed_and_differs_with_another() {
    let seeds = |seed| {
        let clock = Clock::simulated(BEGIN, seed);
        [clock.seed(), clock.seed(), clock.clone().seed()]
    };
    assert_eq!(seeds(7), seeds(7));
    assert_ne!(seeds(7), seeds(8));
    let [first, second, third] = seeds(7);
    assert!(first != second && second != third && first != third);
}

#[test]
fn what_many_do_in_one_period_they_do_at_different_times() {
    let clock = Clock::system();
    let drawn: std::collections::BTreeSet<_> = (0..100).map(|_| clock.about(seconds(600))).collect();
    assert!(drawn.len() > 90, "{} different periods of 100", drawn.len());
    assert!(drawn.iter().all(|it| *it >= seconds(540) && *it <= seconds(660)), "{drawn:?}");
}

#[test]
fn failures_of_one_rule_spread() {
    let clock = Clock::system();
    let rule = Backoff::Doubling { first: seconds(1), longest: seconds(60) };
    let drawn: std::collections::BTreeSet<_> = (0..100).map(|_| clock.failures(rule).fail()).collect();
    assert!(drawn.len() > 90, "{} different pauses of 100", drawn.len());
}
