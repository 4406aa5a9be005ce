//! Workflow runs, their attempts and their jobs (protocol §7).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::State;
use super::life::{Conclusion, Life, Phase};
use super::message::escape_regex;
use super::results::Step;
use crate::workflow::{Error, JobPlan, Workflow, expand, scalar};

/// One job of one attempt.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The id of the REST API.
    pub(crate) id: u64,
    /// The id of the run service.
    pub(crate) guid: Uuid,
    pub(crate) run: u64,
    pub(crate) attempt: u64,
    pub(crate) plan: Arc<JobPlan>,
    pub(crate) life: Life,
    pub(crate) created: Timestamp,
    /// Since when it waits for a runner.
    pub(crate) queued: Timestamp,
    pub(crate) acquired: Option<Timestamp>,
    /// The first sign of life of its worker.
    pub(crate) started: Option<Timestamp>,
    pub(crate) completed: Option<Timestamp>,
    pub(crate) runner: Option<(u64, String)>,
    pub(crate) steps: BTreeMap<u64, Step>,
    pub(crate) outputs: Value,
    /// What the page of the run shows beside its log.
    pub(crate) annotations: Vec<Annotation>,
    /// The word of the `completejob` that was taken.
    pub(crate) completion: Option<String>,
    /// What each claim was answered, by request id; dropped at the end.
    pub(super) messages: BTreeMap<Uuid, Bytes>,
}

/// One attempt of a run. All its jobs share its plan.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) number: u64,
    pub(crate) plan: Uuid,
    pub(crate) jobs: Vec<u64>,
    pub(crate) started: Timestamp,
    pub(crate) completed: Option<Timestamp>,
    pub(crate) conclusion: Option<Conclusion>,
}

/// A workflow run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) repository: String,
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) sha: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) attempts: Vec<Attempt>,
}

impl Run {
    /// The account whose repository it belongs to.
    pub(crate) fn owner(&self) -> &str {
        owner(&self.repository)
    }

    pub(crate) fn attempt(&self, number: u64) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.number == number)
    }

    pub(crate) fn latest(&self) -> Option<&Attempt> {
        self.attempts.last()
    }
}

/// A remark on a job (protocol §5.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    /// `notice`, `warning` or `failure`.
    pub level: String,
    /// What it says.
    pub message: String,
    /// Its title, if it has one.
    pub title: Option<String>,
    /// The number of the step that it belongs to; none for the whole job.
    pub step: Option<u64>,
}

/// Why a run is not run again (protocol §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RerunError {
    NotFound,
    Running,
    /// Nothing failed, too old, or too often.
    Refused,
}

/// Why a run is not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelError {
    NotFound,
    Completed,
}

impl State {
    /// Starts a run.
    pub(crate) fn submit(&mut self, workflow: Workflow, now: Timestamp) -> Result<u64, Error> {
        let plans = expand(&workflow)?;
        let id = self.ids.run();
        let number =
            self.runs.values().filter(|run| run.repository == workflow.repository).count() as u64 + 1;
        let sha = hex(&self.ids.bytes::<20>());
        let owner = owner(&workflow.repository).to_owned();
        for (_, value) in workflow.secrets.iter() {
            let value = scalar(value);
            self.note_secret(&owner, "workflow-mask", escape_regex(&value));
            self.note_secret(&owner, "workflow-secret", value);
        }
        let run = Run {
            id,
            number,
            repository: workflow.repository.clone(),
            workflow: Arc::new(workflow),
            sha,
            created: now,
            updated: now,
            attempts: Vec::new(),
        };
        self.runs.insert(id, run);
        let plans: Vec<_> = plans.into_iter().map(|plan| (Arc::new(plan), None)).collect();
        self.begin_attempt(id, plans, now);
        Ok(id)
    }

