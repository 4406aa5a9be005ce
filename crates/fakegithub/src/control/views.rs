//! What the control API shows. These shapes are documented in docs/fake-github.md.

use jiff::Timestamp;
use serde::Serialize;

use crate::state::State;
use crate::state::agents::{Agent, Fate};
use crate::state::apps::App;
use crate::state::life::Conclusion;
use crate::state::runs::{Annotation, Job, Run};
use crate::state::sessions::Session;

/// A new App. The key is shown once.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppCreated {
    /// The App's id.
    pub app_id: u64,
    /// The id of its one installation.
    pub installation_id: u64,
    /// The client id, which may stand in `iss` instead of the id.
    pub client_id: String,
    /// The private key, PKCS#1 in PEM.
    pub private_key: String,
}

impl std::fmt::Debug for AppCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppCreated").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

impl AppCreated {
    pub(crate) fn new(app: &App, private_key: String) -> Self {
        Self {
            app_id: app.id,
            installation_id: app.installation,
            client_id: app.client_id.clone(),
            private_key,
        }
    }
}

/// A workflow run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct RunView {
    pub run_id: u64,
    pub run_number: u64,
    pub repository: String,
    pub workflow: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: &'static str,
    pub conclusion: Option<&'static str>,
    /// The number of the latest attempt.
    pub attempt: u64,
    pub plan_id: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The jobs of the latest attempt.
    pub jobs: Vec<JobView>,
    /// All attempts, the latest included.
    pub attempts: Vec<AttemptView>,
}

impl RunView {
    pub(crate) fn new(state: &State, run: &Run) -> Self {
        let attempts: Vec<AttemptView> = run
            .attempts
            .iter()
            .map(|attempt| AttemptView {
                attempt: attempt.number,
                plan_id: attempt.plan.to_string(),
                status: state.attempt_status(attempt),
                conclusion: attempt.conclusion.map(Conclusion::rest),
                started_at: attempt.started,
                completed_at: attempt.completed,
                jobs: attempt.jobs.iter().filter_map(|id| state.job(*id)).map(JobView::new).collect(),
            })
            .collect();
        let latest = attempts.last();
        Self {
            run_id: run.id,
            run_number: run.number,
            repository: run.repository.clone(),
            workflow: run.workflow.workflow.clone(),
            status: latest.map_or("queued", |attempt| attempt.status),
            conclusion: latest.and_then(|attempt| attempt.conclusion),
            attempt: latest.map_or(0, |attempt| attempt.attempt),
            plan_id: latest.map(|attempt| attempt.plan_id.clone()).unwrap_or_default(),
            created_at: run.created,
            updated_at: run.updated,
            jobs: latest.map(|attempt| attempt.jobs.clone()).unwrap_or_default(),
            attempts,
        }
    }
}

/// One attempt of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct AttemptView {
    pub attempt: u64,
    pub plan_id: String,
    pub status: &'static str,
    pub conclusion: Option<&'static str>,
    pub started_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    pub jobs: Vec<JobView>,
}

/// One job of one attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct JobView {
    pub id: u64,
    pub job_id: String,
    pub name: String,
    pub key: String,
    pub labels: Vec<String>,
    /// `blocked`, `queued`, `in_progress` or `completed`.
    pub status: &'static str,
    pub conclusion: Option<&'static str>,
    pub created_at: Timestamp,
    pub acquired_at: Option<Timestamp>,
    /// The first sign of life of its worker.
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub locked_until: Option<Timestamp>,
    pub runner_id: Option<u64>,
    pub runner_name: Option<String>,
    /// How many claims succeeded: above 1 in a fan-out.
    pub claims: usize,
    pub steps: Vec<StepView>,
    /// Of the whole job, and of its steps.
    pub annotations: Vec<Annotation>,
    /// The word of the `completejob` that was taken; none when the job ended otherwise.
    pub completion: Option<String>,
}

impl JobView {
    pub(crate) fn new(job: &Job) -> Self {
        use crate::state::life::Phase;
        let (status, locked_until) = match &job.life.phase {
            Phase::Blocked => ("blocked", None),
            Phase::Queued => ("queued", None),
            Phase::Claimed(lock) => ("in_progress", Some(lock.until)),
            Phase::Done(_) => ("completed", None),
        };
        let steps = job.steps.values().map(|step| StepView {
            number: step.number,
            name: step.name.clone(),
            status: step.status.rest(),
            conclusion: step.conclusion,
        });
        Self {
            id: job.id,
            job_id: job.guid.to_string(),
            name: job.plan.name.clone(),
            key: job.plan.key.clone(),
            labels: job.plan.labels.clone(),
            status,
            conclusion: job.life.conclusion().map(Conclusion::rest),
            created_at: job.created,
            acquired_at: job.acquired,
            started_at: job.started,
            completed_at: job.completed,
            locked_until,
            runner_id: job.runner.as_ref().map(|(id, _)| *id),
            runner_name: job.runner.as_ref().map(|(_, name)| name.clone()),
            claims: job.life.claims.len(),
            steps: steps.collect(),
            annotations: job.annotations.clone(),
            completion: job.completion.clone(),
        }
    }
}

/// One step, as its worker reported it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct StepView {
    pub number: u64,
    pub name: String,
    pub status: &'static str,
    pub conclusion: Option<&'static str>,
}

/// Runners, sessions and unfinished jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct StateView {
    pub agents: Vec<AgentView>,
    pub sessions: Vec<SessionView>,
    pub jobs: Vec<JobView>,
}

impl StateView {
    pub(crate) fn new(state: &State) -> Self {
        Self {
            agents: state.agents().map(AgentView::new).collect(),
            sessions: state.sessions().map(|session| SessionView::new(state, session)).collect(),
            jobs: state.open_jobs().map(JobView::new).collect(),
        }
    }
}

/// A runner record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct AgentView {
    pub id: u64,
    pub name: String,
    pub labels: Vec<String>,
    /// `alive`, `consumed` or `deleted`.
    pub fate: &'static str,
    pub online: bool,
    /// The REST id of its unfinished job.
    pub job: Option<u64>,
}

impl AgentView {
    fn new(agent: &Agent) -> Self {
        let fate = match agent.fate {
            Fate::Alive => "alive",
            Fate::Consumed { .. } => "consumed",
            Fate::Deleted { .. } => "deleted",
        };
        Self {
            id: agent.id,
            name: agent.name.clone(),
            labels: agent.labels.clone(),
            fate,
            online: agent.session.is_some(),
            job: agent.job,
        }
    }
}

/// A broker session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct SessionView {
    pub session_id: String,
    pub agent: String,
    pub owner: String,
    /// Polls that are held right now.
    pub parked: u32,
    pub last_poll: Timestamp,
    /// What that poll said: `Online` or `Busy`; none before the first.
    pub status: Option<&'static str>,
}

impl SessionView {
    fn new(state: &State, session: &Session) -> Self {
        Self {
            session_id: session.id.to_string(),
            agent: state.agent(session.agent).map(|agent| agent.name.clone()).unwrap_or_default(),
            owner: session.owner.clone(),
            parked: session.parked,
            last_poll: session.last_poll,
            status: session.last_status.map(|status| status.as_str()),
        }
    }
}
