//! The ledger of workers that began a job.

use serde_json::{Value, json};

use crate::support::{Github, ONE_JOB};

const BEGIN: &str = "fakegithub.Ledger/Begin";

fn start(id: &str) -> Value {
    json!({"start_id": id, "pod_uid": "0f1e2d3c"})
}

#[tokio::test]
async fn each_start_is_in_the_ledger_once_though_it_is_reported_twice() {
    let github = Github::start().await;
    let run = github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    for id in ["first", "first", "second"] {
        claim.results(&github, BEGIN, start(id)).expect(200).await;
    }
    let entries = github.control().ledger(Some(run.run_id));
    let starts: Vec<_> = entries.iter().map(|it| it.start_id.as_str()).collect();
    assert_eq!(starts, ["first", "second"]);
    assert_eq!((entries[0].attempt, &entries[0].job_id), (1, &run.jobs[0].job_id.to_string()));
    assert_eq!(entries[0].pod_uid, "0f1e2d3c");
    assert!(github.control().ledger(Some(run.run_id + 1)).is_empty());
    assert_eq!(github.control().ledger(None), entries);
    github.assert_no_violation();
}

#[tokio::test]
async fn a_start_of_another_job_or_without_a_name_is_refused() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    claim.results(&github, BEGIN, json!({"start_id": "first"})).expect(400).await;
    claim.results(&github, BEGIN, json!({"start_id": "", "pod_uid": "here"})).expect(400).await;
    let mut other = start("first");
    other["workflow_job_run_backend_id"] = json!("00000000-0000-0000-0000-000000000000");
    let base = claim.results_url();
    github.post(&format!("{base}twirp/{BEGIN}")).bearer(&claim.token).json(&other).expect(400).await;
    assert!(github.control().ledger(None).is_empty());
    assert_eq!(github.control().violations().len(), 3);
}
