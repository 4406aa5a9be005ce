//! R1 to R6.

use fakegithub::Lever;
use serde_json::{Value, json};

use crate::support::{Github, LABELS, ONE_JOB, Runner};

const GENERATE: &str = "/orgs/acme/actions/runners/generate-jitconfig";

fn body(name: &str) -> Value {
    json!({"name": name, "runner_group_id": 1, "labels": LABELS})
}

#[tokio::test]
async fn a_jit_configuration_holds_three_files_that_belong_together() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let reply = github.post(GENERATE).bearer(&token).json(&body("one")).expect(201).await.json();
    let runner = &reply["runner"];
    assert_eq!(
        (&runner["status"], &runner["busy"], &runner["ephemeral"], &runner["os"]),
        (&json!("offline"), &json!(false), &json!(true), &json!("unknown"))
    );
    let decoded = Runner::decode(&github, &reply);
    assert_eq!(
        decoded.files.keys().collect::<Vec<_>>(),
        [".credentials", ".credentials_rsaparams", ".runner"]
    );
    let settings = &decoded.files[".runner"];
    assert_eq!(settings["AgentId"], runner["id"].to_string());
    assert_eq!((&settings["ServerUrl"], &settings["UseV2Flow"]), (&settings["ServerUrlV2"], &json!("true")));
    assert!(settings["ServerUrlV2"].as_str().unwrap().ends_with('/'));
    assert_eq!(decoded.files[".credentials"]["data"]["requireFipsCryptography"], "True");
    github.assert_no_violation();
}

#[tokio::test]
async fn a_name_is_taken_until_its_record_is_gone() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let token = github.installation_token().await;
    let taken = github.post(GENERATE).bearer(&token).json(&body("ONE")).expect(409).await.json();
    assert!(taken["message"].as_str().unwrap().contains("already exists"));
    let path = format!("/orgs/acme/actions/runners/{}", runner.id);
    assert!(github.delete(&path).bearer(&token).expect(204).await.body.is_empty());
    github.delete(&path).bearer(&token).expect(404).await;
    github.get(&path).bearer(&token).expect(404).await;
    github.post(GENERATE).bearer(&token).json(&body("one")).expect(201).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_registration_that_is_not_right_is_refused() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let long = "x".repeat(65);
    let many: Vec<String> = (0..101).map(|number| format!("l{number}")).collect();
    let cases = [
        (json!({"name": "a", "labels": LABELS}), 422, Some("runner_group_id")),
        (json!({"name": "a", "runner_group_id": "1", "labels": LABELS}), 422, Some("runner_group_id")),
        (json!({"runner_group_id": 1, "labels": LABELS}), 422, Some("name")),
        (json!({"name": "a", "runner_group_id": 1, "labels": [1]}), 422, Some("labels")),
        (json!({"name": "a", "runner_group_id": 1, "labels": []}), 422, None),
        (json!({"name": "a", "runner_group_id": 1, "labels": many}), 422, None),
        (json!({"name": long, "runner_group_id": 1, "labels": LABELS}), 422, None),
        (json!({"name": "a", "runner_group_id": 2, "labels": LABELS}), 403, None),
        (json!({"name": "a", "runner_group_id": 9, "labels": LABELS}), 404, None),
        (
            json!({"name": "a", "runner_group_id": 1, "labels": LABELS, "ephemeral": true}),
            422,
            Some("ephemeral"),
        ),
    ];
    for (body, status, violation) in cases {
        let reply = github.post(GENERATE).bearer(&token).json(&body).send().await;
        assert_eq!(reply.status, status, "{body}");
        match violation {
            Some(part) => github.assert_violation(part),
            None => github.assert_no_violation(),
        }
    }
    let malformed = github.post(GENERATE).bearer(&token).header("content-type", "application/json").body("{");
    malformed.expect(400).await;
    github.assert_violation("not a JSON object");
    github
        .post(GENERATE)
        .bearer(&token)
        .json(&body("a"))
        .header("content-type", "text/plain")
        .expect(415)
        .await;
    github.assert_violation("content type");
    github
        .post("/orgs/other/actions/runners/generate-jitconfig")
        .bearer(&token)
        .json(&body("a"))
        .expect(404)
        .await;
    assert!(github.control().state().agents.is_empty());
}

