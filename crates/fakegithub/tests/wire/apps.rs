//! A1 to A5.

use fakegithub::{Lever, TokenKind};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Alg, Github, Signer};

fn now() -> i64 {
    Timestamp::now().as_second()
}

#[tokio::test]
async fn an_app_is_known_by_its_client_id_and_by_its_number() {
    let github = Github::start().await;
    for issuer in [json!(github.app.client_id), json!(github.app.app_id.to_string())] {
        let jwt = github.app_jwt_with(json!({"iss": issuer, "iat": now() - 60, "exp": now() + 480}));
        let reply = github.get("/api/v3/app").bearer(&jwt).expect(200).await;
        assert_eq!(reply.json()["id"], github.app.app_id);
    }
    github.assert_no_violation();
}

#[tokio::test]
async fn an_app_token_outside_its_times_is_refused_by_the_name_of_the_claim() {
    let github = Github::start().await;
    let iss = json!(github.app.client_id);
    let cases = [
        (json!({"iss": iss, "exp": now() + 480}), "iat"),
        (json!({"iss": iss, "iat": now() + 30, "exp": now() + 480}), "iat"),
        (json!({"iss": iss, "iat": now() - 60}), "exp"),
        (json!({"iss": iss, "iat": now() - 600, "exp": now() - 1}), "exp"),
        (json!({"iss": iss, "iat": now() - 60, "exp": now() + 630}), "exp"),
        (json!({"iss": iss, "iat": (now() - 60).to_string(), "exp": now() + 480}), "iat"),
        (json!({"iss": github.app.app_id, "iat": now() - 60, "exp": now() + 480}), "iss"),
    ];
    for (claims, named) in cases {
        let reply = github.get("/app").bearer(&github.app_jwt_with(claims.clone())).expect(401).await;
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&format!("'{named}'")), "{claims}: {message}");
        assert_eq!(reply.json()["status"], "401");
    }
}

#[tokio::test]
async fn an_app_token_of_another_key_or_algorithm_is_refused() {
    let github = Github::start().await;
    let other = github.signer_unlike(&github.app_signer()).await;
    let claims = json!({"iss": github.app.client_id, "iat": now() - 60, "exp": now() + 480});
    let header = |alg: &str| json!({"alg": alg, "typ": "JWT"});
    let forged = [
        other.jwt(Alg::Rs256, &header("RS256"), &claims),
        github.app_signer().jwt(Alg::Ps256, &header("PS256"), &claims),
        github.app_signer().jwt(Alg::Ps256, &header("RS256"), &claims),
        "not.a.token".to_owned(),
    ];
    for jwt in forged {
        github.get("/app").bearer(&jwt).expect(401).await;
    }
}

#[tokio::test]
async fn an_app_sees_its_installation_and_no_other() {
    let github = Github::start().await;
    let jwt = github.app_jwt();
    let all = github.get("/app/installations?per_page=100&page=1").bearer(&jwt).expect(200).await.json();
    assert_eq!(all[0]["id"], github.app.installation_id);
    for path in ["/orgs/ACME/installation", "/repos/acme/demo/installation", "/users/acme/installation"] {
        let one = github.get(path).bearer(&jwt).expect(200).await.json();
        assert_eq!((&one["account"]["login"], &one["suspended_at"]), (&json!("acme"), &Value::Null));
    }
    github.get("/orgs/other/installation").bearer(&jwt).expect(404).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn an_installation_token_can_be_narrowed_but_not_widened() {
    let github = Github::start().await;
    let path = format!("/app/installations/{}/access_tokens", github.app.installation_id);
    let narrow = json!({"repositories": ["demo"], "permissions": {"actions": "read"}});
    let reply = github.post(&path).bearer(&github.app_jwt()).json(&narrow).expect(201).await.json();
    assert!(reply["token"].as_str().unwrap().starts_with("ghs_"));
    assert_eq!(reply["permissions"], json!({"actions": "read"}));
    assert_eq!(reply["repositories"][0]["full_name"], "acme/demo");
    let token = reply["token"].as_str().unwrap();
    github.get("/repos/acme/demo/actions/runs").bearer(token).expect(200).await;
    github.get("/repos/acme/else/actions/runs").bearer(token).expect(404).await;
    github.get("/repos/acme/demo/actions/runners").bearer(token).expect(403).await;

    let wide = json!({"permissions": {"secrets": "write"}});
    github.post(&path).bearer(&github.app_jwt()).json(&wide).expect(422).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn an_installation_token_is_refused_with_the_codes_of_the_protocol() {
    let github = Github::start().await;
    let path = format!("/app/installations/{}/access_tokens", github.app.installation_id);
    github.post("/app/installations/1/access_tokens").bearer(&github.app_jwt()).expect(404).await;
    github.control().pull(Lever::Suspend { app_id: github.app.app_id, on: true }).unwrap();
    github.post(&path).bearer(&github.app_jwt()).expect(403).await;
    github.assert_no_violation();

    let token = github.control().pull(Lever::Suspend { app_id: github.app.app_id, on: false });
    token.unwrap();
    let installation = github.installation_token().await;
    github.post(&path).bearer(&installation).expect(401).await;
    github.assert_violation("kind 'installation' where one of kind 'app-jwt'");
    github.post(&path).bearer(&github.app_jwt()).json(&json!({"repository": "demo"})).expect(422).await;
    github.assert_violation("\"repository\"");
}

#[tokio::test]
async fn tokens_end_with_their_life_and_by_lever() {
    let github = Github::start().await;
    github.control().pull(Lever::TokenLife { kind: TokenKind::Installation, seconds: 0 }).unwrap();
    let dead = github.installation_token().await;
    github.get("/rate_limit").bearer(&dead).expect(401).await;

    github.control().reset();
    let token = github.installation_token().await;
    github.get("/rate_limit").bearer(&token).expect(200).await;
    github.control().pull(Lever::ExpireTokens { kind: TokenKind::Installation }).unwrap();
    github.get("/rate_limit").bearer(&token).expect(401).await;
    github.assert_no_violation();
}

#[tokio::test]
async fn a_new_key_makes_the_old_one_useless() {
    let github = Github::start().await;
    let old = github.app_jwt();
    let new = github.control().rotate_app_key(github.app.app_id).await.unwrap();
    github.get("/app").bearer(&old).expect(401).await;
    let claims = json!({"iss": new.client_id, "iat": now() - 60, "exp": now() + 480});
    let jwt = Signer::from_pem(&new.private_key).jwt(Alg::Rs256, &json!({"alg": "RS256"}), &claims);
    github.get("/app").bearer(&jwt).expect(200).await;
}

#[tokio::test]
async fn requests_are_counted_against_the_hourly_limit() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    github.control().pull(Lever::HourlyLimit { requests: 2 }).unwrap();
    let runs = "/repos/acme/demo/actions/runs";
    let first = github.get(runs).bearer(&token).expect(200).await;
    assert_eq!((first.header("x-ratelimit-limit"), first.header("x-ratelimit-remaining")), ("2", "1"));
    assert_eq!(first.header("x-ratelimit-resource"), "core");
    github.get(runs).bearer(&token).expect(200).await;
    let refused = github.get(runs).bearer(&token).expect(403).await;
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert!(refused.header("x-ratelimit-reset").parse::<i64>().unwrap() > now());

    let limits = github.get("/rate_limit").bearer(&token).expect(200).await.json();
    assert_eq!((&limits["rate"]["used"], &limits["resources"]["core"]["remaining"]), (&json!(2), &json!(0)));
    github.assert_no_violation();
}
