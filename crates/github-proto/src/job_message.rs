//! The dozen facts a gateway reads from a job message (protocol §5.5). The message may have 25 MB: it
//! is read in one pass that keeps nothing else.

mod context;
mod mask;
mod variables;

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

pub use context::GitHubContext;
pub use mask::Masks;

use crate::any_case::any_case;
use crate::id::{JobId, PlanId};
use crate::limits::JOB_MESSAGE;
use crate::plain::Plain;
use crate::reply::{BodyError, clip, json};
use crate::run_service::Acquired;
use crate::secret::JobToken;
use crate::timestamp::ServiceTime;
use crate::url::handed_out;
use context::Contexts;
use mask::{Hints, Secrets};
use variables::Variables;

/// What a gateway must know of a claimed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobMessage {
    /// The run attempt; the jobs of a matrix share it.
    pub plan_id: PlanId,
    /// The job within the plan.
    pub job_id: JobId,
    /// The name people see, clipped.
    pub display_name: String,
    /// The job's key in the workflow file.
    pub job_key: Option<String>,
    /// Where the lock is renewed, and with what.
    pub connection: Connection,
    /// Repository, run, workflow.
    pub github: GitHubContext,
    /// Usually not set.
    pub locked_until: Option<Timestamp>,
    /// Echoed when the job is reported as completed.
    pub billing_owner_id: Option<String>,
    secrets: Secrets,
}

/// The `SystemVssConnection` endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Base for `renewjob`; `None` means the `run_service_url` of the offer.
    pub url: Option<Url>,
    /// The token for it.
    pub token: JobToken,
}

/// The message cannot be used. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobMessageError {
    /// Not the expected JSON, or something in it is missing.
    #[error("the job message cannot be read")]
    Body(#[source] BodyError),
    /// Without this endpoint the job cannot be renewed.
    #[error("the job message has no SystemVssConnection with an AccessToken")]
    NoConnection,
}

any_case! {
    struct Body {
        plan: Plan = "plan",
        job_id: JobId = "jobId",
        display_name: String = "jobDisplayName",
        locked_until: ServiceTime = "lockedUntil",
        resources: Resources = "resources",
        variables: Variables = "variables",
        contexts: Contexts = "contextData",
        billing_owner_id: Plain = "billingOwnerId",
        mask: Hints = "mask",
    }
}

any_case! {
    struct Plan { id: PlanId = "planId", }
}

any_case! {
    struct Resources { endpoints: Vec<Endpoint> = "endpoints", }
}

any_case! {
    struct Endpoint {
        name: String = "name",
        url: String = "url",
        authorization: Authorization = "authorization",
    }
}

any_case! {
    struct Authorization { parameters: Parameters = "parameters", }
}

any_case! {
    struct Parameters { access_token: JobTokenText = "AccessToken", }
}

struct JobTokenText(JobToken);

impl<'de> Deserialize<'de> for JobTokenText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(JobToken::new).map(Self)
    }
}

impl JobMessage {
    /// Reads the message of a claim.
    ///
    /// # Errors
    /// When it is no job message, or one that cannot be renewed.
    pub fn decode(acquired: &Acquired) -> Result<Self, JobMessageError> {
        let missing = |key| JobMessageError::Body(BodyError::Field(key));
        let body: Body = json(&acquired.message, JOB_MESSAGE).map_err(JobMessageError::Body)?;
        let in_body = body.plan.and_then(|plan| plan.id);
        let plan_id = acquired.plan_id.clone().or(in_body);
        let Variables { job_key, secrets } = body.variables.unwrap_or_default();
        Ok(Self {
            plan_id: plan_id.ok_or_else(|| missing("plan.planId"))?,
            job_id: body.job_id.ok_or_else(|| missing("jobId"))?,
            display_name: clip(body.display_name.as_deref().unwrap_or_default()),
            job_key,
            connection: connection(body.resources).ok_or(JobMessageError::NoConnection)?,
            github: body.contexts.and_then(|it| it.github).unwrap_or_default(),
            locked_until: body.locked_until.and_then(|it| it.0),
            billing_owner_id: body.billing_owner_id.and_then(Plain::text),
            secrets: Secrets::new(body.mask.unwrap_or_default(), secrets),
        })
    }

    /// What must not be shown of this job: what GitHub asks to mask, and the job's token.
    pub fn masks(&self) -> Masks {
        self.secrets.masks(self.connection.token.expose())
    }
}

fn connection(resources: Option<Resources>) -> Option<Connection> {
    let endpoint = resources?.endpoints?.into_iter().find(|endpoint| {
        let name = endpoint.name.as_deref().unwrap_or_default();
        name.eq_ignore_ascii_case("SystemVssConnection")
    })?;
    let JobTokenText(token) = endpoint.authorization?.parameters?.access_token?;
    if token.expose().is_empty() {
        return None;
    }
    Some(Connection { url: endpoint.url.and_then(|text| handed_out(&text).ok()), token })
}

#[cfg(test)]
mod tests;
