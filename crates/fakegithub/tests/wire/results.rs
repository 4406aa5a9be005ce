//! The results service and its blobs.

use serde_json::{Value, json};

use crate::support::runner::Claim;
use crate::support::{Github, ONE_JOB};

const RECEIVER: &str = "results.services.receiver.Receiver";

async fn claimed(github: &Github) -> (u64, u64, Claim) {
    let run = github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    (run.run_id, run.jobs[0].id, claim)
}

async fn url(github: &Github, claim: &Claim, method: &str, extra: Value) -> String {
    let reply = claim.results(github, &format!("{RECEIVER}/{method}"), extra).expect(200).await.json();
    assert_eq!(reply["blob_storage_type"], "BLOB_STORAGE_TYPE_AZURE");
    reply["logs_url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_log_put_in_one_piece_is_read_back() {
    let github = Github::start().await;
    let (run, job, claim) = claimed(&github).await;
    let url = url(&github, &claim, "GetJobLogsSignedBlobURL", json!({})).await;
    github.put(&url).header("x-ms-blob-type", "BlockBlob").body("hello\n").expect(201).await;
    let metadata = json!({"uploaded_at": "2026-09-01T10:00:00Z", "line_count": 1});
    claim.results(&github, &format!("{RECEIVER}/CreateJobLogsMetadata"), metadata).expect(200).await;
    assert_eq!(github.control().job_log(run, job).unwrap(), "hello\n");
    github.assert_no_violation();
}

#[tokio::test]
async fn step_logs_grow_until_they_are_sealed_and_stand_in_for_the_jobs() {
    let github = Github::start().await;
    let (run, job, claim) = claimed(&github).await;
    claim.start(&github).await;
    let url = url(&github, &claim, "GetStepLogsSignedBlobURL", json!({"step_backend_id": "5e900000"})).await;
    let append = format!("{url}&comp=appendblock");
    github.put(&append).body("early").expect(404).await;
    github.put(&url).header("x-ms-blob-type", "AppendBlob").expect(201).await;
    github.put(&append).body("one\n").expect(201).await;
    github.put(&format!("{append}&seal=true")).body("two\n").expect(201).await;
    github.put(&append).body("three\n").expect(409).await;
    let metadata = json!({"step_backend_id": "5e900000", "line_count": 2});
    claim.results(&github, &format!("{RECEIVER}/CreateStepLogsMetadata"), metadata).expect(200).await;
    assert_eq!(github.control().job_log(run, job).unwrap(), "one\ntwo\n");
    github.assert_no_violation();
}

#[tokio::test]
async fn blocks_count_in_the_order_of_their_list() {
    let github = Github::start().await;
    let (run, job, claim) = claimed(&github).await;
    let url = url(&github, &claim, "GetJobLogsSignedBlobURL", json!({})).await;
    for (id, text) in [("Yg%3D%3D", "second"), ("YQ%3D%3D", "first ")] {
        github.put(&format!("{url}&comp=block&blockid={id}")).body(text).expect(201).await;
    }
    let list = "<?xml version=\"1.0\"?><BlockList><Latest>YQ==</Latest><Latest>Yg==</Latest></BlockList>";
    github.put(&format!("{url}&comp=blocklist")).body(list).expect(201).await;
    assert_eq!(github.control().job_log(run, job).unwrap(), "first second");
    github.assert_no_violation();
}

#[tokio::test]
async fn a_blob_is_created_once_where_its_client_says_so() {
    let github = Github::start().await;
    let (_, _, claim) = claimed(&github).await;
    let url = url(&github, &claim, "GetJobLogsSignedBlobURL", json!({})).await;
    let create = || github.put(&url).header("x-ms-blob-type", "AppendBlob");
    create().header("if-none-match", "*").expect(201).await;
    create().header("if-none-match", "*").expect(409).await;
    create().expect(201).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_seal_is_answered_200_and_ends_the_blob() {
    let github = Github::start().await;
    let (run, job, claim) = claimed(&github).await;
    let url = url(&github, &claim, "GetJobLogsSignedBlobURL", json!({})).await;
    let seal = url.replace('?', "?comp=seal&");
    github.put(&seal).expect(404).await;
    github.put(&url).header("x-ms-blob-type", "AppendBlob").expect(201).await;
    github.put(&url.replace('?', "?comp=appendblock&")).body("one\n").expect(201).await;
    github.put(&seal).expect(200).await;
    github.put(&url.replace('?', "?comp=appendblock&")).body("two\n").expect(409).await;
    let log = || github.control().job_logs(run, job).unwrap().remove(0);
    assert_eq!((log().bytes, log().sealed, log().finished, log().lines), (4, true, false, None));
    claim
        .results(&github, &format!("{RECEIVER}/CreateJobLogsMetadata"), json!({"line_count": 1}))
        .expect(200)
        .await;
    assert_eq!((log().finished, log().lines), (true, Some(1)));
    github.assert_no_violation();
}

#[tokio::test]
async fn the_header_that_seals_is_read_in_any_case() {
    let github = Github::start().await;
    let (run, job, claim) = claimed(&github).await;
    let url = url(&github, &claim, "GetJobLogsSignedBlobURL", json!({})).await;
    let append = format!("{url}&comp=appendblock");
    github.put(&url).header("x-ms-blob-type", "AppendBlob").expect(201).await;
    for (word, sealed) in [("False", false), ("True", true)] {
        github.put(&append).header("x-ms-blob-sealed", word).body("x").expect(201).await;
        assert_eq!(github.control().job_logs(run, job).unwrap()[0].sealed, sealed, "{word}");
    }
    github.put(&append).body("x").expect(409).await;
}

#[tokio::test]
async fn summaries_and_diagnostics_have_urls_of_their_own() {
    let github = Github::start().await;
    let (run, job, claim) = claimed(&github).await;
    let step = json!({"step_backend_id": "5e900000"});
    let ask = async |method: &str, extra: &Value| {
        claim.results(&github, &format!("{RECEIVER}/{method}"), extra.clone()).expect(200).await.json()
    };
    let summary = ask("GetStepSummarySignedBlobURL", &step).await;
    assert_eq!((&summary["soft_size_limit"], summary.as_object().unwrap().len()), (&json!(1_048_576), 3));
    let put =
        |url: &Value| github.put(url.as_str().unwrap()).header("x-ms-blob-type", "BlockBlob").body("# Hi");
    put(&summary["summary_url"]).expect(201).await;
    assert_eq!(ask("CreateStepSummaryMetadata", &step).await, json!({"ok": true}));
    let diagnostics = ask("GetJobDiagLogsSignedBlobURL", &json!({})).await;
    assert_eq!(diagnostics["blob_storage_type"], "BLOB_STORAGE_TYPE_AZURE");
    put(&diagnostics["diag_logs_url"]).expect(201).await;
    let logs = github.control().job_logs(run, job).unwrap();
    let names: Vec<&str> = logs.iter().map(|log| log.log.as_str()).collect();
    assert_eq!(names, ["diagnostics", "summaries/5e900000"]);
    assert_eq!(github.control().job_log(run, job).unwrap(), "", "neither is the job's log");
    github.assert_no_violation();
}

#[tokio::test]
async fn what_a_job_may_ask_for_is_not_found_and_no_violation() {
    let github = Github::start().await;
    let (_, _, claim) = claimed(&github).await;
    for method in ["CacheService/CreateCacheEntry", "ArtifactService/CreateArtifact"] {
        let method = format!("github.actions.results.api.v1.{method}");
        claim.results(&github, &method, json!({})).expect(404).await;
    }
    github.assert_no_violation();
}

#[tokio::test]
async fn a_job_is_told_to_upload_as_github_wants_it() {
    let github = Github::start().await;
    let (_, _, claim) = claimed(&github).await;
    for name in ["system.github.results_upload_with_sdk", "DistributedTask.EnhancedAnnotations"] {
        assert_eq!(claim.message["variables"][name], json!({"value": "true"}), "{name}");
    }
}

#[tokio::test]
async fn a_blob_wants_its_signature_and_a_known_type() {
    let github = Github::start().await;
    let (_, _, claim) = claimed(&github).await;
    let url = url(&github, &claim, "GetJobLogsSignedBlobURL", json!({})).await;
    github.put(&(url.clone() + "x")).header("x-ms-blob-type", "BlockBlob").expect(403).await;
    let bare = url.split('?').next().unwrap();
    github.put(bare).header("x-ms-blob-type", "BlockBlob").expect(403).await;
    github.assert_violation("signature");
    github.put(&url).header("x-ms-blob-type", "PageBlob").expect(400).await;
    github.assert_violation("PageBlob");
}

#[tokio::test]
async fn the_results_service_wants_the_token_and_the_ids_of_the_job() {
    let github = Github::start().await;
    let (_, _, claim) = claimed(&github).await;
    let method = format!("{RECEIVER}/GetJobLogsSignedBlobURL");
    let installation = github.installation_token().await;
    claim.results(&github, &method, json!({})).bearer(&installation).expect(401).await;
    github.assert_violation("'installation' where one of kind 'job'");
    let strange = json!({"workflow_run_backend_id": claim.job, "workflow_job_run_backend_id": claim.job});
    claim.results(&github, &method, json!({})).json(&strange).expect(401).await;
    github.assert_violation("backend ids");
    claim.results(&github, &format!("{RECEIVER}/GetSecrets"), json!({})).expect(404).await;
    github.assert_violation("unknown route");
    let path = json!({"step_backend_id": "../job"});
    claim.results(&github, &format!("{RECEIVER}/GetStepLogsSignedBlobURL"), path).expect(400).await;
    github.assert_violation("step_backend_id");
    let update = "github.actions.results.api.v1.WorkflowStepUpdateService/WorkflowStepsUpdate";
    claim.results(&github, update, json!({"steps": [{"number": 1}]})).expect(400).await;
    github.assert_violation("a step cannot be read");
}

#[tokio::test]
async fn the_first_step_update_is_the_start_of_the_job() {
    let github = Github::start().await;
    let (run, _, claim) = claimed(&github).await;
    claim.renew(&github).expect(200).await;
    assert!(github.control().run(run).unwrap().jobs[0].started_at.is_none(), "a renewal is not a start");
    claim.start(&github).await;
    let job = github.control().run(run).unwrap().jobs[0].clone();
    assert!(job.started_at.is_some());
    assert_eq!((job.steps[0].name.as_str(), job.steps[0].status), ("Set up job", "in_progress"));
}
