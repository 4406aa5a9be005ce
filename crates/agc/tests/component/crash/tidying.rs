//! C9 to C11: killed while what is left of a finished job is tidied up.

use fakegithub::{Effect as Failure, Fault};
use http::Method;
use serde_json::json;
use testkit::api_server::Effect;

use super::{SECOND, is_complete, killed, payload_is_stored};
use crate::kubelet::Behaviour;
use crate::rig::Rig;

/// The agent that the only job was claimed by.
fn consumed(rig: &Rig) -> String {
    rig.api.list("/runnerjobs/")[0]["spec"]["agent"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn c9_the_payload_of_a_finished_job_goes() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::DELETE, "/secrets", 1, Effect::Withhold);
    let run = killed(&rig, "W7", |rig| rig.asked(Method::DELETE, "/secrets") > 0).await;
    assert!(is_complete(&rig) && payload_is_stored(&rig));
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c9_a_payload_that_is_gone_already_is_fine() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::DELETE, "/secrets", 1, Effect::WithholdAnswer);
    let run = killed(&rig, "W7", |rig| is_complete(rig) && !payload_is_stored(rig)).await;
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}

#[tokio::test]
async fn c10_a_consumed_agent_is_replaced() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    // The first registration is of the agent that claims, the second of the one that listens meanwhile.
    let withheld = Fault { skip: 2, effect: Failure::Withhold, ..Fault::new("R3") };
    rig.github.control().fail(withheld);
    let run = killed(&rig, "R3 after W7", |rig| rig.asked_github("R3").len() == 3).await;
    assert!(is_complete(&rig) && !payload_is_stored(&rig));
    let consumed = consumed(&rig);
    assert!(rig.agents_stored().contains(&consumed));
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
    let stored = rig.agents_stored();
    assert!(!stored.contains(&consumed), "{stored:?}");
}

#[tokio::test]
async fn c11_a_settled_job_lets_its_pod_go() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::PATCH, "/pods/", 1, Effect::Withhold);
    let run = killed(&rig, "W9", |rig| rig.asked(Method::PATCH, "/pods/") > 0).await;
    let consumed = consumed(&rig);
    assert!(!rig.agents_stored().contains(&consumed), "W8 is done");
    let held = &rig.api.list("/pods/")[0]["metadata"]["finalizers"];
    assert_eq!(*held, json!(["actions-gateway.github.com/job"]));
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
}
