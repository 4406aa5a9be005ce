//! AG4 and AG5: killed while an agent is registered, or listens.

use fakegithub::{Fault, Lever};
use http::Method;
use serde_json::json;
use testkit::api_server::Effect;

use super::{FIRST, SECOND};
use crate::kubelet::Behaviour;
use crate::rig::{PATIENCE, Rig};

/// Kills a controller between R3 and the Secret that would hold its answer. The runner's name.
async fn killed_between_r3_and_its_secret(rig: &Rig) -> String {
    rig.api.fail(Method::PATCH, "-agent-", 1, Effect::Withhold);
    let first = rig.controller(FIRST);
    let stored = |_: &_| (rig.asked(Method::PATCH, "-agent-") > 0).then_some(());
    rig.api.wait_for("the agent's Secret", PATIENCE, stored).await;
    drop(first);
    assert!(rig.agents_stored().is_empty());
    rig.github.control().state().agents.remove(0).name
}

/// The name of the next generation in the same place.
fn next_generation(agent: &str) -> String {
    let (place, generation) = agent.rsplit_once('-').unwrap();
    format!("{place}-{}", generation.parse::<u32>().unwrap() + 1)
}

async fn assert_runs_a_job(rig: &Rig) {
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn ag4_a_name_that_our_own_record_holds_is_freed_and_taken() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let name = killed_between_r3_and_its_secret(&rig).await;
    let _second = rig.controller(SECOND);
    assert_eq!(rig.listens(SECOND).await, name);
    let of_name: Vec<_> = rig
        .github
        .control()
        .state()
        .agents
        .into_iter()
        .filter(|it| it.name == name)
        .map(|it| it.fate)
        .collect();
    assert_eq!(of_name, ["deleted", "alive"]);
    let statuses: Vec<_> = rig.asked_github("R3").iter().filter_map(|it| it.status).collect();
    assert_eq!(statuses, [201, 409, 201]);
    assert_runs_a_job(&rig).await;
}

#[tokio::test]
async fn ag4_a_name_that_a_busy_record_holds_is_left_for_the_next_generation() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let name = killed_between_r3_and_its_secret(&rig).await;
    let busy =
        json!({ "message": "Runner is currently running a job and cannot be deleted.", "status": "422" });
    rig.github.control().fail(Fault::new("R6").answering(422).with_body(busy));
    let _second = rig.controller(SECOND);
    assert_eq!(rig.listens(SECOND).await, next_generation(&name));
    assert_eq!(rig.asked_github("R6").len(), 1);
    assert_runs_a_job(&rig).await;
}

#[tokio::test]
async fn ag4_a_name_that_nobody_seems_to_hold_is_left_for_the_next_generation() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let name = killed_between_r3_and_its_secret(&rig).await;
    rig.github
        .control()
        .fail(Fault::new("R4").answering(200).with_body(json!({ "total_count": 0, "runners": [] })));
    let _second = rig.controller(SECOND);
    assert_eq!(rig.listens(SECOND).await, next_generation(&name));
    assert_eq!(rig.asked_github("R6").len(), 0, "what is not seen is not removed");
    assert_runs_a_job(&rig).await;
}

/// Kills a controller that listens. Its agent's name.
async fn killed_while_it_listens(rig: &Rig) -> String {
    let first = rig.controller(FIRST);
    let agent = rig.listens(FIRST).await;
    drop(first);
    agent
}

#[tokio::test]
async fn ag5_a_session_that_is_left_over_is_closed_and_opened_anew() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let agent = killed_while_it_listens(&rig).await;
    let _second = rig.controller(SECOND);
    assert_eq!(rig.listens(SECOND).await, agent);
    let opened: Vec<_> = rig.asked_github("B1").iter().filter_map(|it| it.status).collect();
    assert_eq!((opened, rig.asked_github("B4").len()), (vec![200, 409, 200], 1));
    assert_runs_a_job(&rig).await;
}

#[tokio::test]
async fn ag5_a_session_that_cannot_be_closed_costs_a_generation() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let agent = killed_while_it_listens(&rig).await;
    rig.github.control().pull(Lever::SessionConflict { count: 2, agent: Some(agent.clone()) }).unwrap();
    let _second = rig.controller(SECOND);
    assert_eq!(rig.listens(SECOND).await, next_generation(&agent));
    let opened: Vec<_> = rig.asked_github("B1").iter().filter_map(|it| it.status).collect();
    assert_eq!((opened, rig.asked_github("B4").len()), (vec![200, 409, 409, 200], 1));
    assert_runs_a_job(&rig).await;
}
