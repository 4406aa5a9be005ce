use kube::runtime::utils::Backoff as _;

use super::*;

fn clock() -> Clock {
    Clock::simulated(jiff::Timestamp::UNIX_EPOCH, 7)
}

#[tokio::test]
async fn each_object_counts_its_own_failures_until_it_succeeds() {
    let requeue = Requeue::new(clock());
    let is_second = |delay: Duration| delay >= Duration::from_millis(500) && delay <= Duration::from_secs(1);
    assert!(requeue.failed("a") <= Duration::from_millis(500));
    assert!(is_second(requeue.failed("a")));
    assert!(requeue.failed("b") <= Duration::from_millis(500));
    requeue.forget(&"a");
    assert!(requeue.failed("a") <= Duration::from_millis(500));
}

#[tokio::test]
async fn objects_that_fail_together_do_not_come_back_together() {
    let requeue = Requeue::new(clock());
    let delays: std::collections::BTreeSet<_> = (0..100).map(|object| requeue.failed(object)).collect();
    assert!(delays.len() > 90, "{} different delays of 100", delays.len());
}

#[tokio::test]
async fn no_object_waits_longer_than_five_minutes() {
    let requeue = Requeue::new(clock());
    let longest = (0..100).map(|_| requeue.failed("a")).max();
    assert!(
        longest > Some(Duration::from_secs(200)) && longest <= Some(Duration::from_secs(300)),
        "{longest:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_off_at_once_is_opened_less_and_less_often() {
    let mut backoff = WatchBackoff::new(&clock());
    for _ in 0..10 {
        let pause = backoff.next().unwrap();
        tokio::time::advance(pause).await;
        backoff.reset(); // an item arrived
    }
    assert!(backoff.next().unwrap() >= Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_has_worked_for_minutes_begins_anew() {
    let mut backoff = WatchBackoff::new(&clock());
    for _ in 0..10 {
        backoff.next();
    }
    tokio::time::advance(RECOVERED_AFTER).await;
    assert!(backoff.next().unwrap() <= Duration::from_millis(800));
}
