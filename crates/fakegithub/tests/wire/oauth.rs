//! O1.

use fakegithub::Lever;
use serde_json::{Value, json};

use crate::support::runner::form;
use crate::support::{Alg, Github, ONE_JOB};

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

#[tokio::test]
async fn an_assertion_gets_a_token_once() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let assertion = runner.assertion(Alg::Ps256, &runner.claims());
    let reply = runner.present(&assertion).await;
    assert_eq!((reply.status, reply.json()["expires_in"].clone()), (200, json!(3000)));
    github.assert_no_violation();
    assert_eq!(runner.present(&assertion).await.status, 400);
    github.assert_violation("'jti' was used before");
}

#[tokio::test]
async fn every_claim_of_an_assertion_is_checked() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let good = || runner.claims();
    let slash = format!("{}/", runner.authorization_url);
    let cases = [
        (with(good(), "aud", slash), "'aud'"),
        (without(good(), "aud"), "'aud'"),
        (with(good(), "aud", json!([runner.authorization_url])), "'aud'"),
        (with(good(), "iss", "someone"), "'iss'"),
        (with(good(), "sub", "someone"), "'sub'"),
        (without(good(), "sub"), "'sub'"),
        (without(good(), "jti"), "'jti'"),
        (without(good(), "nbf"), "'nbf'"),
        (without(good(), "exp"), "'exp'"),
        (with(good(), "iat", good()["nbf"].clone()), "'iat'"),
    ];
    for (claims, named) in cases {
        let reply = runner.present(&runner.assertion(Alg::Ps256, &claims)).await;
        assert_eq!((reply.status, reply.json()["error"].clone()), (400, json!("invalid_client")), "{claims}");
        assert!(reply.header("content-type").starts_with("application/json"));
        github.assert_violation(named);
    }
}

#[tokio::test]
async fn an_assertion_whose_times_are_off_is_told_the_servers_time() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let now = runner.claims()["nbf"].as_i64().unwrap();
    let late = with(with(runner.claims(), "nbf", now + 600), "exp", now + 900);
    let early = with(with(runner.claims(), "nbf", now - 900), "exp", now - 600);
    let long = with(runner.claims(), "exp", now + 600);
    for claims in [late, early, long] {
        let reply = runner.present(&runner.assertion(Alg::Ps256, &claims)).await;
        assert_eq!(reply.status, 400);
        assert!(reply.json()["error_description"].as_str().unwrap().contains("Current server time is"));
    }
    github.assert_no_violation();
    github.control().pull(Lever::ClockOffset { seconds: 3600 }).unwrap();
    assert_eq!(runner.present(&runner.assertion(Alg::Ps256, &runner.claims())).await.status, 400);
}

#[tokio::test]
async fn the_credentials_say_which_signature_is_due() {
    let github = Github::start().await;
    let fips = github.runner("fips").await;
    assert_eq!(fips.present(&fips.assertion(Alg::Rs256, &fips.claims())).await.status, 400);
    github.assert_violation("'alg' must be PS256");
    github.control().pull(Lever::RequireFips { on: false }).unwrap();
    let plain = github.runner("plain").await;
    assert_eq!(plain.files[".credentials"]["data"]["requireFipsCryptography"], "False");
    assert_eq!(plain.present(&plain.assertion(Alg::Ps256, &plain.claims())).await.status, 400);
    github.assert_violation("'alg' must be RS256");
    plain.token().await;
    // The header alone does not make a signature.
    let lie = plain.signer.jwt(Alg::Ps256, &json!({"typ": "JWT", "alg": "RS256"}), &plain.claims());
    assert_eq!(plain.present(&lie).await.status, 400);
    github.assert_violation("signature");
    let kid =
        plain.signer.jwt(Alg::Rs256, &json!({"typ": "JWT", "alg": "RS256", "kid": "1"}), &plain.claims());
    assert_eq!(plain.present(&kid).await.status, 400);
    github.assert_violation("'kid' must be absent");
}

#[tokio::test]
async fn a_key_of_another_runner_does_not_sign() {
    let github = Github::start().await;
    let one = github.runner("one").await;
    let other = github.signer_unlike(&one.signer).await;
    let forged = other.jwt(Alg::Ps256, &json!({"typ": "JWT", "alg": "PS256"}), &one.claims());
    assert_eq!(one.present(&forged).await.status, 400);
    github.assert_violation("signature");
}

#[tokio::test]
async fn the_form_has_three_fields_and_its_content_type() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let assertion = runner.assertion(Alg::Ps256, &runner.claims());
    let post = |body: String| {
        let draft = github.post(&runner.authorization_url);
        draft.header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    post(form(&assertion) + "&client_id=x").expect(400).await;
    github.assert_violation("three fields");
    post(form(&assertion).replace("client_credentials", "password")).expect(400).await;
    github.assert_violation("grant_type");
    post(form(&assertion)).header("content-type", "application/json").expect(415).await;
    github.assert_violation("content type");
}

#[tokio::test]
async fn a_new_record_may_take_some_calls_to_be_known() {
    let github = Github::start().await;
    github.control().pull(Lever::OauthPropagation { calls: 2 }).unwrap();
    let runner = github.runner("one").await;
    for _ in 0..2 {
        let reply = runner.present(&runner.assertion(Alg::Ps256, &runner.claims())).await;
        let text = reply.json()["error_description"].as_str().unwrap().to_lowercase();
        assert!(reply.status == 400 && text.contains("registration") && text.contains("not found"), "{text}");
    }
    runner.token().await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_consumed_record_is_no_longer_a_client() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, _, claim) = runner.claim().await;
    claim.complete(&github, "succeeded").expect(204).await;
    let reply = runner.present(&runner.assertion(Alg::Ps256, &runner.claims())).await;
    assert_eq!((reply.status, reply.json()["error"].clone()), (400, json!("invalid_client")));
    runner.create_session(&token).expect(401).await;
    github.assert_no_violation();
}
