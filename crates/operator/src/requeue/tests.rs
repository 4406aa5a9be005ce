use super::*;

#[test]
fn delays_double_up_to_five_minutes() {
    let delays: Vec<_> = [0, 1, 2, 9, 10, 40, u32::MAX].map(|it| delay(it, 0.0).as_millis()).into();
    assert_eq!(delays, [500, 1000, 2000, 256_000, 300_000, 300_000, 300_000]);
}

#[test]
fn a_fifth_of_a_delay_is_random() {
    assert_eq!(delay(0, 1.0), Duration::from_millis(400));
    assert_eq!(delay(0, 0.5), Duration::from_millis(450));
}

#[test]
fn each_object_counts_its_own_failures_until_it_succeeds() {
    let backoff = Backoff::new();
    let in_second = |delay: Duration| delay > Duration::from_millis(799) && delay <= Duration::from_secs(1);
    backoff.failed("a");
    assert!(in_second(backoff.failed("a")));
    assert!(backoff.failed("b") <= Duration::from_millis(500));
    backoff.forget(&"a");
    assert!(backoff.failed("a") <= Duration::from_millis(500));
}
