//! Agents: one always listens, each runs one job, none stays behind.

use http::Method;
use serde_json::json;
use testkit::api_server::{ApiServer, Effect};

use crate::kubelet::Behaviour;
use crate::rig::{GROUP, PATIENCE, Rig};

#[tokio::test]
async fn ag1_a_listener_is_there_again_after_each_claim() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let controller = rig.controller("agc-0");
    rig.push("{ build: { runs-on: linux } }");
    let two = |_: &ApiServer| (rig.github.control().state().sessions.len() == 2).then_some(());
    rig.api.wait_for("one busy session and one that listens", PATIENCE, two).await;
    let busy = "actions_gateway_busy_sessions{namespace=\"team-a\",runner_group=\"blue\"}";
    let one = |_: &ApiServer| (controller.metric(busy).as_deref() == Some("1")).then_some(());
    rig.api.wait_for("the gauge", PATIENCE, one).await;
}

#[tokio::test]
async fn ag6_each_job_costs_one_agent() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let controller = rig.controller("agc-0");
    for jobs in 1..=3 {
        let run = rig.push("{ build: { runs-on: linux } }");
        assert_eq!(rig.concluded(&run).await, "success");
        rig.settled(jobs).await;
    }
    let recycled = "actions_gateway_agent_recycles_total{namespace=\"team-a\",runner_group=\"blue\",trigger=\"post_job\"}";
    assert_eq!(controller.metric(recycled), Some("3".into()));
    rig.assert_clean();
}

#[tokio::test]
async fn ag8_a_deleted_group_takes_its_runners_with_it() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "success");
    rig.settled(1).await;
    rig.api.delete(GROUP);
    rig.api.wait_for("the group is gone", PATIENCE, |api| api.get(GROUP).is_none().then_some(())).await;
    let state = rig.github.control().state();
    assert!(state.agents.iter().all(|it| it.fate != "alive"), "{:?}", state.agents);
    // The session of a consumed runner is GitHub's to drop.
    let consumed = |name: &str| state.agents.iter().any(|it| it.name == name && it.fate == "consumed");
    assert!(state.sessions.iter().all(|it| consumed(&it.agent)), "{:?}", state.sessions);
    assert!(rig.api.list("-agent-").is_empty());
    rig.assert_clean();
}

#[tokio::test]
async fn ag8_a_group_whose_agents_cannot_be_read_does_not_go() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let _controller = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "success");
    rig.settled(1).await;
    // As many in a row as there may be gaps between agents.
    rig.api.fail(Method::GET, "-agent-", 3, Effect::Refuse(500, "etcd is unwell".into()));
    rig.api.delete(GROUP);
    rig.api.wait_for("the group is gone", PATIENCE, |api| api.get(GROUP).is_none().then_some(())).await;
    let state = rig.github.control().state();
    assert!(state.agents.iter().all(|it| it.fate != "alive"), "{:?}", state.agents);
}

#[tokio::test]
async fn a_dead_agent_is_replaced() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let controller = rig.controller("agc-0");
    let listener = |_: &ApiServer| rig.github.control().state().sessions.first().map(|it| it.agent.clone());
    let agent = rig.api.wait_for("a listener", PATIENCE, listener).await;
    rig.github.control().pull(fakegithub::Lever::ConsumeRecord { agent }).unwrap();
    let stale = "actions_gateway_agent_recycles_total{namespace=\"team-a\",runner_group=\"blue\",trigger=\"stale_session\"}";
    rig.api
        .wait_for("another agent", PATIENCE, |_| {
            (controller.metric(stale).as_deref() == Some("1")).then_some(())
        })
        .await;
    let run = rig.push("{ build: { runs-on: linux } }");
    assert_eq!(rig.concluded(&run).await, "success");
}

#[tokio::test]
async fn an_edit_of_the_labels_reaches_the_agents_that_wait() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let _controller = rig.controller("agc-0");
    let listens = |label: &'static str| {
        let rig = &rig;
        move |_: &ApiServer| {
            let state = rig.github.control().state();
            let mut online = state.agents.iter().filter(|it| it.online && it.fate == "alive");
            online.any(|it| it.labels == [label]).then_some(())
        }
    };
    rig.api.wait_for("a listener", PATIENCE, listens("linux")).await;
    rig.api.edit(GROUP, |group| {
        group["spec"]["runnerLabels"] = json!(["gpu"]);
        group["metadata"]["generation"] = json!(2);
    });
    rig.api.wait_for("a listener with the new label", PATIENCE, listens("gpu")).await;
    let run = rig.push("{ build: { runs-on: gpu } }");
    assert_eq!(rig.concluded(&run).await, "success");
    rig.assert_clean();
}
