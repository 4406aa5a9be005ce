//! An hour of GitHub's refusals, on a clock that jumps from timer to timer.

use std::time::Duration;

use fakegithub::Fault;
use serde_json::json;

use crate::kubelet::Behaviour;
use crate::rig::Rig;

const HOUR: Duration = Duration::from_secs(3600);

/// How often an hour has room for what pauses five seconds, doubling to five minutes, or a part of that: the first try,
/// and one after each pause.
fn tries_in_an_hour(part: f64) -> usize {
    let pauses = (0..).map(|doublings: i32| (5.0 * 2f64.powi(doublings)).min(300.0) * part);
    let ends = pauses.scan(0.0, |sum, pause| {
        *sum += pause;
        Some(*sum)
    });
    1 + ends.take_while(|it| *it <= HOUR.as_secs_f64()).count()
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_refused_sessions_costs_as_many_registrations_as_the_pauses_say() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await.without_kubelet();
    rig.github.control().fail(Fault::new("B1").times(u64::MAX).answering(403));
    let _controller = rig.controller_here("agc-0");
    tokio::time::sleep(HOUR).await;
    // A pause is between half and all of it; what ends it is the next pass of the group's controller.
    let (asked, fewest, most) = (rig.asked_github("R3").len(), tries_in_an_hour(1.0), tries_in_an_hour(0.5));
    let bounds = fewest - 2..=most;
    assert!(bounds.contains(&asked), "{asked} registrations, the pauses leave room for {bounds:?}");
    let alive = rig.github.control().state().agents.iter().filter(|it| it.fate == "alive").count();
    assert!(alive <= 1, "{alive} records are left");
}
