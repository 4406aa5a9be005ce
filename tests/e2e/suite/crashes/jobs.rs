//! The rows of a job's life: the controller ends between two of its writes.

use anyhow::Result;
use e2e::Namespace;
use e2e::tenant::GATE;
use e2e::write_blocker::Write;

use super::row::{Meanwhile, Outcome, Point, Row, SUCCESS};

const GROUP: &str = "actions-gateway.github.com";
const INTENT: Write = Write { operation: "CREATE", group: GROUP, resource: "runnerjobs" };
const STATUS: Write = Write { operation: "UPDATE", group: GROUP, resource: "runnerjobs/status" };
const POD: Write = Write { operation: "CREATE", group: "", resource: "pods" };
const RELEASE: Write = Write { operation: "UPDATE", group: "", resource: "pods" };
const REMOVAL: Write = Write { operation: "DELETE", group: "", resource: "secrets" };
/// The Secret of an agent that has run its job is written over; that of a new place is created.
const NEXT_AGENT: Write = Write { operation: "UPDATE", group: "", resource: "secrets" };

pub async fn c1_an_offer_without_a_runner_job_is_offered_again(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(INTENT), ..SUCCESS }.prove(namespace).await
}

pub async fn c2_a_runner_job_that_was_not_acquired_is_acquired(namespace: Namespace) -> Result<()> {
    Row { point: Point::Acquiring { granted: false }, ..SUCCESS }.prove(namespace).await
}

pub async fn c3a_an_acquisition_is_repeated(namespace: Namespace) -> Result<()> {
    let meanwhile = Meanwhile::ARepeatedAcquisitionIsGranted;
    Row { point: Point::Acquiring { granted: true }, meanwhile, ..SUCCESS }.prove(namespace).await
}

pub async fn c3b_a_lost_acquisition_is_reported(namespace: Namespace) -> Result<()> {
    Row { point: Point::Acquiring { granted: true }, outcome: Outcome::ClaimLost, ..SUCCESS }
        .prove(namespace)
        .await
}

pub async fn c3c_a_runner_job_without_an_acquired_job_is_deleted(namespace: Namespace) -> Result<()> {
    let meanwhile = Meanwhile::TheRunIsCancelled;
    let point = Point::Acquiring { granted: false };
    Row { point, meanwhile, outcome: Outcome::NotOurs, ..SUCCESS }.prove(namespace).await
}

pub async fn c4_a_stored_payload_gets_its_pod(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(POD), ..SUCCESS }.prove(namespace).await
}

pub async fn c5_a_pod_whose_creation_was_not_answered_is_adopted(namespace: Namespace) -> Result<()> {
    Row { point: Point::Sent(POD), meanwhile: Meanwhile::ThePodAppears, ..SUCCESS }.prove(namespace).await
}

pub async fn c6_a_pod_that_no_status_names_is_adopted(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(STATUS), script: GATE, ..SUCCESS }.prove(namespace).await
}

pub async fn c7_a_running_job_keeps_running(namespace: Namespace) -> Result<()> {
    Row { script: GATE, ..SUCCESS }.prove(namespace).await
}

pub async fn c8_a_job_that_ended_meanwhile_gets_its_result(namespace: Namespace) -> Result<()> {
    Row { script: GATE, meanwhile: Meanwhile::TheJobEnds, ..SUCCESS }.prove(namespace).await
}

pub async fn c9_the_payload_secret_of_a_complete_job_is_deleted(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(REMOVAL), ..SUCCESS }.prove(namespace).await
}

pub async fn c10_a_consumed_agent_is_replaced(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(NEXT_AGENT), ..SUCCESS }.prove(namespace).await
}

pub async fn c11_a_finished_pod_loses_its_finalizer(namespace: Namespace) -> Result<()> {
    Row { point: Point::Refused(RELEASE), ..SUCCESS }.prove(namespace).await
}

pub async fn c12_a_vanished_pod_is_reported(namespace: Namespace) -> Result<()> {
    let meanwhile = Meanwhile::ThePodIsDeleted;
    Row { script: GATE, meanwhile, outcome: Outcome::Vanished, ..SUCCESS }.prove(namespace).await
}
