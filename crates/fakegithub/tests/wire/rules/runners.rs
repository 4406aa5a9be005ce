//! R3 and R6 (protocol §2.3, §2.6): runner records.

use fakegithub::{AppRequest, Lever, RateForm};
use serde_json::json;

use crate::support::{Github, ONE_JOB, Runner};

const GOOD: &str = r#"{"name":"gw-blue-0007","runner_group_id":1,"labels":["self-hosted","linux","blue"],"work_folder":"_work"}"#;

/// The request of the protocol's example.
fn generate(token: &str, body: &str) -> String {
    format!(
        "POST /orgs/acme/actions/runners/generate-jitconfig HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         Accept: application/vnd.github+json\n\
         X-GitHub-Api-Version: 2022-11-28\n\
         User-Agent: demo-gateway/0.1\n\
         Content-Type: application/json\n\
         \n\
         {body}"
    )
}

fn delete(token: &str, id: u64) -> String {
    format!(
        "DELETE /orgs/acme/actions/runners/{id} HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         User-Agent: demo-gateway/0.1\n"
    )
}

/// The good body with one piece in place of another is refused as breaking a rule.
async fn refused(piece: &str, other: &str, rule: &str) {
    let github = Github::start().await;
    let token = github.installation_token().await;
    assert!(GOOD.contains(piece), "{piece}");
    let answer = github.refuses(&generate(&token, &GOOD.replace(piece, other)), 422, rule, rule).await.json();
    assert_eq!((&answer["status"], answer["errors"].is_array()), (&json!("422"), true), "{answer}");
    assert!(github.control().state().agents.is_empty(), "a refusal mints nothing");
}

#[tokio::test]
async fn accepts_a_valid_registration() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let answer = github.takes(&generate(&token, GOOD), 201).await.json();
    let runner = &answer["runner"];
    assert_eq!(
        (&runner["status"], &runner["busy"], &runner["os"]),
        (&json!("offline"), &json!(false), &json!("unknown"))
    );
    assert_eq!(runner["labels"][0], json!({"id": 0, "name": "self-hosted", "type": "read-only"}));
    assert_eq!(Runner::decode(&github, &answer).name, "gw-blue-0007");
}

