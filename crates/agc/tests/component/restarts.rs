//! A controller that is told to end, and the one after it.

use serde_json::json;
use testkit::api_server::ApiServer;

use super::jobs::finish;
use crate::kubelet::Behaviour;
use crate::rig::{PATIENCE, Rig};

#[tokio::test]
async fn an_orderly_end_leaves_no_session_and_the_job_runs_on() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let first = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let named =
        |api: &ApiServer| api.list("/runnerjobs/").iter().any(|it| it["status"]["pod"]["uid"].is_string());
    rig.api.wait_for("W4", PATIENCE, |api| named(api).then_some(())).await;
    first.stop().await;
    let agent = rig.api.list("/runnerjobs/")[0]["spec"]["broker"]["agent"]["name"].clone();
    let mut listening = rig.github.control().state().sessions;
    listening.retain(|it| agent != it.agent.as_str());
    assert!(listening.is_empty(), "{listening:?}");
    let pods = rig.api.list("/pods/");
    assert!(pods[0]["metadata"]["deletionTimestamp"].is_null());
    let _second = rig.controller("agc-1");
    finish(&rig, &pods[0]);
    rig.assert_ran_once(&run, "agc-1").await;
}
