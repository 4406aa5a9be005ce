//! J1 to J8.

use serde_json::{Value, json};

use crate::support::{Github, ONE_JOB};

const RUNS: &str = "/api/v3/repos/acme/demo/actions/runs";

#[tokio::test]
async fn a_run_and_its_job_go_through_the_states_of_the_rest_api() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let run = github.run(ONE_JOB);
    let get = async |path: String| github.get(&path).bearer(&token).expect(200).await.json();
    let (run_path, job_path) =
        (format!("{RUNS}/{}", run.run_id), format!("/repos/acme/demo/actions/jobs/{}", run.jobs[0].id));
    let queued = get(run_path.clone()).await;
    assert_eq!((&queued["status"], &queued["conclusion"]), (&json!("queued"), &Value::Null));
    assert_eq!(
        (&queued["run_attempt"], &queued["repository"]["full_name"]),
        (&json!(1), &json!("acme/demo"))
    );
    let job = get(job_path.clone()).await;
    assert_eq!(
        (&job["status"], &job["runner_name"], &job["started_at"]),
        (&json!("queued"), &Value::Null, &Value::Null)
    );

    // The claim alone starts the REST job.
    let (_, _, claim) = github.runner("one").await.claim().await;
    assert_eq!(get(run_path.clone()).await["status"], "in_progress");
    let job = get(job_path.clone()).await;
    assert_eq!((&job["status"], &job["runner_name"]), (&json!("in_progress"), &json!("one")));
    assert!(job["started_at"].is_string());
    claim.start(&github).await;
    assert_eq!(get(job_path.clone()).await["steps"][0]["status"], "in_progress");
    claim.complete(&github, "failed").expect(204).await;
    assert_eq!(get(run_path).await["conclusion"], "failure");
    assert!(get(job_path).await["completed_at"].is_string());
    let failed = get(format!("{RUNS}?status=failure")).await;
    assert_eq!(failed["workflow_runs"][0]["id"], run.run_id);
    github.get(&format!("/repos/acme/else/actions/runs/{}", run.run_id)).bearer(&token).expect(404).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_re_run_waits_for_the_end_and_has_new_ids() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let run = github.run(ONE_JOB);
    let rerun = format!("{RUNS}/{}/rerun-failed-jobs", run.run_id);
    let refused = github.post(&rerun).bearer(&token).expect(403).await.json();
    assert_eq!(refused["message"], "This workflow is already running");
    let (_, _, claim) = github.runner("one").await.claim().await;
    github.post(&rerun).bearer(&token).expect(403).await;
    claim.complete(&github, "failed").expect(204).await;
    assert_eq!(github.post(&rerun).bearer(&token).expect(201).await.json(), json!({}));

    let again = github.control().run(run.run_id).unwrap();
    assert_eq!((again.attempt, again.status, again.conclusion), (2, "queued", None));
    assert_ne!(again.plan_id, run.plan_id);
    assert!(again.jobs[0].id != run.jobs[0].id && again.jobs[0].job_id != run.jobs[0].job_id);
    let (_, _, second) = github.runner("two").await.claim().await;
    assert_eq!(second.plan, again.plan_id);
    second.complete(&github, "succeeded").expect(204).await;
    let refused = github.post(&rerun).bearer(&token).expect(403).await.json();
    assert_eq!(refused["message"], "This workflow run cannot be retried");

    let first =
        github.get(&format!("{RUNS}/{}/attempts/1", run.run_id)).bearer(&token).expect(200).await.json();
    assert_eq!((&first["conclusion"], &first["run_attempt"]), (&json!("failure"), &json!(1)));
    let jobs = format!("{RUNS}/{}/attempts/1/jobs", run.run_id);
    assert_eq!(github.get(&jobs).bearer(&token).expect(200).await.json()["jobs"][0]["id"], run.jobs[0].id);
    for (filter, count) in [("latest", 1), ("all", 2)] {
        let path = format!("{RUNS}/{}/jobs?filter={filter}", run.run_id);
        assert_eq!(github.get(&path).bearer(&token).expect(200).await.json()["total_count"], count);
    }
    github.get(&format!("{RUNS}/{}/attempts/3", run.run_id)).bearer(&token).expect(404).await;
    github.assert_no_violation();
}

