//! Claiming, renewing and completing jobs (protocol §5.1 to §5.4).

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::State;
use super::grants::Subject;
use super::life::{AcquireError, Acquired, Conclusion};
use super::runs::{Annotation, Run};
use crate::settings::{Repeat, UnstartedCompletion};

/// A claim that was granted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claimed {
    pub(crate) plan: Uuid,
    /// The job message.
    pub(crate) message: Bytes,
}

/// Why renew or complete is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockError {
    /// The ids are not those of the token's job: `401`.
    NotAuthorized,
    /// The job is over: `404`.
    Over,
    /// A completion of what never started: `401`.
    Unstarted,
}

/// How a job went, as its worker or who stands in for it says.
#[derive(Debug, Clone)]
pub(crate) struct Completion {
    pub(crate) conclusion: Conclusion,
    /// The word that says so on the wire.
    pub(crate) word: String,
    pub(crate) outputs: Value,
    pub(crate) annotations: Vec<Annotation>,
}

impl State {
    /// What a repeated claim of this job is answered.
    fn repeated_acquire(&self, job: u64) -> Repeat {
        let account = self.run_of_job(job).map(|run| run.owner().to_lowercase()).unwrap_or_default();
        let of_account = self.settings.repeated_acquire_by.get(&account);
        of_account.copied().unwrap_or(self.settings.repeated_acquire)
    }

    /// An agent claims what it was offered (protocol §5.2). `service` is the number in the URL that was called.
    pub(crate) fn acquire(
        &mut self,
        agent_id: u64,
        request: Uuid,
        service: u64,
        now: Timestamp,
    ) -> Result<Claimed, AcquireError> {
        let agent =
            self.agents.get(&agent_id).filter(|agent| agent.is_alive()).ok_or(AcquireError::Unknown)?;
        let (busy_with, session) = (agent.job, agent.session);
        let id = self
            .job_of_request(agent_id, request)
            .filter(|id| *id == service)
            .ok_or(AcquireError::Unknown)?;
        if busy_with.is_some_and(|busy| busy != id) {
            return Err(AcquireError::Unknown);
        }
        let repeated = self.repeated_acquire(id);
        let job = self.jobs.get_mut(&id).ok_or(AcquireError::Unknown)?;
        let siblings = self.settings.siblings_claim;
        match job.life.acquire(request, agent_id, siblings, &self.settings.timers, now)? {
            Acquired::Again if repeated == Repeat::Conflict => Err(AcquireError::Taken),
            Acquired::Again => {
                let message = job.messages.get(&request).cloned().ok_or(AcquireError::Taken)?;
                Ok(Claimed { plan: self.plan_of(id), message })
            }
            Acquired::New => {
                if let Some(session) = session {
                    self.withdraw_offer(session);
                }
                Ok(self.claimed(id, agent_id, request, now))
            }
        }
    }

    fn claimed(&mut self, id: u64, agent_id: u64, request: Uuid, now: Timestamp) -> Claimed {
        let runner = self.agents.get_mut(&agent_id).map(|agent| {
            agent.job = Some(id);
            (agent.id, agent.name.clone())
        });
        let (token, _) = self.mint(Subject::Job { job: id }, now);
        let (workflow_token, _) = self.mint(Subject::Workflow { job: id }, now);
        let message = Bytes::from(self.job_message(id, &token, &workflow_token).to_string());
        if let Some(job) = self.jobs.get_mut(&id) {
            // The REST job starts with the claim (protocol §5.2), and shows the first claimant.
            job.acquired.get_or_insert(now);
            if job.runner.is_none() {
                job.runner = runner;
            }
            job.messages.insert(request, message.clone());
        }
        self.after_change(id, now);
        Claimed { plan: self.plan_of(id), message }
    }

    /// Whether `plan` and `job` name the token's job.
    fn check_ids(&self, id: u64, plan: Uuid, named: Uuid) -> Result<(), LockError> {
        let job = self.jobs.get(&id).ok_or(LockError::Over)?;
        let by_request =
            self.settings.request_id_as_job_id && job.life.claims.iter().any(|claim| claim.request == named);
        match self.plan_of(id) == plan && (job.guid == named || by_request) {
            true => Ok(()),
            false => Err(LockError::NotAuthorized),
        }
    }

    /// Extends a job's lock.
    pub(crate) fn renew(
        &mut self,
        id: u64,
        plan: Uuid,
        named: Uuid,
        now: Timestamp,
    ) -> Result<Timestamp, LockError> {
        self.check_ids(id, plan, named)?;
        let lock = self.settings.timers.lock();
        let job = self.jobs.get_mut(&id).ok_or(LockError::Over)?;
        job.life.renew(lock, now).map_err(|_| LockError::Over)
    }

    /// Ends a job as its worker says (protocol §5.4).
    pub(crate) fn complete(
        &mut self,
        id: u64,
        plan: Uuid,
        named: Uuid,
        completion: Completion,
        now: Timestamp,
    ) -> Result<(), LockError> {
        self.check_ids(id, plan, named)?;
        let started = self.jobs.get(&id).and_then(|job| job.life.has_started()).ok_or(LockError::Over)?;
        let account = self.run_of_job(id).map_or("", Run::owner);
        let unstarted = *self.settings.choices.unstarted_completion.of(account);
        match unstarted {
            _ if started => {}
            UnstartedCompletion::Accepted => {}
            UnstartedCompletion::Refused => return Err(LockError::Unstarted),
            UnstartedCompletion::NoEffect => return Ok(()),
            UnstartedCompletion::FalseGreen => {
                self.conclude_without_job(id, now);
                return Ok(());
            }
        }
        let job = self.jobs.get_mut(&id).ok_or(LockError::Over)?;
        job.life.complete(completion.conclusion).map_err(|_| LockError::Over)?;
        job.outputs = completion.outputs;
        job.annotations.extend(completion.annotations);
        job.completion = Some(completion.word);
        self.after_change(id, now);
        Ok(())
    }

    /// The run is a success; the job stays as it is.
    fn conclude_without_job(&mut self, id: u64, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.life.stick();
        let run = job.run;
        if let Some(run) = self.runs.get_mut(&run) {
            run.updated = now;
            if let Some(attempt) = run.attempts.last_mut() {
                attempt.conclusion.get_or_insert(Conclusion::Success);
                attempt.completed.get_or_insert(now);
            }
        }
        self.touch();
    }
}
