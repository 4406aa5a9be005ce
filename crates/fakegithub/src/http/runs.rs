//! Workflow runs in the REST API: status, re-run, cancel (protocol §7).

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth;
use super::call::Call;
use super::rest::{Page, REST, not_found, permit};
use super::route::Route;
use crate::shared::Shared;
use crate::state::State;
use crate::state::agents::Scope;
use crate::state::life::Conclusion;
use crate::state::runs::{Attempt, CancelError, Job, Rerun, RerunError, Run};

/// J1 to J8.
pub(super) fn answer(shared: &Shared, call: &Call, route: Route) -> Result<Answer, Refusal> {
    match route {
        Route::Runs(scope) => list(shared, call, &scope),
        Route::Run(scope, id, attempt) => get(shared, call, &scope, id, attempt),
        Route::RunJobs(scope, id, attempt) => jobs(shared, call, &scope, id, attempt),
        Route::Job(scope, id) => job(shared, call, &scope, id),
        Route::Rerun(scope, id, which) => rerun(shared, call, &scope, id, which),
        Route::RerunJob(scope, id) => {
            let run = shared.with(|state, _| state.job(id).map(|job| job.run)).ok_or_else(not_found)?;
            rerun(shared, call, &scope, run, Rerun::Job(id))
        }
        Route::Cancel(scope, id) => cancel(shared, call, &scope, id, false),
        Route::ForceCancel(scope, id) => cancel(shared, call, &scope, id, true),
        _ => Err(not_found()),
    }
}

fn permitted(shared: &Shared, call: &Call, scope: &Scope, level: &str) -> Result<(), Refusal> {
    permit(&auth::installation(shared, call)?, scope, "actions", level)
}

/// The run of that id, if it is one of the repository's.
fn own<'a>(state: &'a State, scope: &Scope, id: u64) -> Option<&'a Run> {
    let Scope::Repository { owner, name } = scope else { return None };
    state.run(id).filter(|run| run.repository.eq_ignore_ascii_case(&format!("{owner}/{name}")))
}

fn get(shared: &Shared, call: &Call, scope: &Scope, id: u64, number: Option<u64>) -> Result<Answer, Refusal> {
    permitted(shared, call, scope, "read")?;
    let body = shared.with(|state, _| {
        let run = own(state, scope, id)?;
        let attempt = number.map_or_else(|| run.latest(), |number| run.attempt(number))?;
        Some(run_view(state, run, attempt))
    });
    body.map(|body| Answer::json(StatusCode::OK, &body)).ok_or_else(not_found)
}

fn list(shared: &Shared, call: &Call, scope: &Scope) -> Result<Answer, Refusal> {
    permitted(shared, call, scope, "read")?;
    let page = Page::read(call)?;
    let status = call.parameter("status");
    let all: Vec<Value> = shared.with(|state, _| {
        let views = state.runs().filter(|run| own(state, scope, run.id).is_some()).filter_map(|run| {
            let attempt = run.latest()?;
            let conclusion = attempt.conclusion.map(Conclusion::rest);
            let wanted =
                status.is_none_or(|it| it == state.attempt_status(attempt) || Some(it) == conclusion);
            wanted.then(|| run_view(state, run, attempt))
        });
        views.collect()
    });
    let total = all.len();
    let (items, more) = page.cut(all);
    let answer = Answer::json(StatusCode::OK, &json!({"total_count": total, "workflow_runs": items}));
    Ok(page.link(shared, call, answer, more))
}

fn jobs(
    shared: &Shared,
    call: &Call,
    scope: &Scope,
    id: u64,
    number: Option<u64>,
) -> Result<Answer, Refusal> {
    permitted(shared, call, scope, "read")?;
    let page = Page::read(call)?;
    let every = match call.parameter("filter") {
        None | Some("latest") => false,
        Some("all") => true,
        Some(_) => return Err(REST.invalid("filter must be latest or all")),
    };
    let all = shared.with(|state, _| {
        let run = own(state, scope, id)?;
        let attempts: Vec<&Attempt> = match number {
            Some(number) => vec![run.attempt(number)?],
            None if every => run.attempts.iter().collect(),
            None => run.latest().into_iter().collect(),
        };
        let ids = attempts.into_iter().flat_map(|attempt| &attempt.jobs);
        Some(ids.filter_map(|id| state.job(*id)).map(|job| job_view(run, job)).collect::<Vec<Value>>())
    });
    let all = all.ok_or_else(not_found)?;
    let total = all.len();
    let (items, more) = page.cut(all);
    let answer = Answer::json(StatusCode::OK, &json!({"total_count": total, "jobs": items}));
    Ok(page.link(shared, call, answer, more))
}

