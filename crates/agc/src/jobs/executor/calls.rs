//! X1, X2 and R5: the calls of a job to GitHub while it is being acquired and runs.

use std::sync::Arc;

use github::run_service::{self, RenewError};
use job::Event;
use operator::describe;

use super::{Shared, broker};
use crate::jobs::acquired::LOCK;
use crate::jobs::offer::Source;
use crate::jobs::snapshot::JobSnapshot;
use crate::report::job_line;

/// X1, by whoever offers the job.
pub(super) async fn acquire(shared: Arc<Shared>, snapshot: JobSnapshot) {
    match &snapshot.offer.source {
        Source::Broker(offer) => broker::acquire(&shared, &snapshot, offer).await,
    }
}

/// R5: whether an X1 that nobody answered was granted, by whoever offered the job.
pub(super) async fn look_whether_acquired(shared: Arc<Shared>, snapshot: JobSnapshot) {
    match &snapshot.offer.source {
        Source::Broker(offer) => broker::get_runner(&shared, &snapshot, offer).await,
    }
}

/// X2.
pub(super) async fn renew(shared: Arc<Shared>, snapshot: JobSnapshot) {
    let name = &snapshot.offer.name;
    let Some(claim) = &snapshot.acquired else {
        // The payload is gone, and with it the token: the lock runs out.
        return shared.event(name, Event::RenewFailed).await;
    };
    let Ok(_permit) = shared.github_calls.acquire().await else { return };
    let github = &shared.github;
    let job = &claim.job;
    let token = &job.connection.token;
    let renewed = run_service::renew(
        &github.client,
        &claim.renew_at,
        &job.plan_id,
        &job.job_id,
        token,
        &github.timeouts,
    );
    let event = match renewed.await {
        Ok(until) => Event::Renewed { locked_until: until.unwrap_or(shared.now() + LOCK) },
        Err(error) => {
            job_line!(warn, snapshot.line(), error = %describe(&error), "failed to renew the job's lock");
            match error {
                RenewError::Lost(_) => Event::LockGone,
                _ => Event::RenewFailed,
            }
        }
    };
    shared.event(name, event).await;
}
