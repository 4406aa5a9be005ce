//! The task that writes for one job, one write after the other.

use std::sync::Arc;
use std::time::Duration;

use api::RunnerJob;
use api::{FailureReason, StopReason};
use job::{Effect, Event, Step};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::record::{self, Record};
use super::writes::{self, Created};
use super::{Shared, View};
use crate::agents;
use crate::dispatcher::Message;

/// How long a settled job waits for its agent's successor, before it leaves that to the pool.
const REPLACEMENT: Duration = Duration::from_secs(120);

/// Pauses between tries of what must be written in the end.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Writes until nobody asks for more.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut queue: mpsc::Receiver<(Effect, View)>,
    found: Option<RunnerJob>,
) {
    let mut record = found.map_or(Record::Absent, |it| Record::Present(Box::new(it)));
    while let Some((effect, view)) = queue.recv().await {
        perform(&shared, &mut record, effect, &view).await;
    }
}

async fn perform(shared: &Shared, record: &mut Record, effect: Effect, view: &View) {
    let name = &view.offer.name;
    match effect {
        Effect::Record => {
            *record = record::create(shared, view).await;
            match record {
                Record::Present(it) => {
                    let uid = it.metadata.uid.clone().unwrap_or_default();
                    shared.tell(Message::Recorded(name.clone(), uid)).await;
                }
                _ => shared.event(name, Event::RecordFailed).await,
            }
        }
        Effect::StorePayload => {
            let span = tracing::info_span!(parent: &view.span, "stageJobSecret");
            let event = writes::store_payload(shared, record, view).instrument(span).await;
            shared.event(name, event).await;
        }
        Effect::CreatePod => {
            let span = tracing::info_span!(parent: &view.span, "createPod");
            match writes::create_pod(shared, record, view).instrument(span).await {
                Created::Pod(pod) => shared.tell(Message::PodCreated(name.clone(), pod)).await,
                Created::Not(event) => shared.event(name, event).await,
            }
        }
        Effect::WriteAcquired | Effect::WriteRunning => {
            until_done(shared, record, view, Write::Status).await;
        }
        Effect::AskToCancel(reason, seconds) => {
            until_done(shared, record, view, Write::AskToCancel(reason, seconds)).await;
        }
        Effect::StopWorker(reason, grace) => {
            until_done(shared, record, view, Write::StopWorker(reason, grace)).await;
        }
        Effect::Settle(Step::TellGitHub(_)) => {} // a call to GitHub, done beside
        Effect::Settle(step) => {
            settle(shared, record, view, step).await;
            shared.event(name, Event::Done(step)).await;
        }
        Effect::DeleteRecord => record::delete(shared, record, view).await,
        Effect::ReleaseRecord => {
            if let Record::Present(it) = record {
                record::release(shared, it).await;
            }
        }
        Effect::TakeSlot
        | Effect::ReleaseSlot
        | Effect::Acquire
        | Effect::CheckAgent
        | Effect::Renew
        | Effect::Wake(..)
        | Effect::Report(_) => {} // the dispatcher's, or done beside
    }
}

async fn settle(shared: &Shared, record: &mut Record, view: &View, step: Step) {
    match step {
        Step::TellGitHub(_) => {}
        Step::WriteComplete => until_done(shared, record, view, Write::Status).await,
        Step::DeletePayload => until_done(shared, record, view, Write::DeletePayload).await,
        Step::ReplaceAgent => replace_agent(view).await,
        Step::ReleasePod => until_done(shared, record, view, Write::ReleasePod).await,
    }
}

/// The pool answers when it has another agent, or has put that off. A pool that is gone needs none.
async fn replace_agent(view: &View) {
    let reason = view.outcome.as_ref().and_then(|it| it.reason);
    tracing::debug!(job = %view.offer.name, lost = reason == Some(FailureReason::ClaimLost), "replacing the agent");
    let Some(pool) = &view.pool else { return };
    let (done, replaced) = oneshot::channel();
    let message = agents::Message::Replace(view.offer.agent.clone(), done);
    if pool.send(message).await.is_ok() {
        // Late, or never: the pool goes on by itself.
        let _ = timeout(REPLACEMENT, replaced).await;
    }
}

/// A write that must be done in the end: what it writes is the only trace of a job's end.
#[derive(Clone, Copy)]
enum Write {
    Status,
    AskToCancel(StopReason, u32),
    StopWorker(StopReason, Option<u32>),
    DeletePayload,
    ReleasePod,
}

async fn until_done(shared: &Shared, record: &mut Record, view: &View, write: Write) {
    let mut pause = FIRST_PAUSE;
    while let Err(error) = attempt(shared, record, view, write).await {
        tracing::warn!(error = %operator::describe(&error), "a write failed and is tried again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(shared: &Shared, record: &mut Record, view: &View, write: Write) -> Result<(), kube::Error> {
    match write {
        Write::Status => writes::status(shared, record, view).await,
        Write::AskToCancel(reason, seconds) => writes::ask_to_cancel(shared, view, reason, seconds).await,
        Write::StopWorker(reason, grace) => writes::stop_worker(shared, view, reason, grace).await,
        Write::DeletePayload => writes::delete_payload(shared, view).await,
        Write::ReleasePod => writes::release_pod(shared, view).await,
    }
}