fn job(shared: &Shared, call: &Call, scope: &Scope, id: u64) -> Result<Answer, Refusal> {
    permitted(shared, call, scope, "read")?;
    let body = shared.with(|state, _| {
        let job = state.job(id)?;
        Some(job_view(own(state, scope, job.run)?, job))
    });
    body.map(|body| Answer::json(StatusCode::OK, &body)).ok_or_else(not_found)
}

fn rerun(shared: &Shared, call: &Call, scope: &Scope, id: u64, which: Rerun) -> Result<Answer, Refusal> {
    permitted(shared, call, scope, "write")?;
    call.optional_object(REST, &["enable_debug_logging", "enable_debugger"])?;
    let outcome = shared.with(|state, now| match own(state, scope, id) {
        Some(_) => state.rerun(id, which, now),
        None => Err(RerunError::NotFound),
    });
    match outcome {
        Ok(()) => {
            tracing::info!(run = id, "run started again");
            Ok(Answer::json(StatusCode::CREATED, &json!({})))
        }
        Err(RerunError::NotFound) => Err(not_found()),
        Err(RerunError::Running) => {
            Err(REST.refuse(StatusCode::FORBIDDEN, "This workflow is already running"))
        }
        Err(RerunError::Refused) => {
            Err(REST.refuse(StatusCode::FORBIDDEN, "This workflow run cannot be retried"))
        }
    }
}

fn cancel(shared: &Shared, call: &Call, scope: &Scope, id: u64, force: bool) -> Result<Answer, Refusal> {
    permitted(shared, call, scope, "write")?;
    call.no_body(REST)?;
    let outcome = shared.with(|state, now| match (own(state, scope, id), force) {
        (None, _) => Err(CancelError::NotFound),
        (Some(_), true) => state.force(id, Conclusion::Cancelled, now),
        (Some(_), false) => state.cancel(id, now),
    });
    match outcome {
        Ok(()) => Ok(Answer::json(StatusCode::ACCEPTED, &json!({}))),
        Err(CancelError::NotFound) => Err(not_found()),
        Err(CancelError::Completed) => {
            Err(REST.refuse(StatusCode::CONFLICT, "Cannot cancel a workflow run that is completed."))
        }
    }
}

/// Whole seconds, as the REST API writes times.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn run_view(state: &State, run: &Run, attempt: &Attempt) -> Value {
    let (owner, name) = run.repository.split_once('/').unwrap_or_default();
    let url = format!("{}/api/v3/repos/{owner}/{name}/actions/runs/{}", state.base, run.id);
    let previous = (attempt.number > 1).then(|| format!("{url}/attempts/{}", attempt.number - 1));
    json!({
        "id": run.id, "name": run.workflow.workflow, "run_number": run.number, "run_attempt": attempt.number,
        "status": state.attempt_status(attempt), "conclusion": attempt.conclusion.map(Conclusion::rest),
        "event": run.workflow.event, "head_branch": run.workflow.git_ref.rsplit('/').next(), "head_sha": run.sha,
        "path": format!(".github/workflows/{}.yml", run.workflow.workflow), "workflow_id": 61,
        "created_at": seconds(run.created), "updated_at": seconds(run.updated),
        "run_started_at": seconds(attempt.started),
        "rerun_url": format!("{url}/rerun"), "cancel_url": format!("{url}/cancel"),
        "previous_attempt_url": previous,
        "repository": {"id": 42, "name": name, "full_name": run.repository, "owner": {"login": owner}},
    })
}

fn job_view(run: &Run, job: &Job) -> Value {
    let conclusion = job.life.conclusion();
    let status = match (conclusion, job.acquired) {
        (Some(_), _) => "completed",
        (None, Some(_)) => "in_progress",
        (None, None) => "queued",
    };
    let steps: Vec<Value> = job
        .steps
        .values()
        .map(|step| {
            json!({
                "name": step.name, "status": step.status.rest(), "conclusion": step.conclusion,
                "number": step.number, "started_at": step.started, "completed_at": step.completed,
            })
        })
        .collect();
    let runner = job.runner.as_ref();
    json!({
        "id": job.id, "run_id": run.id, "run_attempt": job.attempt, "name": job.plan.name,
        "status": status, "conclusion": conclusion.map(Conclusion::rest),
        "created_at": seconds(job.created), "started_at": job.acquired.map(seconds),
        "completed_at": job.completed.map(seconds), "labels": job.plan.labels,
        "runner_id": runner.map(|(id, _)| id), "runner_name": runner.map(|(_, name)| name),
        "runner_group_id": runner.map(|_| 1), "runner_group_name": runner.map(|_| "Default"),
        "workflow_name": run.workflow.workflow, "head_branch": run.workflow.git_ref.rsplit('/').next(),
        "head_sha": run.sha, "steps": steps,
    })
}
