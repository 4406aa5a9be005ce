//! An hour of GitHub's refusals, on a clock that jumps from timer to timer.

use std::time::Duration;

use fakegithub::Fault;
use runtime::backoff::Backoff;
use serde_json::json;

use crate::kubelet::Behaviour;
use crate::rig::Rig;

const HOUR: Duration = Duration::from_secs(3600);

/// How often an hour has room for what pauses five seconds, doubling to five minutes: the first try, and one after each
/// pause.
fn tries_in_an_hour() -> usize {
    let pauses = Backoff::Doubling { first: Duration::from_secs(5), longest: Duration::from_secs(300) };
    let mut spent = Duration::ZERO;
    let fits = |failures: &u32| {
        spent += pauses.after(*failures, 0);
        spent <= HOUR
    };
    1 + (1..).take_while(fits).count()
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_refused_sessions_costs_as_many_registrations_as_the_pauses_say() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await.without_kubelet();
    rig.github.control().fail(Fault::new("B1").times(u64::MAX).answering(403));
    let _controller = rig.controller_here("agc-0");
    tokio::time::sleep(HOUR).await;
    let (asked, bound) = (rig.asked_github("R3").len(), tries_in_an_hour());
    assert!(asked <= bound && asked > bound / 2, "{asked} registrations, the pauses leave room for {bound}");
    let alive = rig.github.control().state().agents.iter().filter(|it| it.fate == "alive").count();
    assert!(alive <= 1, "{alive} records are left");
}
