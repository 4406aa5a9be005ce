//! Id tokens (protocol §5.7): what a step shows to a cloud that trusts GitHub.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::State;
use super::runs::Run;
use crate::jwt;

/// How long a token is valid, as in the example of GitHub's manual.
const LIFE: SignedDuration = SignedDuration::from_mins(5);
/// How long before it was made it begins to be, as there: for clouds whose clocks are behind.
const BACKDATED: SignedDuration = SignedDuration::from_mins(10);

/// The claims that the `github` context has too, with the same values.
const OF_CONTEXT: [&str; 19] = [
    "actor",
    "actor_id",
    "base_ref",
    "event_name",
    "head_ref",
    "ref",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "repository_visibility",
    "run_attempt",
    "run_id",
    "run_number",
    "sha",
    "workflow",
    "workflow_ref",
    "workflow_sha",
];

impl State {
    /// An id token of a job, for an audience; none when there is no such job.
    pub(crate) fn id_token(&mut self, id: u64, audience: Option<&str>, now: Timestamp) -> Option<String> {
        let jti = self.ids.guid();
        let (job, run) = self.job(id).zip(self.run_of_job(id))?;
        let owner = run.owner().to_owned();
        let facts = self.facts(job, run).into_iter().filter(|(key, _)| OF_CONTEXT.contains(key));
        let mut claims: Map<String, Value> =
            facts.map(|(key, value)| (key.to_owned(), Value::String(value))).collect();
        // No workflow calls another one, so the job's is the run's.
        for (claim, fact) in [("job_workflow_ref", "workflow_ref"), ("job_workflow_sha", "workflow_sha")] {
            claims.insert(claim.into(), claims.get(fact).cloned().unwrap_or_default());
        }
        let audience = audience.map_or_else(|| format!("https://github.com/{owner}"), str::to_owned);
        let own = [
            ("iss", json!(format!("{}/_services/token", self.base))),
            ("sub", json!(subject(run))),
            ("aud", json!(audience)),
            ("jti", json!(jti)),
            ("iat", json!(now.as_second())),
            ("nbf", json!((now - BACKDATED).as_second())),
            ("exp", json!((now + LIFE).as_second())),
            ("ref_protected", json!("false")),
            ("runner_environment", json!("self-hosted")),
        ];
        claims.extend(own.map(|(claim, value)| (claim.to_owned(), value)));
        let token = jwt::unsigned(&Value::Object(claims));
        self.note_secret(&owner, "id-token", &token);
        Some(token)
    }
}

/// Whom the token is about. No job has an environment, which would go before both.
fn subject(run: &Run) -> String {
    let workflow = &run.workflow;
    match workflow.event.as_str() {
        "pull_request" => format!("repo:{}:pull_request", run.repository),
        _ => format!("repo:{}:ref:{}", run.repository, workflow.git_ref),
    }
}