    /// Adds an attempt. A job that is carried over brings its old self.
    fn begin_attempt(&mut self, run_id: u64, plans: Vec<(Arc<JobPlan>, Option<Job>)>, now: Timestamp) {
        let plan = self.ids.guid();
        let number = self.runs.get(&run_id).map_or(1, |run| run.attempts.len() as u64 + 1);
        let mut jobs = Vec::new();
        for (job_plan, carried) in plans {
            let (id, guid) = (self.ids.job(), self.ids.guid());
            let job = match carried {
                Some(old) => Job { id, guid, attempt: number, ..old },
                None => Job {
                    id,
                    guid,
                    run: run_id,
                    attempt: number,
                    life: Life::new(!job_plan.needs.is_empty()),
                    plan: job_plan,
                    created: now,
                    queued: now,
                    acquired: None,
                    started: None,
                    completed: None,
                    runner: None,
                    steps: BTreeMap::new(),
                    outputs: json!({}),
                    annotations: Vec::new(),
                    completion: None,
                    messages: BTreeMap::new(),
                },
            };
            self.jobs.insert(id, job);
            self.index(id);
            jobs.push(id);
        }
        if let Some(run) = self.runs.get_mut(&run_id) {
            run.attempts.push(Attempt {
                number,
                plan,
                jobs,
                started: now,
                completed: None,
                conclusion: None,
            });
            run.updated = now;
        }
        self.settle_run(run_id, now);
    }

    pub(crate) fn run(&self, id: u64) -> Option<&Run> {
        self.runs.get(&id)
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    pub(crate) fn job(&self, id: u64) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// All jobs.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// The jobs that are not over.
    pub(crate) fn open_jobs(&self) -> impl Iterator<Item = &Job> {
        self.open.iter().filter_map(|id| self.jobs.get(id))
    }

    pub(crate) fn run_of_job(&self, job: u64) -> Option<&Run> {
        self.jobs.get(&job).and_then(|job| self.runs.get(&job.run))
    }

    /// The status that the REST API shows for a run's attempt.
    pub(crate) fn attempt_status(&self, attempt: &Attempt) -> &'static str {
        let active = |id: &u64| self.jobs.get(id).is_some_and(|job| job.acquired.is_some());
        match attempt.conclusion {
            Some(_) => "completed",
            None if attempt.jobs.iter().any(active) => "in_progress",
            None => "queued",
        }
    }

    pub(super) fn plan_of(&self, job: u64) -> Uuid {
        let attempt = self.jobs.get(&job).map_or(0, |job| job.attempt);
        let plan = self.run_of_job(job).and_then(|run| run.attempt(attempt)).map(|attempt| attempt.plan);
        plan.unwrap_or_default()
    }

    /// The job message's `system.orchestrationId`, which is also a claim of the job token.
    pub(super) fn orchestration_id(&self, job: u64) -> Option<String> {
        let plan = self.plan_of(job);
        let plan_of_job = &self.jobs.get(&job)?.plan;
        Some(match plan_of_job.total {
            1 => format!("{plan}.{}.__default", plan_of_job.key),
            _ => format!("{plan}.{}.matrix_{}", plan_of_job.key, plan_of_job.index),
        })
    }

    /// The base of the run service for one job. Each job has its own, as at GitHub.
    pub(super) fn run_service_url(&self, job: u64) -> String {
        format!("{}/run-service/{job}{}", self.base, self.slash())
    }

