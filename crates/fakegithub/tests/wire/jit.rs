//! What is inside a JIT configuration (protocol §2.5), in each of its dialects.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Alg, Github, LABELS};

/// Registers a runner. Returns its number and its configuration.
async fn registered(github: &Github, name: &str) -> (u64, String) {
    let token = github.installation_token().await;
    let body = json!({"name": name, "runner_group_id": 1, "labels": LABELS});
    let path = "/orgs/acme/actions/runners/generate-jitconfig";
    let answer = github.post(path).bearer(&token).json(&body).expect(201).await.json();
    (answer["runner"]["id"].as_u64().unwrap(), answer["encoded_jit_config"].as_str().unwrap().to_owned())
}

/// The bytes of the files.
fn files(blob: &str) -> BTreeMap<String, Vec<u8>> {
    let files: BTreeMap<String, String> = serde_json::from_slice(&STANDARD.decode(blob).unwrap()).unwrap();
    files.into_iter().map(|(name, file)| (name, STANDARD.decode(file).unwrap())).collect()
}

fn json_of(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

/// `.runner` and the data of `.credentials` in a dialect.
async fn written(dialect: &str) -> (u64, Value, Value, String) {
    let github = Github::start().await;
    github.pull(json!({"lever": "jit-dialect", "dialect": dialect}));
    let (id, blob) = registered(&github, "one").await;
    let files = files(&blob);
    let credentials = json_of(&files, ".credentials")["data"].clone();
    (id, json_of(&files, ".runner"), credentials, github.server.base_url().to_owned())
}

#[tokio::test]
async fn every_value_is_a_string_or_null_as_at_github() {
    let (id, runner, credentials, base) = written("strings").await;
    let broker = format!("{base}/broker/");
    let live = json!({
        "AgentId": id.to_string(), "AgentName": "one", "PoolId": "1", "PoolName": null, "ServerUrl": broker,
        "WorkFolder": "_work", "GitHubUrl": "", "UseV2Flow": "true", "ServerUrlV2": broker, "Ephemeral": "True",
        "DisableUpdate": "False",
    });
    assert_eq!(runner, live);
    assert_eq!(credentials["requireFipsCryptography"], "True");
    assert_eq!(credentials.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn strings_are_the_default() {
    let github = Github::start().await;
    let (id, blob) = registered(&github, "one").await;
    assert_eq!(json_of(&files(&blob), ".runner")["AgentId"], id.to_string());
}

#[tokio::test]
async fn numbers_and_booleans_can_be_asked_for() {
    let (id, runner, credentials, _) = written("typed").await;
    assert_eq!((&runner["AgentId"], &runner["PoolId"]), (&json!(id), &json!(1)));
    assert_eq!(
        (&runner["UseV2Flow"], &runner["Ephemeral"], &runner["DisableUpdate"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!(credentials["requireFipsCryptography"], true);
}

#[tokio::test]
async fn the_dialect_of_a_rewritten_file_can_be_asked_for() {
    let (id, runner, credentials, _) = written("camel-case").await;
    assert_eq!((&runner["agentId"], &runner["useV2Flow"]), (&json!(id), &json!(true)));
    assert_eq!(credentials["requireFipsCryptography"], true);
}

#[tokio::test]
async fn keys_and_flags_can_be_of_any_case() {
    let (id, runner, credentials, _) = written("mixed-case").await;
    assert_eq!((&runner["agentid"], &runner["POOLID"]), (&json!(id.to_string()), &json!("1")));
    assert_eq!((&runner["usev2flow"], &runner["disableupdate"]), (&json!("TRUE"), &json!("FALSE")));
    assert!(credentials["CLIENTID"].is_string(), "{credentials}");
}

#[tokio::test]
async fn what_can_be_missing_can_be_left_out() {
    let (_, runner, credentials, _) = written("missing-keys").await;
    let keys: Vec<&String> = runner.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["AgentId", "AgentName", "ServerUrlV2", "UseV2Flow", "WorkFolder"]);
    assert_eq!(credentials.as_object().unwrap().keys().collect::<Vec<_>>(), ["authorizationUrl", "clientId"]);
}

#[tokio::test]
async fn a_record_without_the_word_on_fips_takes_rs256() {
    let github = Github::start().await;
    github.pull(json!({"lever": "jit-dialect", "dialect": "missing-keys"}));
    let runner = github.runner("one").await;
    assert_eq!(runner.present(&runner.assertion(Alg::Rs256, &runner.claims())).await.status, 200);
    github.assert_no_violation();
}

#[tokio::test]
async fn each_file_can_begin_with_a_byte_order_mark() {
    let github = Github::start().await;
    github.pull(json!({"lever": "jit-dialect", "dialect": "byte-order-mark"}));
    let (_, blob) = registered(&github, "one").await;
    for (name, file) in files(&blob) {
        let rest = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or_else(|| panic!("{name} has no mark"));
        serde_json::from_slice::<Value>(rest).unwrap();
    }
}

#[tokio::test]
async fn a_configuration_can_be_garbage_for_one_account() {
    let github = Github::start().await;
    github.pull(json!({"lever": "jit-dialect", "dialect": "garbage", "account": "other"}));
    files(&registered(&github, "one").await.1);
    github.pull(json!({"lever": "jit-dialect", "dialect": "garbage", "account": "ACME"}));
    let (_, blob) = registered(&github, "two").await;
    assert!(serde_json::from_slice::<Value>(&STANDARD.decode(blob).unwrap()).is_err());
    assert_eq!(github.control().state().agents.len(), 2, "the record is there all the same");
}

#[tokio::test]
async fn after_a_migration_only_the_second_address_issues_tokens() {
    let github = Github::start().await;
    github.pull(json!({"lever": "token-service", "migrated": true, "account": "acme"}));
    let mut runner = github.runner("one").await;
    let refused = runner.present(&runner.assertion(runner.alg(), &runner.claims())).await;
    assert_eq!((refused.status, refused.header("content-type")), (400, "application/json; charset=utf-8"));
    assert_eq!(refused.json()["error"], "invalid_client");
    github.assert_no_violation();
    let data = runner.files[".credentials"]["data"].clone();
    assert_eq!(data["enableAuthMigrationByDefault"], "True");
    runner.authorization_url = data["authorizationUrlV2"].as_str().unwrap().to_owned();
    runner.session().await;
    github.assert_no_violation();
}
