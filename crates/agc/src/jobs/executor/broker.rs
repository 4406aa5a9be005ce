//! B3, X1 and R5: acquiring a job that GitHub's broker offers to an agent.

use github::run_service;
use github::session::{self, Acknowledgement};
use job::{AgentState, Event};
use operator::describe;

use super::Shared;
use crate::jobs::acquired::AcquiredJob;
use crate::jobs::message::Message;
use crate::jobs::offer::BrokerOffer;
use crate::jobs::snapshot::JobSnapshot;
use crate::report::{AcquisitionError, job_line};
use std::sync::Arc;

/// X1.
pub(super) async fn acquire(shared: &Shared, snapshot: &JobSnapshot, offer: &BrokerOffer) {
    let name = &snapshot.offer.name;
    let Some(credentials) = &offer.credentials else {
        // Nothing to claim with: the agent itself tells whether the claim was granted.
        return shared.event(name, Event::AcquireRefused { doubtful: true }).await;
    };
    let Ok(_permit) = shared.github_calls.acquire().await else { return };
    let github = &shared.github;
    let request = &offer.request;
    if acknowledge(shared, offer).await == Acknowledgement::JobGone {
        return shared.event(name, Event::AcquireRefused { doubtful: false }).await;
    }
    let answer =
        run_service::acquire(&github.client, &credentials.auth, request, &github.clock, &github.timeouts)
            .await;
    let acquired = match answer {
        Ok(acquired) => acquired,
        Err(error) => {
            let doubtful = error.may_be_ours();
            let reason = AcquisitionError::of(error.kind());
            job_line!(info, snapshot.line(), reason = reason.as_str(), doubtful, error = %describe(&error), "failed to acquire the job");
            shared.reporter.not_acquired(reason);
            let event = match error {
                run_service::AcquireError::Declined { doubtful, .. } => Event::AcquireRefused { doubtful },
                _ => Event::AcquireFailed { sent: doubtful },
            };
            return shared.event(name, event).await;
        }
    };
    let namespace = &shared.platform.namespace;
    let group = &snapshot.offer.group.name;
    match AcquiredJob::read(acquired, &request.run_service_url, credentials.jit.clone(), namespace, group) {
        Ok(claim) => shared.tell(Message::Claimed(name.clone(), Arc::new(claim))).await,
        Err(error) => {
            job_line!(warn, snapshot.line(), error = %describe(&error), "failed to decode the acquired job's message");
            shared.event(name, Event::AcquireFailed { sent: true }).await;
        }
    }
}

/// B3, for an offer that is about to be claimed. One that asks for none, or that a predecessor acknowledged, needs none;
/// and whatever the answer, but that the job has gone, the claim itself decides.
async fn acknowledge(shared: &Shared, offer: &BrokerOffer) -> Acknowledgement {
    let (request, github) = (&offer.request, &shared.github);
    let (Some(session), Some(credentials)) = (&offer.session, &offer.credentials) else {
        return Acknowledgement::Unanswered;
    };
    if !request.should_acknowledge {
        return Acknowledgement::Unanswered;
    }
    session::acknowledge(
        &github.client,
        &credentials.auth,
        &session.id,
        &session.version,
        github.architecture,
        &request.request_id,
        &github.timeouts,
    )
    .await
}

/// R5.
pub(super) async fn get_runner(shared: &Shared, snapshot: &JobSnapshot, offer: &BrokerOffer) {
    let Ok(_permit) = shared.github_calls.acquire().await else { return };
    let runner = github_proto::RunnerId(u64::try_from(offer.agent.runner_id).unwrap_or_default());
    let event = match shared.github.app.runner(runner).await {
        Ok(Some(runner)) if runner.busy => Event::AgentSeen(AgentState::Busy),
        Ok(_) => Event::AgentSeen(AgentState::Free),
        Err(error) => {
            job_line!(warn, snapshot.line(), error = %describe(&error), "failed to get the runner");
            Event::AgentUnseen
        }
    };
    shared.event(&snapshot.offer.name, event).await;
}