#[tokio::test]
async fn a_label_that_a_lever_reserves_is_refused_by_name() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    github.control().pull(Lever::RefuseLabel { label: "gpu".into() }).unwrap();
    github.post(GENERATE).bearer(&token).json(&body("fine")).expect(201).await;
    let labels = json!({"name": "one", "runner_group_id": 1, "labels": ["linux", "GPU"]});
    let refused = github.post(GENERATE).bearer(&token).json(&labels).expect(422).await.json();
    assert_eq!(refused["message"], "Validation Failed: label 'GPU' is reserved");
    assert_eq!(refused["errors"][0]["field"], "labels");
    github.control().reset();
    github.post(GENERATE).bearer(&token).json(&labels).expect(201).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn runners_wants_an_installation_token() {
    let github = Github::start().await;
    let list = "/orgs/acme/actions/runners";
    github.get(list).bearer(&github.app_jwt()).expect(401).await;
    github.assert_violation("'app-jwt' where one of kind 'installation'");
    let runner = github.runner("one").await;
    github.get(list).bearer(&runner.token().await).expect(401).await;
    github.assert_violation("'runner' where one of kind 'installation'");
    github.get(list).expect(401).await;
    github.assert_violation("no Authorization");
    let token = github.installation_token().await;
    for scheme in ["bearer", "token", "RemoteAuth"] {
        github.get(list).header("authorization", &format!("{scheme} {token}")).expect(401).await;
        github.assert_violation("scheme");
    }
    github.get(list).bearer("ghs_nobody").expect(401).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn runners_are_listed_in_pages_and_by_name() {
    let github = Github::start().await;
    for name in ["a", "b", "c"] {
        github.runner(name).await;
    }
    let token = github.installation_token().await;
    let first = github.get("/api/v3/orgs/acme/actions/runners?per_page=2").bearer(&token).expect(200).await;
    assert_eq!(
        (&first.json()["total_count"], first.json()["runners"].as_array().unwrap().len()),
        (&json!(3), 2)
    );
    let link = first.header("link").to_owned();
    let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    let second = github.get(next).bearer(&token).expect(200).await;
    assert_eq!(second.json()["runners"][0]["name"], "c");
    assert!(second.headers.get("link").is_none());
    let named = github.get("/orgs/acme/actions/runners?name=b").bearer(&token).expect(200).await.json();
    assert_eq!((&named["total_count"], &named["runners"][0]["name"]), (&json!(1), &json!("b")));
    github.get("/orgs/acme/actions/runners?per_page=101").bearer(&token).expect(422).await;
    github.assert_violation("per_page");
}

#[tokio::test]
async fn a_scope_does_not_see_the_runners_of_another() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let path = "/repos/acme/demo/actions/runners";
    github.post(&format!("{path}/generate-jitconfig")).bearer(&token).json(&body("one")).expect(201).await;
    github.post(GENERATE).bearer(&token).json(&body("one")).expect(201).await;
    for list in [path, "/orgs/acme/actions/runners"] {
        assert_eq!(github.get(list).bearer(&token).expect(200).await.json()["total_count"], 1);
    }
}

#[tokio::test]
async fn a_busy_runner_cannot_be_removed_until_its_job_is_over() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (_, _, claim) = runner.claim().await;
    let token = github.installation_token().await;
    let path = format!("/orgs/acme/actions/runners/{}", runner.id);
    let seen = github.get(&path).bearer(&token).expect(200).await.json();
    assert_eq!(
        (&seen["busy"], &seen["status"], &seen["os"], &seen["version"]),
        (&json!(true), &json!("online"), &json!("Linux"), &json!("2.337.0"))
    );
    let refused = github.delete(&path).bearer(&token).expect(422).await.json();
    assert!(refused["message"].as_str().unwrap().to_lowercase().contains("running"));
    claim.complete(&github, "failed").expect(204).await;
    github.delete(&path).bearer(&token).expect(404).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn registration_tokens_and_groups_are_served() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let path = "/repos/acme/demo/actions/runners/registration-token";
    let minted = github.post(path).bearer(&token).expect(201).await.json();
    assert!(minted["expires_at"].as_str().unwrap().ends_with('Z'));
    let groups =
        github.get("/orgs/acme/actions/runner-groups?per_page=100").bearer(&token).expect(200).await.json();
    assert_eq!((&groups["total_count"], &groups["runner_groups"][0]["id"]), (&json!(1), &json!(1)));
    github.assert_no_violation();
    let registration = minted["token"].as_str().unwrap();
    github.get("/orgs/acme/actions/runners").bearer(registration).expect(401).await;
    github.assert_violation("'registration'");
}