const CHAIN: &str = "
repository: acme/demo
jobs:
  good: {runs-on: [self-hosted, linux]}
  bad: {runs-on: [self-hosted, linux]}
  after: {runs-on: [self-hosted, linux], needs: [good, bad]}
";

#[tokio::test]
async fn a_re_run_takes_the_failed_jobs_and_what_depends_on_them() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let run = github.run(CHAIN);
    for (name, conclusion) in [("one", "succeeded"), ("two", "failed")] {
        let (_, _, claim) = github.runner(name).await.claim().await;
        claim.complete(&github, conclusion).expect(204).await;
    }
    let done = github.control().run(run.run_id).unwrap();
    let conclusions: Vec<_> = done.jobs.iter().map(|job| job.conclusion).collect();
    assert_eq!(conclusions, [Some("success"), Some("failure"), Some("skipped")]);
    assert_eq!(done.conclusion, Some("failure"), "a run is as bad as its worst job");

    github.post(&format!("{RUNS}/{}/rerun-failed-jobs", run.run_id)).bearer(&token).expect(201).await;
    let again = github.control().run(run.run_id).unwrap();
    let statuses: Vec<_> = again.jobs.iter().map(|job| job.status).collect();
    assert_eq!(statuses, ["completed", "queued", "blocked"]);
    let (_, _, claim) = github.runner("three").await.claim().await;
    claim.complete(&github, "succeeded").expect(204).await;
    let (_, _, claim) = github.runner("four").await.claim().await;
    assert_eq!(claim.message["variables"]["system.github.job"]["value"], "after");
    claim.complete(&github, "succeeded").expect(204).await;
    assert_eq!(github.control().run(run.run_id).unwrap().conclusion, Some("success"));
    github.assert_no_violation();
}

#[tokio::test]
async fn a_whole_run_and_a_single_job_can_be_run_again() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let run = github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    claim.complete(&github, "succeeded").expect(204).await;
    github.post(&format!("{RUNS}/{}/rerun", run.run_id)).bearer(&token).expect(201).await;
    let second = github.control().run(run.run_id).unwrap();
    let (_, _, claim) = github.runner("two").await.claim().await;
    claim.complete(&github, "succeeded").expect(204).await;
    let path = format!("/repos/acme/demo/actions/jobs/{}/rerun", second.jobs[0].id);
    github.post(&path).bearer(&token).json(&json!({"enable_debug_logging": false})).expect(201).await;
    assert_eq!(github.control().run(run.run_id).unwrap().attempt, 3);
    github.post(&path).bearer(&token).json(&json!({"debug": false})).expect(422).await;
    github.assert_violation("\"debug\"");
}

#[tokio::test]
async fn a_cancel_ends_queued_jobs_and_a_force_cancel_ends_all() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let queued = github.run(ONE_JOB);
    let cancel = format!("{RUNS}/{}/cancel", queued.run_id);
    assert_eq!(github.post(&cancel).bearer(&token).expect(202).await.json(), json!({}));
    assert_eq!(github.control().run(queued.run_id).unwrap().conclusion, Some("cancelled"));
    github.post(&cancel).bearer(&token).expect(409).await;

    let claimed = github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (_, _, claim) = runner.claim().await;
    github.post(&format!("{RUNS}/{}/cancel", claimed.run_id)).bearer(&token).expect(202).await;
    assert_eq!(github.control().run(claimed.run_id).unwrap().status, "in_progress");
    let force = format!("{RUNS}/{}/force-cancel", claimed.run_id);
    github.post(&force).bearer(&token).expect(202).await;
    assert_eq!(github.control().run(claimed.run_id).unwrap().conclusion, Some("cancelled"));
    claim.renew(&github).expect(404).await;
    github.post(&force).bearer(&token).expect(409).await;
    let rerun = format!("{RUNS}/{}/rerun-failed-jobs", claimed.run_id);
    github.post(&rerun).bearer(&token).expect(201).await;
    github.post(&format!("{RUNS}/1/cancel")).bearer(&token).expect(404).await;
    github.assert_no_violation();
}
