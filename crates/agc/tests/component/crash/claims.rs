//! C1 to C3c: killed around the claim.

use fakegithub::{Fault, Lever, Repeat};
use http::Method;
use serde_json::json;
use testkit::api_server::{ApiServer, Effect};

use super::{SECOND, killed};
use crate::kubelet::Behaviour;
use crate::rig::{PATIENCE, Rig, ending};

/// X1 is granted, and nobody hears of it.
fn withhold_the_grant(rig: &Rig) {
    rig.github.control().fail(Fault { after_commit: true, delay_ms: 60_000, ..Fault::new("X1") });
}

fn claimed(rig: &Rig) -> bool {
    rig.github.control().runs().iter().any(|run| run.jobs.iter().any(|job| job.claims > 0))
}

#[tokio::test]
async fn c1_an_offer_of_which_nothing_is_written_is_offered_again() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/runnerjobs", 1, Effect::Withhold);
    let run = killed(&rig, "the offer", |rig| rig.asked(Method::POST, "/runnerjobs") > 0).await;
    assert!(rig.api.list("/runnerjobs/").is_empty());
    assert_eq!(rig.asked_github("X1").len(), 0);
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
    assert_eq!(rig.asked_github("X1").len(), 1);
}

#[tokio::test]
async fn c2_an_intent_is_followed_by_its_claim() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/runnerjobs", 1, Effect::WithholdAnswer);
    let run = killed(&rig, "the intent", |rig| !rig.api.list("/runnerjobs/").is_empty()).await;
    assert_eq!(rig.asked_github("X1").len(), 0);
    let intent = rig.api.list("/runnerjobs/").remove(0);
    let _second = rig.controller(SECOND);
    let job = rig.assert_ran_once(&run, SECOND).await;
    assert_eq!(job["metadata"]["uid"], intent["metadata"]["uid"]);
    let claims = rig.asked_github("X1");
    let agents: Vec<_> = claims.iter().map(|it| it.agent.as_deref()).collect();
    assert_eq!(
        agents,
        [intent["spec"]["broker"]["agent"]["name"].as_str()],
        "claimed once, by the agent of the intent"
    );
}

#[tokio::test]
async fn c3a_a_claim_whose_answer_is_lost_is_claimed_again() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    withhold_the_grant(&rig);
    rig.github.control().pull(Lever::RepeatedAcquire { answer: Repeat::Same, account: None }).unwrap();
    let run = killed(&rig, "the claim", claimed).await;
    let _second = rig.controller(SECOND);
    rig.assert_ran_once(&run, SECOND).await;
    let claims = rig.asked_github("X1");
    assert_eq!(claims.len(), 2);
    assert_eq!(claims[0].body_sha256, claims[1].body_sha256, "the same request");
    assert_eq!(claims[0].agent, claims[1].agent);
}

async fn c3b(refusal: u16) {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    withhold_the_grant(&rig);
    let body = json!({ "source": "actions-run-service", "statusCode": refusal, "errorMessage": "synthetic" });
    rig.github.control().fail(Fault::new("X1").answering(refusal).with_body(body));
    let run = killed(&rig, "the claim", claimed).await;
    let consumed =
        rig.api.list("/runnerjobs/")[0]["spec"]["broker"]["agent"]["name"].as_str().unwrap().to_owned();

    let second = rig.controller(SECOND);
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "ClaimLost");
    let said = |it: &str| job["status"][it].as_str().unwrap_or_default().to_owned();
    assert_eq!((said("failureReason"), said("failureClass")), ("claim_lost".into(), "infra".into()));
    let lost = |api: &ApiServer| api.list("/events/").into_iter().find(|it| it["reason"] == "JobClaimLost");
    let event = rig.api.wait_for("the Event", PATIENCE, lost).await;
    assert_eq!((&event["type"], &event["involvedObject"]["kind"]), (&json!("Warning"), &json!("RunnerJob")));
    let failures = "actions_gateway_job_failures_total{class=\"infra\",namespace=\"team-a\",reason=\"claim_lost\",runner_group=\"blue\"}";
    assert_eq!(second.metric(failures), Some("1".into()));

    assert_eq!(rig.github.control().ledger(Some(run.run_id)), [], "nobody began the job");
    assert_eq!(rig.asked(Method::POST, "/pods"), 0);
    let agent = rig.listens(SECOND).await;
    assert_ne!(agent, consumed);
    assert!(!rig.agents_stored().contains(&consumed), "{:?}", rig.agents_stored());
    rig.assert_clean();
}

#[tokio::test]
async fn c3b_a_claim_that_cannot_be_repeated_is_said_to_be_lost() {
    c3b(409).await;
}

#[tokio::test]
async fn c3b_a_claim_whose_offer_is_not_known_any_more_is_said_to_be_lost() {
    c3b(404).await;
}

#[tokio::test]
async fn c3b_a_claim_that_was_handed_to_a_worker_is_said_to_be_lost() {
    c3b(422).await;
}

#[tokio::test]
async fn c3c_an_intent_whose_job_is_gone_leaves_nothing_behind() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    rig.api.fail(Method::POST, "/runnerjobs", 1, Effect::WithholdAnswer);
    let run = killed(&rig, "the intent", |rig| !rig.api.list("/runnerjobs/").is_empty()).await;
    let agent =
        rig.api.list("/runnerjobs/")[0]["spec"]["broker"]["agent"]["name"].as_str().unwrap().to_owned();
    rig.github.control().cancel_run(run.run_id).unwrap();
    let _second = rig.controller(SECOND);
    let none = |api: &ApiServer| api.list("/runnerjobs/").is_empty().then_some(());
    rig.api.wait_for("the intent is taken back", PATIENCE, none).await;
    assert_eq!(rig.asked_github("R5").len(), 1, "the agent was looked at");
    assert_eq!(rig.pods_made().len(), 0);
    assert_eq!(rig.github.control().ledger(None), []);
    assert!(rig.agents_stored().contains(&agent), "it has run nothing, so it is good for another job");
    let next = rig.push("{ build: { runs-on: linux } }");
    rig.assert_ran_once(&next, SECOND).await;
}

#[tokio::test]
async fn c3c_a_claim_that_was_refused_leaves_nothing_behind() {
    let rig = Rig::start(json!({}), Behaviour::Succeeds).await;
    let body = json!({ "source": "actions-run-service", "statusCode": 409, "errorMessage": "synthetic" });
    rig.github.control().fail(Fault::new("X1").times(2).answering(409).with_body(body));
    rig.api.fail(Method::DELETE, "/runnerjobs", 1, Effect::Withhold);
    let run = killed(&rig, "the refusal", |rig| rig.asked(Method::DELETE, "/runnerjobs") > 0).await;
    let refused = rig.api.list("/runnerjobs/").remove(0);
    let _second = rig.controller(SECOND);
    // GitHub offers the job again, and this time grants it.
    let job = rig.assert_ran_once(&run, SECOND).await;
    assert_ne!(job["metadata"]["uid"], refused["metadata"]["uid"]);
}
