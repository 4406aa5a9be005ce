use super::*;

fn name(text: &str) -> RunnerJobName {
    RunnerJobName::existing(text)
}

#[tokio::test(start_paused = true)]
async fn timers_come_in_order_and_only_when_they_are_due() {
    let now = Timestamp::UNIX_EPOCH;
    let after = |seconds| now + jiff::SignedDuration::from_secs(seconds);
    let mut timers = Timers::default();
    timers.set(name("b"), Timer::Renew, after(60), now);
    timers.set(name("a"), Timer::Pending, after(10), now);
    timers.set(name("c"), Timer::Vanish, after(-5), now);
    assert_eq!(timers.take_due(Instant::now()), Some((name("c"), Timer::Vanish)), "what is past is due");
    assert_eq!(timers.take_due(Instant::now()), None);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(timers.take_due(Instant::now()), Some((name("a"), Timer::Pending)));
    assert_eq!(timers.take_due(Instant::now()), Some((name("b"), Timer::Renew)));
    assert!(timers.is_empty());
}
