use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::AuthError;
use crate::RunnerAuth;
use crate::scripted::{Answer, Scripted, answer, runner};

const OLD: &str = "POST /token";
const NEW: &str = "POST /token-v2";

fn token(name: &str) -> Answer {
    answer(200, format!(r#"{{"access_token":"{name}","expires_in":3000}}"#))
}

fn unknown() -> Answer {
    answer(400, r#"{"error":"invalid_client","error_description":"synthetic"}"#)
}

/// A runner whose credentials name both addresses of the token service.
async fn between(old: Vec<Answer>, new: Vec<Answer>) -> (Scripted, RunnerAuth) {
    let server = Scripted::start([(OLD, old), (NEW, new)]).await;
    let second = server.url("/token-v2");
    let auth = runner(&server, |it| it[".credentials"]["data"]["authorizationUrlV2"] = second.into());
    (server, auth)
}

async fn another(auth: &RunnerAuth) -> Result<String, AuthError> {
    auth.forget();
    auth.token().await.map(|token| token.expose().to_owned())
}

fn asked(server: &Scripted) -> (usize, usize) {
    (server.count(OLD), server.count(NEW))
}

#[tokio::test]
async fn the_second_address_is_asked_when_the_first_refuses_and_remembered() {
    for refusal in [unknown(), answer(400, "moved"), answer(401, ""), answer(403, ""), answer(410, "")] {
        let (server, auth) = between(vec![refusal], vec![token("two"), token("three")]).await;
        assert_eq!(another(&auth).await.unwrap(), "two");
        assert_eq!(another(&auth).await.unwrap(), "three");
        assert_eq!(asked(&server), (1, 2));
    }
}

#[tokio::test]
async fn each_address_gets_an_assertion_of_its_own() {
    let (server, auth) = between(vec![unknown()], vec![token("two")]).await;
    another(&auth).await.unwrap();
    let claims = |call: &str| -> Value {
        let seen = server.seen().into_iter().find(|it| it.call == call).unwrap();
        let assertion = seen.body.rsplit_once("client_assertion=").unwrap().1.to_owned();
        let claims = assertion.split('.').nth(1).unwrap().to_owned();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    };
    assert_eq!(claims(OLD)["aud"], server.url("/token"));
    assert_eq!(claims(NEW)["aud"], server.url("/token-v2"));
    assert_ne!(claims(OLD)["jti"], claims(NEW)["jti"]);
}

#[tokio::test]
async fn the_second_address_is_given_up_when_it_refuses_and_the_first_does_not() {
    let (server, auth) =
        between(vec![unknown(), token("again"), token("and again")], vec![token("two"), unknown()]).await;
    assert_eq!(another(&auth).await.unwrap(), "two");
    assert_eq!(another(&auth).await.unwrap(), "again");
    assert_eq!(another(&auth).await.unwrap(), "and again");
    assert_eq!(asked(&server), (3, 2));
}

#[tokio::test]
async fn what_does_not_refuse_is_no_reason_to_ask_elsewhere() {
    let skewed = answer(400, r#"{"error_description":"Current server time is 10:00"}"#);
    for passing in [answer(503, ""), answer(429, ""), skewed] {
        let (server, auth) = between(vec![passing], vec![token("two")]).await;
        assert!(!another(&auth).await.unwrap_err().is_final());
        assert_eq!(asked(&server), (1, 0));
    }
}

#[tokio::test]
async fn a_record_is_dead_when_both_addresses_refuse_it_and_only_then() {
    let (server, auth) = between(vec![unknown()], vec![answer(401, "")]).await;
    assert!(another(&auth).await.unwrap_err().is_final());
    assert_eq!(asked(&server), (1, 1));
    let (_server, auth) = between(vec![unknown()], vec![answer(502, "")]).await;
    assert!(!another(&auth).await.unwrap_err().is_final());
}
