//! Canaries: what the server handed out can be asked for, by account.

use std::collections::BTreeSet;

use fakegithub::{AppRequest, Encryption, Lever, Secret};
use serde_json::{Value, json};

use crate::support::{Github, Runner};

const WITH_SECRETS: &str =
    "repository: acme/demo\nsecrets: {KEY: 'canary.7'}\njobs: {build: {runs-on: linux}}\n";

/// A job's whole way, with each kind of secret in it. Returns what was seen on the wire.
async fn play(github: &Github) -> Vec<(&'static str, String)> {
    let jwt = github.app_jwt();
    let path = format!("/app/installations/{}/access_tokens", github.app.installation_id);
    let minted = github.post(&path).bearer(&jwt).expect(201).await.json();
    let installation = minted["token"].as_str().unwrap().to_owned();
    let registration = "/orgs/acme/actions/runners/registration-token";
    let registration = github.post(registration).bearer(&installation).expect(201).await.json();
    let body = json!({"name": "one", "runner_group_id": 1, "labels": ["linux"]});
    let generate = "/orgs/acme/actions/runners/generate-jitconfig";
    let generated = github.post(generate).bearer(&installation).json(&body).expect(201).await.json();
    let runner = Runner::decode(github, &generated);
    let assertion = runner.assertion(runner.alg(), &runner.claims());
    let token = runner.present(&assertion).await.json();
    let token = text(&token["access_token"]);
    github.control().pull(Lever::EncryptMessages { mode: Encryption::PlainKey }).unwrap();
    let opened = runner.create_session(&token).expect(200).await.json();
    github.control().pull(Lever::EncryptMessages { mode: Encryption::Off }).unwrap();
    github.delete(&format!("{}session", runner.broker)).bearer(&token).expect(204).await;
    let session = text(&runner.create_session(&token).expect(200).await.json()["sessionId"]);
    github.run(WITH_SECRETS);
    let offer = runner.offer(&token, &session).await;
    let claim = crate::support::runner::Claim::read(&runner.acquire(&token, &offer).expect(200).await);
    let method = "results.services.receiver.Receiver/GetJobLogsSignedBlobURL";
    let log = claim.results(github, method, json!({})).expect(200).await.json();
    let checkout = json!([{"action": "actions/checkout", "version": "v4"}]);
    let resolved = claim.resolve(github, checkout).expect(200).await.json();
    let id_token = github.get(claim.id_token_url()).bearer(&claim.token).expect(200).await.json();
    let numbers = &runner.files[".credentials_rsaparams"];
    vec![
        ("app-key", github.app.private_key.clone()),
        ("app-key-line", github.app.private_key.lines().nth(7).unwrap().to_owned()),
        ("app-jwt", jwt),
        ("installation-token", installation),
        ("registration-token", text(&registration["token"])),
        ("jit-config", text(&generated["encoded_jit_config"])),
        ("runner-key-number", text(&numbers["d"])),
        ("runner-key-number", text(&numbers["inverseQ"])),
        ("client-assertion", assertion),
        ("runner-token", token),
        ("session-key", text(&opened["encryptionKey"]["value"])),
        ("action-token", text(&resolved["actions"]["actions/checkout@v4"]["authentication"]["token"])),
        ("id-token", text(&id_token["value"])),
        ("job-token", claim.token),
        ("workflow-token", text(&claim.message["variables"]["github_token"]["value"])),
        ("workflow-secret", "canary.7".to_owned()),
        ("workflow-mask", r"canary\.7".to_owned()),
        ("log-signature", text(&log["logs_url"]).rsplit_once("sig=").unwrap().1.to_owned()),
    ]
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_secret_of_a_jobs_way_is_among_its_accounts_canaries() {
    let github = Github::start().await;
    let seen = play(&github).await;
    let secrets = github.control().secrets("ACME");
    for (kind, value) in &seen {
        assert!(secrets.iter().any(|it| it.kind == *kind && it.value == *value), "no {kind} {value}");
    }
    let kinds: BTreeSet<&str> = secrets.iter().map(|secret| secret.kind).collect();
    assert_eq!(kinds, seen.iter().map(|(kind, _)| *kind).collect(), "a kind that this test does not play");
    let values: BTreeSet<&str> = secrets.iter().map(|secret| secret.value.as_str()).collect();
    assert_eq!(values.len(), secrets.len(), "each once");
    assert_eq!(github.control().secrets_forgotten(), 0);
    let page = include_str!("../../../../docs/fake-github.md");
    assert!(kinds.iter().all(|kind| page.contains(&format!("`{kind}`"))), "{kinds:?} on the page");
    github.assert_no_violation();
}

#[tokio::test]
async fn canaries_are_an_accounts_own_and_outlive_what_they_are_good_for() {
    let github = Github::start().await;
    let other = github.control().create_app(AppRequest::on("other")).await.unwrap();
    let token = github.installation_token().await;
    github.control().pull(Lever::ExpireTokens { kind: fakegithub::TokenKind::Installation }).unwrap();
    github.control().reset();
    let holds = |account: &str, value: &str| {
        github.control().secrets(account).iter().any(|secret: &Secret| secret.value == value)
    };
    assert!(holds("acme", &token) && !holds("other", &token));
    assert!(holds("other", &other.private_key) && !holds("acme", &other.private_key));

    let rotated = github.control().rotate_app_key(github.app.app_id).await.unwrap();
    assert!(holds("acme", &rotated.private_key) && holds("acme", &github.app.private_key));
    assert!(github.control().secrets("nobody").is_empty());
}
