//! One controller at a time: the Lease is waited for, given back, taken over, and lost.

use http::Method;
use serde_json::{Value, json};
use testkit::api_server::{ApiServer, Call, Effect};
use tokio::time::Instant;

use crate::jobs::finish;
use crate::kubelet::Behaviour;
use crate::rig::{LEASE_DURATION, PATIENCE, Rig};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/team-a/leases/actions-gateway-controller";

fn holder(api: &ApiServer) -> Option<String> {
    api.get(LEASE)?["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

fn calls_of(rig: &Rig, who: &str) -> Vec<Call> {
    let mut calls = rig.api.calls();
    calls.retain(|it| it.who == who);
    calls
}

#[tokio::test]
async fn a_controller_that_waits_for_the_lease_writes_nothing_and_opens_no_session() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let first = rig.controller("agc-0");
    rig.listens("agc-0").await;
    let ready = |_: &ApiServer| first.health.failing().is_empty().then_some(());
    rig.api.wait_for("the first one is ready", PATIENCE, ready).await;
    let second = rig.controller("agc-1");
    // Not even for the first moment is it ready.
    let unready: Vec<String> = second.health.failing().into_keys().collect();
    assert_eq!(unready, ["lease", "runnergroups", "watches"]);
    // Three looks are further apart than the lease lasts without a renewal.
    let looks = |_: &ApiServer| (calls_of(&rig, "agc-1").len() >= 3).then_some(());
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.api.wait_for("three looks at the lease", PATIENCE, looks).await;
    rig.assert_ran_once(&run, "agc-0").await;
    let asked: Vec<(Method, String)> =
        calls_of(&rig, "agc-1").into_iter().map(|it| (it.method, it.path)).collect();
    assert!(asked.iter().all(|it| *it == (Method::GET, LEASE.into())), "{asked:?}");
    let sessions = rig.github.control().state().sessions;
    assert!(sessions.iter().all(|it| it.owner == "agc-0"), "{sessions:?}");
    assert_eq!(holder(&rig.api).as_deref(), Some("agc-0"));
    assert_eq!(second.health.failing().into_keys().collect::<Vec<_>>(), unready);
}

#[tokio::test]
async fn a_lease_that_is_given_back_is_taken_at_the_first_look() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let first = rig.controller("agc-0");
    rig.listens("agc-0").await;
    first.stop().await;
    assert_eq!(holder(&rig.api), None);
    let _second = rig.controller("agc-1");
    rig.listens("agc-1").await;
    let lease = calls_of(&rig, "agc-1").into_iter().filter(|it| it.path == LEASE).map(|it| it.method);
    assert_eq!(lease.take(2).collect::<Vec<_>>(), [Method::GET, Method::PUT]);
}

#[tokio::test]
async fn a_lease_whose_holder_was_killed_is_taken_when_it_has_run_out() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let first = rig.controller("agc-0");
    rig.listens("agc-0").await;
    drop(first);
    let begin = Instant::now();
    let _second = rig.controller("agc-1");
    let taken = |api: &ApiServer| (holder(api)? == "agc-1").then_some(());
    rig.api.wait_for("the lease is taken over", PATIENCE, taken).await;
    assert!(begin.elapsed() >= LEASE_DURATION, "{:?}", begin.elapsed());
    let before = calls_of(&rig, "agc-1").into_iter().take_while(|it| it.method != Method::PUT);
    let paths: Vec<String> = before.map(|it| it.path).collect();
    assert!(paths.iter().all(|it| it == LEASE), "{paths:?}");
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&run, "agc-1").await;
}

#[tokio::test]
async fn a_controller_that_cannot_renew_ends_and_leaves_its_job_to_the_next() {
    let rig = Rig::start(json!({}), Behaviour::RunsOn).await;
    let mut first = rig.controller("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let named = |api: &ApiServer| {
        api.list("/runnerjobs/").iter().any(|it: &Value| it["status"]["pod"]["uid"].is_string()).then_some(())
    };
    rig.api.wait_for("W4", PATIENCE, named).await;
    rig.api.fail(Method::PUT, "/leases/", 1000, Effect::Refuse(500, "down".into()));
    first.ended().await;
    drop(first);
    rig.api.heal();
    finish(&rig, &rig.api.list("/pods/")[0]);
    assert_eq!(rig.concluded(&run).await, "success");
    let _second = rig.controller("agc-1");
    rig.assert_ran_once(&run, "agc-1").await;
    let calls = rig.api.calls();
    let taken_over = calls.iter().position(|it| it.who == "agc-1" && it.is_write()).unwrap();
    let late: Vec<_> = calls[taken_over..].iter().filter(|it| it.who == "agc-0").collect();
    assert!(late.is_empty(), "{late:#?}");
    let completed =
        calls.iter().filter(|it| it.path.contains("/runnerjobs/") && it.path.ends_with("/status"));
    let by: Vec<&str> =
        completed.filter(|it| it.body["status"]["result"].is_string()).map(|it| it.who.as_str()).collect();
    assert_eq!(by, ["agc-1"]);
}

#[tokio::test]
async fn a_controller_whose_lease_is_taken_ends_at_once() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let mut controller = rig.controller("agc-0");
    rig.api.wait_for("the lease", PATIENCE, |api| api.get(LEASE)).await;
    rig.api.edit(LEASE, |it| it["spec"]["holderIdentity"] = json!("somebody-else"));
    controller.ended().await;
}
