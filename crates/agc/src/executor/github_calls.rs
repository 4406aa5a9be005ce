//! B3, X1, X2 and R5: the calls of a job to GitHub while it is being claimed and runs.

use std::sync::Arc;

use github::run_service::{self, RenewError};
use github::session::{self, Acknowledgement};
use job::{AgentState, Event};
use operator::describe;

use super::{Shared, View};
use crate::claim::{Claim, LOCK};
use crate::dispatcher::Message;
use crate::report::AcquisitionError;

/// X1.
pub(super) async fn acquire(shared: Arc<Shared>, view: View) {
    let name = &view.offer.name;
    let Some(credentials) = &view.offer.credentials else {
        // Nothing to claim with: the agent itself tells whether the claim was granted.
        return shared.event(name, Event::AcquireRefused { doubtful: true }).await;
    };
    let Ok(_permit) = shared.github_calls.acquire().await else { return };
    let github = &shared.github;
    let request = &view.offer.request;
    if acknowledge(&shared, &view).await == Acknowledgement::JobGone {
        return shared.event(name, Event::AcquireRefused { doubtful: false }).await;
    }
    let answer =
        run_service::acquire(&github.client, &credentials.auth, request, &github.clock, &github.timers).await;
    let acquired = match answer {
        Ok(acquired) => acquired,
        Err(error) => {
            let doubtful = error.may_be_ours();
            let reason = AcquisitionError::of(error.kind());
            tracing::info!(job = %name, reason = reason.as_str(), doubtful, error = %describe(&error), "a claim did not come about");
            shared.reporter.not_acquired(reason);
            let event = match error {
                run_service::AcquireError::Declined { doubtful, .. } => Event::AcquireRefused { doubtful },
                _ => Event::AcquireFailed { sent: doubtful },
            };
            return shared.event(name, event).await;
        }
    };
    let namespace = &shared.platform.namespace;
    let group = &view.offer.group.name;
    match Claim::read(acquired, &request.run_service_url, credentials.jit.clone(), namespace, group) {
        Ok(claim) => shared.tell(Message::Claimed(name.clone(), Arc::new(claim))).await,
        Err(error) => {
            tracing::warn!(job = %name, error = %describe(&error), "a claimed job's message is of no use");
            shared.event(name, Event::AcquireFailed { sent: true }).await;
        }
    }
}

/// B3, for an offer that is about to be claimed. One that asks for none, or that a predecessor acknowledged, needs none;
/// and whatever the answer, but that the job has gone, the claim itself decides.
async fn acknowledge(shared: &Shared, view: &View) -> Acknowledgement {
    let (request, github) = (&view.offer.request, &shared.github);
    let (Some(session), Some(credentials)) = (&view.offer.session, &view.offer.credentials) else {
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
        &github.timers,
    )
    .await
}

/// The four words of the counter.
/// X2.
pub(super) async fn renew(shared: Arc<Shared>, view: View) {
    let name = &view.offer.name;
    let Some(claim) = &view.claim else {
        // The payload is gone, and with it the token: the lock runs out.
        return shared.event(name, Event::RenewFailed).await;
    };
    let Ok(_permit) = shared.github_calls.acquire().await else { return };
    let github = &shared.github;
    let job = &claim.job;
    let token = &job.connection.token;
    let renewed =
        run_service::renew(&github.client, &claim.renew_at, &job.plan_id, &job.job_id, token, &github.timers);
    let event = match renewed.await {
        Ok(until) => Event::Renewed { locked_until: until.unwrap_or(shared.now() + LOCK) },
        Err(error) => {
            tracing::warn!(job = %name, error = %describe(&error), "a lock was not renewed");
            match error {
                RenewError::Lost(_) => Event::LockGone,
                _ => Event::RenewFailed,
            }
        }
    };
    shared.event(name, event).await;
}

/// R5.
pub(super) async fn check_agent(shared: Arc<Shared>, view: View) {
    let Ok(_permit) = shared.github_calls.acquire().await else { return };
    let runner = github_proto::RunnerId(u64::try_from(view.offer.agent.runner_id).unwrap_or_default());
    let event = match shared.github.app.runner(runner).await {
        Ok(Some(runner)) if runner.busy => Event::AgentSeen(AgentState::Busy),
        Ok(_) => Event::AgentSeen(AgentState::Free),
        Err(error) => {
            tracing::warn!(job = %view.offer.name, error = %describe(&error), "an agent could not be looked at");
            Event::AgentUnseen
        }
    };
    shared.event(&view.offer.name, event).await;
}
