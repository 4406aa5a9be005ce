//! The rows of a job's life: the controller ends between two of its writes.

use anyhow::Result;
use e2e::Namespace;
use e2e::tenant::GATE;
use e2e::write_blocker::Write;

use super::row::{ComesTo, Meanwhile, Point, Row, SUCCESS};

const GROUP: &str = "actions-gateway.github.com";
const INTENT: Write = Write { operation: "CREATE", group: GROUP, resource: "runnerjobs" };
const STATUS: Write = Write { operation: "UPDATE", group: GROUP, resource: "runnerjobs/status" };
const POD: Write = Write { operation: "CREATE", group: "", resource: "pods" };
const RELEASE: Write = Write { operation: "UPDATE", group: "", resource: "pods" };
const REMOVAL: Write = Write { operation: "DELETE", group: "", resource: "secrets" };
/// The Secret of an agent that has run its job is written over; that of a new place is created.
const NEXT_AGENT: Write = Write { operation: "UPDATE", group: "", resource: "secrets" };

pub async fn c1_an_offer_without_an_intent_comes_again(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(INTENT), ..SUCCESS }.prove(namespace).await
}

pub async fn c2_an_intent_without_a_claim_is_claimed(namespace: Namespace) -> Result<()> {
    Row { point: Point::Claiming { granted: false }, ..SUCCESS }.prove(namespace).await
}

pub async fn c3a_a_claim_is_asked_for_again(namespace: Namespace) -> Result<()> {
    let meanwhile = Meanwhile::ARepeatedClaimIsGranted;
    Row { point: Point::Claiming { granted: true }, meanwhile, ..SUCCESS }.prove(namespace).await
}

pub async fn c3b_a_lost_claim_is_said(namespace: Namespace) -> Result<()> {
    Row { point: Point::Claiming { granted: true }, comes_to: ComesTo::ClaimLost, ..SUCCESS }
        .prove(namespace)
        .await
}

pub async fn c3c_what_was_never_ours_is_forgotten(namespace: Namespace) -> Result<()> {
    let meanwhile = Meanwhile::TheRunIsCancelled;
    let point = Point::Claiming { granted: false };
    Row { point, meanwhile, comes_to: ComesTo::NotOurs, ..SUCCESS }.prove(namespace).await
}

pub async fn c4_a_stored_payload_gets_its_pod(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(POD), ..SUCCESS }.prove(namespace).await
}

pub async fn c5_a_pod_whose_making_was_not_answered_is_adopted(namespace: Namespace) -> Result<()> {
    Row { point: Point::Sent(POD), meanwhile: Meanwhile::ThePodAppears, ..SUCCESS }.prove(namespace).await
}

pub async fn c6_a_pod_that_no_status_names_is_adopted(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(STATUS), script: GATE, ..SUCCESS }.prove(namespace).await
}

pub async fn c7_a_running_job_goes_on(namespace: Namespace) -> Result<()> {
    Row { script: GATE, ..SUCCESS }.prove(namespace).await
}

pub async fn c8_a_job_that_ended_unseen_has_its_result(namespace: Namespace) -> Result<()> {
    Row { script: GATE, meanwhile: Meanwhile::TheJobEnds, ..SUCCESS }.prove(namespace).await
}

pub async fn c9_a_complete_job_loses_its_payload(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(REMOVAL), ..SUCCESS }.prove(namespace).await
}

pub async fn c10_a_consumed_agent_is_replaced(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(NEXT_AGENT), ..SUCCESS }.prove(namespace).await
}

pub async fn c11_a_finished_pod_is_let_go(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(RELEASE), ..SUCCESS }.prove(namespace).await
}

pub async fn c12_a_pod_that_vanished_is_said(namespace: Namespace) -> Result<()> {
    let meanwhile = Meanwhile::ThePodIsDeleted;
    Row { script: GATE, meanwhile, comes_to: ComesTo::Vanished, ..SUCCESS }.prove(namespace).await
}
