//! X3, J5 and J8: telling GitHub how a job ended that its runner could not report.

use std::sync::Arc;
use std::time::Duration;

use api::actions_gateway::NeverStarted;
use github::run_service::{self, Completed};
use github_proto::rest::{RunJob, RunStatus};
use github_proto::run_service::Completion;
use job::{Event, Step, StepOutcome, Unreported};
use operator::describe;
use runtime::backoff::Backoff;

use super::Shared;
use crate::jobs::acquired::run_of;
use crate::jobs::snapshot::JobSnapshot;
use crate::jobs::words;
use crate::report::{ForceCancel, job_line};

/// So much of what the cluster says is shown, in bytes: an annotation is read at a glance.
const MOST_WORDS: usize = 2_000;

/// How often GitHub is asked to end a run before it is left to its own fifteen minutes.
const FORCE_CANCEL_ATTEMPTS: u32 = 6;
const FORCE_CANCEL_PAUSE: Backoff =
    Backoff::Doubling { first: Duration::from_secs(2), longest: Duration::from_secs(60) };

/// Tells GitHub of the job's end. The settlement goes on whatever the answer.
pub(super) async fn tell(shared: Arc<Shared>, snapshot: JobSnapshot, what: Unreported) {
    let told = match (what, shared.never_started) {
        (Unreported::NeverStarted, NeverStarted::ForceCancel) => {
            force_cancel(&shared, &snapshot).await;
            None
        }
        _ => complete(&shared, &snapshot).await,
    };
    shared.event(&snapshot.offer.name, Event::StepTaken(Step::CompleteJob(what), StepOutcome::Done)).await;
    let doubtful = matches!(told, Some(Completed::Accepted | Completed::Refused | Completed::GaveUp(_)));
    if what == Unreported::NeverStarted && doubtful {
        // Not waited for when the process ends: GitHub then ends the job when its lock lapses.
        tokio::spawn(check(shared, snapshot));
    }
}

/// X3; `None` when nothing is left to say it with.
async fn complete(shared: &Shared, snapshot: &JobSnapshot) -> Option<Completed> {
    let Some(claim) = &snapshot.acquired else {
        job_line!(warn, snapshot.line(), "failed to complete the job at GitHub: its payload is gone");
        return None;
    };
    let Ok(_permit) = shared.reports.acquire().await else { return None };
    let (github, job) = (&shared.github, &claim.job);
    let message = job.masks().apply(&annotation(&shared.platform.namespace, snapshot));
    let report = Completion {
        plan_id: &job.plan_id,
        job_id: &job.job_id,
        message: Some(&message),
        billing_owner_id: job.billing_owner_id.as_deref(),
    };
    let told = run_service::complete(
        &github.client,
        &claim.renew_at,
        &report,
        &job.connection.token,
        snapshot.locked_until,
        &github.clock,
        &github.timeouts,
    )
    .await;
    let outcome = told.as_str();
    match &told {
        Completed::GaveUp(error) => {
            job_line!(warn, snapshot.line(), error, "failed to complete the job at GitHub");
        }
        _ => job_line!(info, snapshot.line(), outcome, "reported the job's completion to GitHub"),
    }
    shared.reporter.completion_told(&snapshot.offer.group.name, &told);
    Some(told)
}

/// What the page of the run shows: our reason, its remedy, the cluster's words, and where to look.
fn annotation(namespace: &str, snapshot: &JobSnapshot) -> String {
    let mut text = match snapshot.outcome.as_ref().and_then(|it| it.reason) {
        Some(reason) => format!("{}: {} {}", reason.as_str(), reason.meaning(), reason.remedy()),
        None => "The worker ended without a result.".to_owned(),
    };
    if let Some(said) = &snapshot.cluster_words {
        text.push('\n');
        text.push_str(words::SAYS);
        text.push_str(&said[..said.floor_char_boundary(MOST_WORDS)]);
    }
    text.push_str(&format!("\nRunnerJob {namespace}/{}", snapshot.offer.name));
    if let Some(pod) = &snapshot.pod {
        text.push_str(&format!(", pod {}", pod.name));
    }
    text
}

/// J5, and J8 where GitHub made nothing of the report and nothing of the run would be lost.
async fn check(shared: Arc<Shared>, snapshot: JobSnapshot) {
    tokio::time::sleep(shared.github.timeouts.completion_check).await;
    let Some((repository, run)) = snapshot.identity.as_ref().and_then(run_of) else { return };
    let attempt = snapshot.identity.as_ref().map_or(1, |it| it.run_attempt);
    let attempt = github_proto::rest::Attempt(u32::try_from(attempt).unwrap_or(1));
    let jobs = match shared.github.app.run_jobs(&repository, run, attempt).await {
        Ok(jobs) => jobs,
        Err(error) => {
            job_line!(warn, snapshot.line(), error = %describe(&error), "failed to list the jobs of the run: GitHub ends the job when its lock expires");
            return;
        }
    };
    match judge(&jobs, snapshot.offer.source.runner_name()) {
        Seen::Over => {}
        Seen::NothingRan => force_cancel(&shared, &snapshot).await,
        Seen::SomethingRan => {
            job_line!(
                warn,
                snapshot.line(),
                "failed to complete the job at GitHub, and other jobs of its run have started: GitHub ends the job when its lock expires"
            );
        }
    }
}

/// What the jobs of a run show.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Our job is over.
    Over,
    /// It is not, and no step of the run has begun.
    NothingRan,
    /// It is not, and something would be lost with the run.
    SomethingRan,
}

/// Our job is the one that our agent claimed.
fn judge(jobs: &[RunJob], agent: &str) -> Seen {
    let ours = |it: &&RunJob| it.runner_name.as_deref() == Some(agent);
    match jobs.iter().find(ours) {
        Some(job) if job.status == RunStatus::Completed => Seen::Over,
        _ if jobs.iter().all(|it| it.steps_begun() == 0) => Seen::NothingRan,
        _ => Seen::SomethingRan,
    }
}

/// J8: ends the run, where nothing of it has run.
async fn force_cancel(shared: &Shared, snapshot: &JobSnapshot) {
    let Ok(_permit) = shared.reports.acquire().await else { return };
    let outcome = match snapshot.identity.as_ref().and_then(run_of) {
        None => ForceCancel::IdentityUnknown,
        Some((repository, run)) => {
            let mut failures = shared.github.clock.failures(FORCE_CANCEL_PAUSE);
            loop {
                match shared.github.app.force_cancel(&repository, run).await {
                    Ok(()) => break ForceCancel::Cancelled,
                    Err(error) if error.is_transient() && failures.count() + 1 < FORCE_CANCEL_ATTEMPTS => {
                        tokio::time::sleep(failures.fail()).await;
                    }
                    Err(error) => {
                        job_line!(warn, snapshot.line(), error = %describe(&error), "failed to force-cancel the run");
                        break ForceCancel::Error;
                    }
                }
            }
        }
    };
    shared.reporter.run_force_cancelled(&snapshot.offer.group.name, outcome);
}

#[cfg(test)]
mod tests;