#[tokio::test]
async fn accepts_a_registration_without_work_folder() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let answer =
        github.takes(&generate(&token, &GOOD.replace(r#","work_folder":"_work""#, "")), 201).await.json();
    assert_eq!(Runner::decode(&github, &answer).files[".runner"]["WorkFolder"], "_work");
}

#[tokio::test]
async fn refuses_a_registration_without_name() {
    refused(r#""name":"gw-blue-0007","#, "", r#"name"#).await;
}

#[tokio::test]
async fn refuses_a_registration_without_group() {
    refused(r#""runner_group_id":1,"#, "", "runner_group_id").await;
}

#[tokio::test]
async fn refuses_a_group_that_is_not_a_number() {
    refused(r#""runner_group_id":1"#, r#""runner_group_id":"1""#, "runner_group_id").await;
}

#[tokio::test]
async fn refuses_a_registration_without_labels() {
    refused(r#""labels":["self-hosted","linux","blue"],"#, "", "labels").await;
}

#[tokio::test]
async fn refuses_a_label_that_is_not_a_string() {
    refused(r#""blue""#, "7", "labels").await;
}

#[tokio::test]
async fn refuses_a_work_folder_that_is_not_a_string() {
    refused(r#""work_folder":"_work""#, r#""work_folder":1"#, "work_folder").await;
}

#[tokio::test]
async fn refuses_a_key_it_does_not_know() {
    refused(r#""work_folder""#, r#""ephemeral""#, "is not a permitted key").await;
}

#[tokio::test]
async fn refuses_a_parameter() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let request = generate(&token, GOOD).replace("jitconfig HTTP", "jitconfig?replace=true HTTP");
    github.refuses(&request, 422, "not a parameter", "\"replace\" is not a parameter").await;
}

/// An ordinary client may send it once, so it is refused and no more.
async fn denied(body: &str, status: u16, text: &str) {
    let github = Github::start().await;
    let token = github.installation_token().await;
    github.denies(&generate(&token, body), status, text).await;
    assert!(github.control().state().agents.is_empty(), "a refusal mints nothing");
}

#[tokio::test]
async fn denies_no_labels_and_more_than_a_hundred() {
    denied(&GOOD.replace(r#""self-hosted","linux","blue""#, ""), 422, "1 to 100 labels").await;
    let many = |count: usize| GOOD.replace(r#""blue""#, &vec![r#""x""#; count - 2].join(","));
    denied(&many(101), 422, "1 to 100 labels").await;
    let github = Github::start().await;
    let token = github.installation_token().await;
    github.takes(&generate(&token, &many(100)), 201).await;
}

#[tokio::test]
async fn denies_a_name_longer_than_sixty_four() {
    denied(&GOOD.replace("gw-blue-0007", &"x".repeat(65)), 422, "64 characters").await;
    let github = Github::start().await;
    let token = github.installation_token().await;
    github.takes(&generate(&token, &GOOD.replace("gw-blue-0007", &"x".repeat(64))), 201).await;
}

#[tokio::test]
async fn denies_the_group_of_hosted_runners() {
    denied(&GOOD.replace(r#""runner_group_id":1"#, r#""runner_group_id":2"#), 403, "not accessible").await;
}

#[tokio::test]
async fn denies_a_group_that_is_not_there() {
    denied(&GOOD.replace(r#""runner_group_id":1"#, r#""runner_group_id":9"#), 404, "Not Found").await;
}

#[tokio::test]
async fn denies_a_token_without_the_permission() {
    let github = Github::start().await;
    let path = format!("/app/installations/{}/access_tokens", github.app.installation_id);
    let narrow = json!({"permissions": {"actions": "write"}});
    let narrow = github.post(&path).bearer(&github.app_jwt()).json(&narrow).expect(201).await.json();
    let answer =
        github.denies(&generate(narrow["token"].as_str().unwrap(), GOOD), 403, "not accessible").await;
    assert_ne!(answer.header("x-ratelimit-remaining"), Some("0"), "not a rate limit");
}

#[tokio::test]
async fn denies_a_scope_where_the_app_is_not_installed() {
    let github = Github::start().await;
    github.control().create_app(AppRequest::on("other")).await.unwrap();
    let token = github.installation_token().await;
    github.denies(&generate(&token, GOOD).replace("/orgs/acme/", "/orgs/other/"), 404, "Not Found").await;
}

#[tokio::test]
async fn denies_a_name_that_is_taken() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    github.takes(&generate(&token, GOOD), 201).await;
    let answer = github.denies(&generate(&token, GOOD), 409, "already exists").await.json();
    assert_eq!(answer["status"], "409");
    assert_eq!(github.control().state().agents.len(), 1);
    // The name is unique in its scope only.
    let elsewhere = generate(&token, GOOD).replace("/orgs/acme/", "/repos/acme/demo/");
    github.takes(&elsewhere, 201).await;
}

#[tokio::test]
async fn denies_a_registration_for_a_rate_limit() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    for (form, status) in [(RateForm::Secondary429, 429), (RateForm::Primary403, 403)] {
        let lever = Lever::RateLimit {
            endpoint: "R3".into(),
            account: None,
            form,
            count: 1,
            retry_after: Some("7".into()),
            reset_after: None,
        };
        github.control().pull(lever).unwrap();
        github.denies(&generate(&token, GOOD), status, "rate limit").await;
    }
    github.takes(&generate(&token, GOOD), 201).await;
}

#[tokio::test]
async fn refuses_an_app_jwt() {
    let github = Github::start().await;
    let rule = "'app-jwt' where one of kind 'installation'";
    github.refuses(&generate(&github.app_jwt(), GOOD), 401, "Bad credentials", rule).await;
}

#[tokio::test]
async fn accepts_the_removal_of_an_idle_runner() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let token = github.installation_token().await;
    assert!(github.takes(&delete(&token, runner.id), 204).await.body.is_empty());
    github.denies(&delete(&token, runner.id), 404, "Not Found").await;
}

#[tokio::test]
async fn denies_the_removal_of_a_busy_runner() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (_, _, claim) = runner.claim().await;
    let token = github.installation_token().await;
    github.denies(&delete(&token, runner.id), 422, "currently running a job").await;
    claim.complete(&github, "succeeded").expect(204).await;
    github.denies(&delete(&token, runner.id), 404, "Not Found").await;
}

/// R9 of a version.
fn deprecation(token: &str, scope: &str, version: &str) -> String {
    format!(
        "GET /api/v3/{scope}/actions/runners/deprecations/{version} HTTP/1.1\n\
         Authorization: Bearer {token}\n\
         Accept: application/vnd.github+json\n\
         User-Agent: demo-gateway/0.1\n"
    )
}

#[tokio::test]
async fn accepts_a_question_for_the_date_of_a_version() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    for scope in ["orgs/acme", "repos/acme/demo"] {
        let answer = github.takes(&deprecation(&token, scope, "2.335.1"), 200).await.json();
        let known = json!({"runner_version": "2.335.1", "runtime_deprecates_at": "2026-09-24T15:30:55Z"});
        assert_eq!(answer, known);
    }
    let newest = github.takes(&deprecation(&token, "orgs/acme", "2.337.0"), 200).await.json();
    assert_eq!(newest, json!({"runner_version": "2.337.0", "runtime_deprecates_at": null}));
    github.pull(
        json!({"lever": "served-versions", "versions": {"2.337.0": "2026-12-01T00:00:00Z", "2.338.0": null}}),
    );
    let dated = github.takes(&deprecation(&token, "orgs/acme", "2.337.0"), 200).await.json();
    assert_eq!(dated["runtime_deprecates_at"], "2026-12-01T00:00:00Z");
    github.takes(&deprecation(&token, "orgs/acme", "2.338.0"), 200).await;
}

#[tokio::test]
async fn denies_the_date_of_a_version_that_was_never_released() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    for version in ["9.9.9", "2.320.0", "latest"] {
        let answer = github.denies(&deprecation(&token, "orgs/acme", version), 404, "Not Found").await.json();
        assert_eq!(answer["status"], "404");
    }
}

#[tokio::test]
async fn denies_the_date_of_a_version_to_a_token_without_the_right() {
    let github = Github::start().await;
    let path = format!("/app/installations/{}/access_tokens", github.app.installation_id);
    let narrow = json!({"permissions": {"metadata": "read"}});
    let answer = github.post(&path).bearer(&github.app_jwt()).json(&narrow).expect(201).await.json();
    let token = answer["token"].as_str().unwrap().to_owned();
    github.denies(&deprecation(&token, "orgs/acme", "2.337.0"), 403, "not accessible").await;
    github.denies(&deprecation("ghs_UNKNOWN", "orgs/acme", "2.337.0"), 401, "Bad credentials").await;
    let good = deprecation(&token, "orgs/acme", "2.337.0");
    let bare = good.replace(&format!("Authorization: Bearer {token}\n"), "");
    github.refuses(&bare, 401, "Bad credentials", "no Authorization").await;
}
