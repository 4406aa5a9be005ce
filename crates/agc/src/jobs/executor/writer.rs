//! The task that writes for one job, one write after the other.

use std::sync::Arc;
use std::time::Duration;

use api::{RunnerJob, StopReason};
use job::effect::Write;
use job::{Event, Step, StepOutcome};
use runtime::backoff::Backoff;
use tokio::sync::{mpsc, watch};
use tracing::Instrument as _;

use super::runner_job::{self, Written};
use super::waits::Waits;
use super::writes::{self, Created};
use super::{Shared, stops};
use crate::jobs::message::Message;
use crate::jobs::snapshot::JobSnapshot;
use crate::report::job_line;

/// Pauses between tries of what must be written in the end.
const AGAIN: Backoff =
    Backoff::Doubling { first: Duration::from_millis(500), longest: Duration::from_secs(30) };

/// Writes until nobody asks for more.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut queue: mpsc::Receiver<(Write, JobSnapshot)>,
    asked: watch::Receiver<Option<JobSnapshot>>,
    found: Option<RunnerJob>,
) {
    let mut record = found.map_or(Written::Absent, |it| Written::Present(Box::new(it)));
    let mut waits = Waits::new(asked);
    while let Some((write, snapshot)) = waits.beside(&shared, &mut record, queue.recv()).await {
        match write {
            Write::CreatePayload | Write::CreatePod => {
                let owner = record.clone();
                let posted = Box::pin(post(&shared, &owner, write, &snapshot));
                let answer = waits.beside(&shared, &mut record, posted).await;
                shared.tell(answer).await;
            }
            _ => {
                waits.forget();
                perform(&shared, &mut record, write, &snapshot).await;
            }
        }
    }
}

/// W2 and W3, which the job waits for.
async fn post(shared: &Shared, owner: &Written, write: Write, snapshot: &JobSnapshot) -> Message {
    let name = snapshot.offer.name.clone();
    if write == Write::CreatePayload {
        let span = tracing::info_span!(parent: &snapshot.span, "stageJobSecret");
        let event = writes::store_payload(shared, owner, snapshot).instrument(span).await;
        return Message::Event(name, event);
    }
    let span = tracing::info_span!(parent: &snapshot.span, "createPod");
    match writes::create_pod(shared, owner, snapshot).instrument(span).await {
        Created::Pod(pod) => Message::PodCreated(name, pod),
        Created::Not(event) => Message::Event(name, event),
    }
}

/// Does what is asked, and tells the dispatcher of answers that a machine waits for.
async fn perform(shared: &Shared, record: &mut Written, write: Write, snapshot: &JobSnapshot) {
    let name = &snapshot.offer.name;
    match write {
        Write::CreateRunnerJob => {
            *record = runner_job::create(shared, snapshot).await;
            match record {
                Written::Present(it) => {
                    let uid = it.metadata.uid.clone().unwrap_or_default();
                    shared.tell(Message::Recorded(name.clone(), uid)).await;
                }
                _ => shared.event(name, Event::RecordFailed).await,
            }
        }
        Write::DeleteRunnerJob => runner_job::delete(shared, record, snapshot).await,
        Write::ReleaseRunnerJob => {
            if let Written::Present(it) = record {
                runner_job::release(shared, it).await;
            }
        }
        // These come by other ways.
        Write::CreatePayload | Write::CreatePod | Write::PatchWaiting => {}
        Write::PatchAcquired | Write::PatchHindrance | Write::PatchRejected | Write::PatchRunning => {
            until_done(shared, record, snapshot, Lasting::Status).await;
        }
        Write::AskToCancel(reason, seconds) => {
            until_done(shared, record, snapshot, Lasting::AskToCancel(reason, seconds)).await;
        }
        Write::RemoveRejectedPod => {
            until_done(shared, record, snapshot, Lasting::RemoveRejectedPod).await;
        }
        Write::DeletePod(reason, grace) => {
            until_done(shared, record, snapshot, Lasting::DeletePod(reason, grace)).await;
        }
        Write::PatchAwaitingRerun => {
            step(shared, record, snapshot, Lasting::Status, Step::PatchAwaitingRerun).await;
        }
        Write::PatchComplete => {
            step(shared, record, snapshot, Lasting::Status, Step::PatchComplete).await;
        }
        Write::DeletePayload => {
            step(shared, record, snapshot, Lasting::DeletePayload, Step::DeletePayload).await;
        }
        Write::RemovePod => {
            step(shared, record, snapshot, Lasting::RemovePod, Step::RemovePod).await;
        }
        Write::ReleasePod => {
            step(shared, record, snapshot, Lasting::ReleasePod, Step::ReleasePod).await;
        }
    }
}

/// Writes what a step of the settlement asks for, and says that it is taken.
async fn step(shared: &Shared, record: &mut Written, snapshot: &JobSnapshot, write: Lasting, step: Step) {
    if until_done(shared, record, snapshot, write).await {
        shared.event(&snapshot.offer.name, Event::StepTaken(step, StepOutcome::Done)).await;
    }
}

/// A write that must be done in the end: what it writes is the only trace of what happened.
#[derive(Debug, Clone, Copy, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Lasting {
    Status,
    AskToCancel(StopReason, u32),
    DeletePod(StopReason, Option<u32>),
    RemoveRejectedPod,
    DeletePayload,
    RemovePod,
    ReleasePod,
}

/// Whether it was done. It is not when the process ends while the API server refuses it: the next start takes it up.
async fn until_done(shared: &Shared, record: &mut Written, snapshot: &JobSnapshot, write: Lasting) -> bool {
    let mut failures = shared.github.clock.failures(AGAIN);
    while let Err(error) = attempt(shared, record, snapshot, write).await {
        let write = <&str>::from(write);
        let error = operator::describe(&error);
        job_line!(warn, snapshot.line(), write, %error, "failed to write the job's objects: trying again");
        tokio::select! {
            () = tokio::time::sleep(failures.fail()) => {}
            () = shared.ending.cancelled() => return false,
        }
    }
    true
}

async fn attempt(
    shared: &Shared,
    record: &mut Written,
    snapshot: &JobSnapshot,
    write: Lasting,
) -> Result<(), kube::Error> {
    match write {
        Lasting::Status => writes::status(shared, record, snapshot).await,
        Lasting::AskToCancel(reason, seconds) => {
            stops::ask_to_cancel(shared, snapshot, reason, seconds).await
        }
        Lasting::DeletePod(reason, grace) => stops::delete_pod(shared, snapshot, reason, grace).await,
        Lasting::RemoveRejectedPod => stops::remove_rejected_pod(shared, snapshot).await,
        Lasting::DeletePayload => writes::delete_payload(shared, snapshot).await,
        Lasting::RemovePod => stops::remove_pod(shared, record, snapshot).await,
        Lasting::ReleasePod => writes::release_pod(shared, snapshot).await,
    }
}