    /// What handed-out bases end with: the official runner loses their last segment without it (protocol §0.6).
    pub(crate) fn slash(&self) -> &'static str {
        if self.settings.trailing_slash { "/" } else { "" }
    }

    /// Draws the consequences of what happened to a job: for its claimants, for those that wait for it, for its run.
    pub(super) fn after_change(&mut self, id: u64, now: Timestamp) {
        self.touch();
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let run = job.run;
        if job.life.is_done() && self.open.contains(&id) {
            job.completed = Some(now);
            job.messages.clear();
            let claimants: Vec<u64> = job.life.claims.iter().map(|claim| claim.agent).collect();
            for agent in claimants {
                self.consume_agent(agent, now);
            }
        }
        self.index(id);
        self.settle_run(run, now);
    }

    /// Keeps the sets of unfinished and of waiting jobs up to date.
    fn index(&mut self, id: u64) {
        let phase = self.jobs.get(&id).map(|job| &job.life.phase);
        let (open, waiting) = match phase {
            Some(Phase::Queued) => (true, true),
            Some(Phase::Blocked | Phase::Claimed(_)) => (true, false),
            Some(Phase::Done(_)) | None => (false, false),
        };
        for (set, belongs) in [(&mut self.open, open), (&mut self.waiting, waiting)] {
            if belongs {
                set.insert(id)
            } else {
                set.remove(&id)
            };
        }
    }

    /// Lets waiting jobs go on or be skipped, then concludes the attempt if all its jobs are over.
    fn settle_run(&mut self, run_id: u64, now: Timestamp) {
        self.touch();
        let Some(attempt) = self.runs.get(&run_id).and_then(Run::latest).cloned() else { return };
        for id in &attempt.jobs {
            self.settle_job(*id, &attempt, now);
        }
        let conclusions: Option<Vec<Conclusion>> =
            attempt.jobs.iter().map(|id| self.jobs.get(id).and_then(|job| job.life.conclusion())).collect();
        let Some(run) = self.runs.get_mut(&run_id) else { return };
        run.updated = now;
        if let (Some(latest), Some(conclusions)) = (run.attempts.last_mut(), conclusions) {
            latest.conclusion = latest.conclusion.or(conclusions.into_iter().max());
            latest.completed.get_or_insert(now);
        }
    }

    fn settle_job(&mut self, id: u64, attempt: &Attempt, now: Timestamp) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.life.phase == Phase::Blocked) else { return };
        let needed = attempt
            .jobs
            .iter()
            .filter_map(|other| self.jobs.get(other))
            .filter(|other| job.plan.needs.contains(&other.plan.key));
        let outcomes: Vec<Option<Conclusion>> = needed.map(|other| other.life.conclusion()).collect();
        let failed = outcomes.iter().flatten().any(|outcome| *outcome != Conclusion::Success);
        let done = outcomes.iter().all(Option::is_some);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if failed {
            job.life.force(Conclusion::Skipped);
            job.completed = Some(now);
        } else if done {
            job.life.unblock();
            job.queued = now;
        }
        self.index(id);
    }

    /// Runs a concluded run again: all of it, its failed jobs, or one job; and always what depends on them.
    pub(crate) fn rerun(&mut self, run_id: u64, which: Rerun, now: Timestamp) -> Result<(), RerunError> {
        let run = self.runs.get(&run_id).ok_or(RerunError::NotFound)?;
        let latest = run.latest().ok_or(RerunError::NotFound)?;
        if latest.conclusion.is_none() {
            return Err(RerunError::Running);
        }
        // 50 re-runs of one run, full and partial together (protocol §0.8).
        if run.attempts.len() > 50 || run.created + self.settings.timers.rerun_age() <= now {
            return Err(RerunError::Refused);
        }
        let old: Vec<Job> = latest.jobs.iter().filter_map(|id| self.jobs.get(id)).cloned().collect();
        let chosen = chosen(&old, which);
        if chosen.is_empty() {
            return Err(RerunError::Refused);
        }
        let plans = old
            .into_iter()
            .map(|job| {
                let again = chosen.contains(&job.id);
                (Arc::clone(&job.plan), (!again).then_some(job))
            })
            .collect();
        self.begin_attempt(run_id, plans, now);
        Ok(())
    }

    /// Ends a run at once.
    pub(crate) fn force(
        &mut self,
        run_id: u64,
        conclusion: Conclusion,
        now: Timestamp,
    ) -> Result<(), CancelError> {
        for id in self.unfinished(run_id)? {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.life.force(conclusion);
            }
            self.after_change(id, now);
        }
        Ok(())
    }

    pub(super) fn unfinished(&self, run_id: u64) -> Result<Vec<u64>, CancelError> {
        let latest = self.runs.get(&run_id).and_then(Run::latest).ok_or(CancelError::NotFound)?;
        match latest.conclusion {
            Some(_) => Err(CancelError::Completed),
            None => Ok(latest.jobs.iter().copied().filter(|id| self.open.contains(id)).collect()),
        }
    }
}

fn owner(repository: &str) -> &str {
    repository.split_once('/').map_or("", |(owner, _)| owner)
}

/// Which jobs a re-run starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rerun {
    All,
    Failed,
    Job(u64),
}

/// The ids of the jobs to run again, dependents included.
fn chosen(jobs: &[Job], which: Rerun) -> Vec<u64> {
    let start = |job: &Job| match which {
        Rerun::All => true,
        Rerun::Failed => matches!(job.life.conclusion(), Some(Conclusion::Failure | Conclusion::Cancelled)),
        Rerun::Job(id) => job.id == id,
    };
    let mut chosen: Vec<&Job> = Vec::new();
    // `needs` points backwards, so one pass finds every dependent.
    for job in jobs {
        if start(job) || chosen.iter().any(|other| job.plan.needs.contains(&other.plan.key)) {
            chosen.push(job);
        }
    }
    chosen.iter().map(|job| job.id).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
