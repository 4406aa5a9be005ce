//! What a job is told of itself: the text of its `github` context (protocol §5.5), and claims of its id token.

use super::State;
use super::runs::{Job, Run};

impl State {
    /// All of it, but for secrets.
    pub(super) fn facts(&self, job: &Job, run: &Run) -> Vec<(&'static str, String)> {
        let workflow = &run.workflow;
        let ref_name = workflow.git_ref.rsplit('/').next().unwrap_or_default();
        let path = format!(".github/workflows/{}.yml", workflow.workflow);
        vec![
            ("job", job.plan.key.clone()),
            ("ref", workflow.git_ref.clone()),
            ("sha", run.sha.clone()),
            ("repository", run.repository.clone()),
            ("repository_owner", run.owner().to_owned()),
            ("repository_owner_id", "5001".into()),
            ("repositoryUrl", format!("git://{}/{}.git", host(&self.base), run.repository)),
            ("run_id", run.id.to_string()),
            ("run_number", run.number.to_string()),
            ("retention_days", "90".into()),
            ("run_attempt", job.attempt.to_string()),
            ("artifact_cache_size_limit", "10".into()),
            ("repository_visibility", "private".into()),
            ("repository_id", "42".into()),
            ("actor_id", "6001".into()),
            ("actor", workflow.actor.clone()),
            ("triggering_actor", workflow.actor.clone()),
            ("workflow", workflow.workflow.clone()),
            ("head_ref", String::new()),
            ("base_ref", String::new()),
            ("event_name", workflow.event.clone()),
            ("server_url", self.base.clone()),
            ("api_url", format!("{}/api/v3", self.base)),
            ("graphql_url", format!("{}/api/graphql", self.base)),
            ("ref_name", ref_name.to_owned()),
            ("ref_type", "branch".into()),
            ("secret_source", "Actions".into()),
            ("workflow_ref", format!("{}/{path}@{}", run.repository, workflow.git_ref)),
            ("workflow_sha", run.sha.clone()),
        ]
    }
}

fn host(base: &str) -> &str {
    base.strip_prefix("https://").unwrap_or(base)
}
