//! What the steps of a job ask for: actions, and id tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::runner::Claim;
use crate::support::{Github, ONE_JOB};

async fn claimed(github: &Github, workflow: &str) -> Claim {
    github.run(workflow);
    github.runner("one").await.claim().await.2
}

fn checkout() -> Value {
    json!([{"action": "actions/checkout", "version": "v4", "path": ""}])
}

/// The claims of the token that is handed out at a URL.
async fn id_token(github: &Github, claim: &Claim, url: &str) -> Value {
    let answer = github.get(url).bearer(&claim.token).expect(200).await.json();
    assert_eq!((&answer["count"], answer.as_object().unwrap().len()), (&json!(1), 2));
    let parts: Vec<&str> = answer["value"].as_str().unwrap().split('.').collect();
    let [header, claims, ""] = parts[..] else { panic!("a signature in {parts:?}") };
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(read(header), json!({"typ": "JWT", "alg": "none"}));
    read(claims)
}

#[tokio::test]
async fn an_action_is_resolved_to_a_commit_that_stays() {
    let github = Github::start().await;
    let claim = claimed(&github, ONE_JOB).await;
    let commit = "B4FFDE65F46336AB88EB53BE808477A3936BAE11";
    let actions = json!([
        {"action": "actions/checkout", "version": "v4", "path": ""},
        {"action": "actions/cache", "version": "releases/v4", "path": "save"},
        {"action": "acme/Tool", "version": commit},
    ]);
    let answer = claim.resolve(&github, actions.clone()).expect(200).await.json();
    let resolved = answer["actions"].as_object().unwrap();
    assert_eq!(
        resolved.keys().collect::<Vec<_>>(),
        [&format!("acme/Tool@{commit}"), "actions/cache@releases/v4", "actions/checkout@v4"]
    );
    let action = &resolved["actions/checkout@v4"];
    let sha = action["resolved_sha"].as_str().unwrap();
    assert!(sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sha}");
    assert_ne!(action["resolved_sha"], resolved["actions/cache@releases/v4"]["resolved_sha"]);
    assert_eq!(resolved[&format!("acme/Tool@{commit}")]["resolved_sha"], commit.to_lowercase());
    let archive =
        |form: &str| format!("{}/api/v3/repos/actions/checkout/{form}/{sha}", github.server.base_url());
    let token = action["authentication"]["token"].as_str().unwrap();
    let expires: Timestamp = action["authentication"]["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(token.starts_with("ghs_FAKE") && expires > Timestamp::now());
    assert_eq!(
        *action,
        json!({
            "name": "actions/checkout", "resolved_name": "actions/checkout", "resolved_sha": sha, "version": "v4",
            "tar_url": archive("tarball"), "zip_url": archive("zipball"), "authentication": action["authentication"],
        })
    );

    let again = claim.resolve(&github, actions).expect(200).await.json();
    let again = &again["actions"]["actions/checkout@v4"];
    assert_eq!(again["resolved_sha"], sha);
    assert_ne!(again["authentication"]["token"], token);
    for form in ["tarball", "zipball"] {
        github.get(&archive(form)).bearer(token).expect(404).await;
    }
    github.get(&archive("tarball").replace("/api/v3", "")).bearer(token).expect(404).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn an_action_that_names_none_is_unprocessable_and_no_violation() {
    let github = Github::start().await;
    let claim = claimed(&github, ONE_JOB).await;
    for (wrong, key, why) in [
        (json!({"action": "checkout", "version": "v4"}), "checkout@v4", "not owner/name"),
        (json!({"action": "actions/", "version": "v4"}), "actions/@v4", "not owner/name"),
        (json!({"action": "a/b/c", "version": "v4"}), "a/b/c@v4", "not owner/name"),
        (json!({"version": "v4"}), "@v4", "not owner/name"),
        (json!({"action": "actions/cache", "version": ""}), "actions/cache@", "no version"),
        (json!({"action": "actions/cache"}), "actions/cache@", "no version"),
    ] {
        let both = json!([checkout()[0], wrong]);
        let answer = claim.resolve(&github, both).expect(422).await.json();
        let errors = answer["errors"].as_object().unwrap();
        assert_eq!(errors.keys().collect::<Vec<_>>(), [key]);
        assert!(errors[key]["message"].as_str().unwrap().contains(why), "{answer}");
    }
    github.assert_no_violation();
    for malformed in [json!({}), json!([5]), json!([{"action": 5, "version": "v4"}]), Value::Null] {
        claim.resolve(&github, malformed).expect(400).await;
        github.assert_violation("actions");
    }
    claim.resolve(&github, checkout()).body("[").expect(400).await;
    github.assert_violation("not a JSON object");
}

#[tokio::test]
async fn resolution_wants_the_token_and_the_ids_of_the_job() {
    let github = Github::start().await;
    let claim = claimed(&github, ONE_JOB).await;
    claim.resolve(&github, checkout()).bearer("unknown").expect(401).await;
    github.assert_no_violation();
    let installation = github.installation_token().await;
    claim.resolve(&github, checkout()).bearer(&installation).expect(401).await;
    github.assert_violation("'installation' where one of kind 'job'");
    claim.resolve(&github, checkout()).without("authorization").expect(401).await;
    github.assert_violation("no Authorization");
    github.run(ONE_JOB);
    let (_, _, other) = github.runner("two").await.claim().await;
    other.resolve(&github, checkout()).bearer(&claim.token).expect(401).await;
    github.assert_violation("not those of the token's job");
    let path = format!("/actions/build/{}/jobs/{}/runnerresolve/actions", claim.plan, other.job);
    github.post(&path).bearer(&claim.token).json(&json!({"actions": []})).expect(401).await;
    github.assert_violation("not those of the token's job");
    github.get(&path).bearer(&claim.token).expect(404).await;
    github.assert_violation("unknown route");
}

#[tokio::test]
async fn an_id_token_says_whose_job_it_is() {
    let github = Github::start().await;
    let run = github.run(ONE_JOB);
    let (_, _, claim) = github.runner("one").await.claim().await;
    let claims = id_token(&github, &claim, claim.id_token_url()).await;
    let wanted = [
        ("iss", json!(format!("{}/_services/token", github.server.base_url()))),
        ("sub", json!("repo:acme/demo:ref:refs/heads/main")),
        ("aud", json!("https://github.com/acme")),
        ("repository", json!("acme/demo")),
        ("repository_owner", json!("acme")),
        ("run_id", json!(run.run_id.to_string())),
        ("run_attempt", json!("1")),
        ("ref", json!("refs/heads/main")),
        ("ref_protected", json!("false")),
        ("workflow", json!("ci")),
        ("workflow_ref", json!("acme/demo/.github/workflows/ci.yml@refs/heads/main")),
        ("job_workflow_ref", json!("acme/demo/.github/workflows/ci.yml@refs/heads/main")),
        ("actor", json!("octocat")),
        ("event_name", json!("push")),
        ("runner_environment", json!("self-hosted")),
    ];
    for (claim, value) in wanted {
        assert_eq!(claims[claim], value, "{claim}");
    }
    let github_context = claim.message["contextData"]["github"]["d"].as_array().unwrap();
    let sha = github_context.iter().find(|entry| entry["k"] == "sha").unwrap();
    assert_eq!(claims["sha"], sha["v"]);
    assert_eq!(claims["job_workflow_sha"], sha["v"]);
    let time = |claim: &str| claims[claim].as_i64().unwrap();
    assert!(time("nbf") < time("iat") && time("iat") < time("exp"));
    for fact in ["token", "job", "server_url"] {
        assert!(claims.get(fact).is_none(), "{fact} is no claim");
    }

    let other =
        id_token(&github, &claim, &format!("{}&audience=sts.example%2Fx", claim.id_token_url())).await;
    assert_eq!(other["aud"], "sts.example/x");
    assert_ne!(other["jti"], claims["jti"]);
    let bare = id_token(&github, &claim, &format!("{}idtoken?audience=", claim.url)).await;
    assert_eq!(bare["aud"], "https://github.com/acme");
    let manual = format!("bearer {}", claim.token);
    github.get(claim.id_token_url()).header("authorization", &manual).expect(200).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn an_id_token_of_a_pull_request_is_about_it() {
    let github = Github::start().await;
    let claim = claimed(&github, &format!("event: pull_request\n{ONE_JOB}")).await;
    let claims = id_token(&github, &claim, claim.id_token_url()).await;
    assert_eq!(claims["sub"], "repo:acme/demo:pull_request");
}

#[tokio::test]
async fn an_id_token_wants_the_token_and_the_url_of_the_job() {
    let github = Github::start().await;
    let claim = claimed(&github, ONE_JOB).await;
    let ask = || github.get(claim.id_token_url());
    ask().bearer("unknown").expect(401).await;
    github.assert_no_violation();
    let workflow_token = claim.message["variables"]["github_token"]["value"].as_str().unwrap();
    ask().bearer(workflow_token).expect(401).await;
    github.assert_violation("'workflow' where one of kind 'job'");
    github.run(ONE_JOB);
    let (_, _, other) = github.runner("two").await.claim().await;
    ask().bearer(&other.token).expect(404).await;
    github.assert_violation("the URL is that of another job");
    for (query, rule) in [("audience=a&audience=b", "there twice"), ("scope=x", "not a parameter")] {
        github.get(&format!("{}idtoken?{query}", claim.url)).bearer(&claim.token).expect(400).await;
        github.assert_violation(rule);
    }
    ask().bearer(&claim.token).json(&json!({})).expect(400).await;
    github.assert_violation("takes no body");
    github.post(claim.id_token_url()).bearer(&claim.token).expect(404).await;
    github.assert_violation("unknown route");
}
