//! A2 (protocol §1.1, §1.2, §1.4): an App's JWT for an installation token.

use fakegithub::{AppRequest, Lever, RateForm};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Alg, Github};

/// The request of the protocol's example.
fn mint(github: &Github, jwt: &str, body: &str) -> String {
    format!(
        "POST /app/installations/{}/access_tokens HTTP/1.1\n\
         Authorization: Bearer {jwt}\n\
         Accept: application/vnd.github+json\n\
         X-GitHub-Api-Version: 2022-11-28\n\
         User-Agent: demo-gateway/0.1\n\
         Content-Type: application/json\n\
         \n\
         {body}",
        github.app.installation_id
    )
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn claims(github: &Github) -> Value {
    json!({"iss": github.app.client_id, "iat": now() - 60, "exp": now() + 480})
}

/// A JWT with this claim, or without it when it is null, is refused, and the message names the claim.
async fn refused(claim: &str, value: Value, breaks_a_rule: bool) {
    let github = Github::start().await;
    let mut claims = claims(&github);
    claims[claim] = value;
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let request = mint(&github, &github.app_jwt_with(claims), "");
    let named = format!("'{claim}'");
    match breaks_a_rule {
        true => github.refuses(&request, 401, &named, &named).await,
        false => github.denies(&request, 401, &named).await,
    };
}

#[tokio::test]
async fn accepts_a_valid_jwt() {
    let github = Github::start().await;
    let answer = github.takes(&mint(&github, &github.app_jwt(), ""), 201).await.json();
    assert!(answer["token"].as_str().unwrap().starts_with("ghs_"), "{answer}");
    let expires: Timestamp = answer["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&(expires.as_second() - now())), "an hour from now, not {expires}");
    let widest = json!({"iss": github.app.client_id, "iat": now() - 1, "exp": now() + 595});
    github.takes(&mint(&github, &github.app_jwt_with(widest), ""), 201).await;
}

#[tokio::test]
async fn accepts_the_apps_number_as_issuer() {
    let github = Github::start().await;
    let mut claims = claims(&github);
    claims["iss"] = json!(github.app.app_id.to_string());
    github.takes(&mint(&github, &github.app_jwt_with(claims), ""), 201).await;
}

#[tokio::test]
async fn refuses_another_algorithm() {
    let github = Github::start().await;
    let header = json!({"alg": "PS256", "typ": "JWT"});
    let jwt = github.app_signer().jwt(Alg::Ps256, &header, &claims(&github));
    github.refuses(&mint(&github, &jwt, ""), 401, "'alg' must be RS256", "'alg' must be RS256").await;
}

#[tokio::test]
async fn refuses_another_key() {
    let github = Github::start().await;
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let jwt = github.signer_unlike(&github.app_signer()).await.jwt(Alg::Rs256, &header, &claims(&github));
    github.denies(&mint(&github, &jwt, ""), 401, "signature").await;
}

#[tokio::test]
async fn refuses_another_issuer() {
    refused("iss", json!("Iv23nobody"), false).await;
}

#[tokio::test]
async fn refuses_an_issuer_that_is_not_a_string() {
    refused("iss", json!(90_001), true).await;
}

#[tokio::test]
async fn refuses_a_missing_iat() {
    refused("iat", Value::Null, true).await;
}

#[tokio::test]
async fn refuses_an_iat_in_the_future() {
    refused("iat", json!(now() + 30), false).await;
}

#[tokio::test]
async fn refuses_a_date_that_is_not_a_number() {
    refused("iat", json!((now() - 60).to_string()), true).await;
}

#[tokio::test]
async fn refuses_a_missing_exp() {
    refused("exp", Value::Null, true).await;
}

#[tokio::test]
async fn refuses_an_exp_in_the_past() {
    refused("exp", json!(now() - 1), false).await;
}

#[tokio::test]
async fn refuses_an_exp_more_than_ten_minutes_ahead() {
    refused("exp", json!(now() + 610), false).await;
}

#[tokio::test]
async fn refuses_what_is_not_a_jwt() {
    let github = Github::start().await;
    github.refuses(&mint(&github, "e30.e30", ""), 401, "not a JSON web token", "not a JSON web token").await;
}

#[tokio::test]
async fn refuses_an_installation_token() {
    let github = Github::start().await;
    let token = github.installation_token().await;
    let rule = "kind 'installation' where one of kind 'app-jwt' is due";
    github.refuses(&mint(&github, &token, ""), 401, "Bad credentials", rule).await;
}

#[tokio::test]
async fn refuses_another_scheme_word() {
    let github = Github::start().await;
    for scheme in ["bearer", "JWT", "RemoteAuth"] {
        let request = mint(&github, &github.app_jwt(), "").replace("Bearer", scheme);
        github.refuses(&request, 401, "Bad credentials", "scheme").await;
    }
}

#[tokio::test]
async fn refuses_a_request_without_user_agent() {
    let github = Github::start().await;
    let request = mint(&github, &github.app_jwt(), "").replace("User-Agent: demo-gateway/0.1\n", "");
    github.refuses(&request, 403, "User-Agent", "no User-Agent").await;
}

#[tokio::test]
async fn refuses_another_content_type() {
    let github = Github::start().await;
    let request = mint(&github, &github.app_jwt(), "{}").replace("application/json", "text/plain");
    github.refuses(&request, 415, "content type", "content type").await;
}

#[tokio::test]
async fn accepts_what_narrows_the_token() {
    let github = Github::start().await;
    let body = r#"{"repositories":["demo"],"permissions":{"actions":"write","metadata":"read"}}"#;
    let answer = github.takes(&mint(&github, &github.app_jwt(), body), 201).await.json();
    assert_eq!(answer["permissions"], json!({"actions": "write", "metadata": "read"}));
    assert_eq!(answer["repository_selection"], "selected");
    assert_eq!(answer["repositories"][0]["full_name"], "acme/demo");
}

#[tokio::test]
async fn refuses_what_was_not_granted() {
    let github = Github::start().await;
    for body in [r#"{"permissions":{"secrets":"read"}}"#, r#"{"permissions":{"metadata":"write"}}"#] {
        let answer =
            github.denies(&mint(&github, &github.app_jwt(), body), 422, "was not granted").await.json();
        assert_eq!((&answer["status"], answer["errors"].is_array()), (&json!("422"), true));
    }
}

#[tokio::test]
async fn refuses_more_than_five_hundred_repositories() {
    let github = Github::start().await;
    let body = |count: usize| json!({"repositories": vec!["demo"; count]}).to_string();
    github.takes(&mint(&github, &github.app_jwt(), &body(500)), 201).await;
    github.denies(&mint(&github, &github.app_jwt(), &body(501)), 422, "at most 500").await;
}

#[tokio::test]
async fn refuses_a_key_it_does_not_know() {
    let github = Github::start().await;
    let request = mint(&github, &github.app_jwt(), r#"{"repository":"demo"}"#);
    let answer = github.refuses(&request, 422, "not a permitted key", "\"repository\"").await.json();
    assert!(answer["errors"].is_array() && answer["documentation_url"].is_string(), "{answer}");
}

#[tokio::test]
async fn refuses_a_parameter() {
    let github = Github::start().await;
    let request = mint(&github, &github.app_jwt(), "").replace("tokens HTTP", "tokens?scope=all HTTP");
    github.refuses(&request, 422, "not a parameter", "\"scope\" is not a parameter").await;
}

#[tokio::test]
async fn refuses_a_body_that_is_not_json() {
    let github = Github::start().await;
    github
        .refuses(&mint(&github, &github.app_jwt(), "{"), 400, "Problems parsing JSON", "not a JSON object")
        .await;
}

#[tokio::test]
async fn denies_a_suspended_installation_until_it_is_not() {
    let github = Github::start().await;
    let suspend = |on| github.control().pull(Lever::Suspend { app_id: github.app.app_id, on }).unwrap();
    suspend(true);
    let answer = github.denies(&mint(&github, &github.app_jwt(), ""), 403, "suspended").await;
    assert_ne!(answer.header("x-ratelimit-remaining"), Some("0"), "not a rate limit");
    suspend(false);
    github.takes(&mint(&github, &github.app_jwt(), ""), 201).await;
}

#[tokio::test]
async fn denies_an_installation_that_is_not_the_apps() {
    let github = Github::start().await;
    let other = github.control().create_app(AppRequest::on("other")).await.unwrap();
    let request = mint(&github, &github.app_jwt(), "");
    for id in [other.installation_id, 1] {
        let request = request.replace(&github.app.installation_id.to_string(), &id.to_string());
        github.denies(&request, 404, "Not Found").await;
    }
}

#[tokio::test]
async fn denies_for_a_rate_limit_in_each_form() {
    let github = Github::start().await;
    for (form, status, header) in [
        (RateForm::Primary403, 403, Some("x-ratelimit-reset")),
        (RateForm::Primary429, 429, Some("x-ratelimit-reset")),
        (RateForm::Secondary403, 403, Some("retry-after")),
        (RateForm::Secondary429, 429, Some("retry-after")),
        (RateForm::SecondaryBare, 403, None),
    ] {
        let lever = Lever::RateLimit {
            endpoint: "A2".into(),
            account: Some("acme".into()),
            form,
            count: 1,
            retry_after: None,
            reset_after: None,
        };
        github.control().pull(lever).unwrap();
        let answer = github.denies(&mint(&github, &github.app_jwt(), ""), status, "rate limit").await;
        assert!(header.is_none_or(|name| answer.header(name).is_some()), "{form:?}: {}", answer.head);
    }
    github.takes(&mint(&github, &github.app_jwt(), ""), 201).await;
}
