//! O1 (protocol §3.1, §3.2): a runner's assertion for its token.

use fakegithub::{Fault, Lever};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::runner::form;
use crate::support::{Alg, Github, ONE_JOB, Runner};

/// The request of the protocol's example.
fn request(runner: &Runner<'_>, form: &str) -> String {
    format!(
        "POST {} HTTP/1.1\n\
         Content-Type: application/x-www-form-urlencoded\n\
         Accept: application/json\n\
         User-Agent: demo-gateway/0.1\n\
         \n\
         {form}",
        runner.authorization_url
    )
}

fn assertion(runner: &Runner<'_>) -> String {
    runner.assertion(Alg::Ps256, &runner.claims())
}

async fn rejected(github: &Github, request: &str, rule: &str) {
    let answer = github.refuses(request, 400, "error_description", rule).await.json();
    assert_eq!(answer["error"], "invalid_client", "{answer}");
}

/// An assertion with this claim, or without it when it is null, is refused.
async fn refused(claim: &str, value: impl FnOnce(&Runner<'_>) -> Value) {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let mut claims = runner.claims();
    claims[claim] = value(&runner);
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let request = request(&runner, &form(&runner.assertion(Alg::Ps256, &claims)));
    rejected(&github, &request, &format!("'{claim}'")).await;
}

#[tokio::test]
async fn accepts_a_valid_assertion() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let answer = github.takes(&request(&runner, &form(&assertion(&runner))), 200).await.json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("JWT"), &json!(3000)));
    assert_eq!(answer["access_token"].as_str().unwrap().split('.').count(), 3);
}

#[tokio::test]
async fn accepts_rs256_where_the_credentials_ask_for_it() {
    let github = Github::start().await;
    github.control().pull(Lever::RequireFips { on: false }).unwrap();
    let runner = github.runner("one").await;
    let good = runner.assertion(Alg::Rs256, &runner.claims());
    github.takes(&request(&runner, &form(&good)), 200).await;
    rejected(&github, &request(&runner, &form(&assertion(&runner))), "'alg' must be RS256").await;
}

#[tokio::test]
async fn refuses_rs256_where_ps256_is_required() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let weak = runner.assertion(Alg::Rs256, &runner.claims());
    rejected(&github, &request(&runner, &form(&weak)), "'alg' must be PS256").await;
}

#[tokio::test]
async fn refuses_a_signature_that_is_not_of_its_header() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let lie = runner.signer.jwt(Alg::Rs256, &json!({"typ": "JWT", "alg": "PS256"}), &runner.claims());
    rejected(&github, &request(&runner, &form(&lie)), "signature").await;
}

#[tokio::test]
async fn refuses_another_key() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let header = json!({"typ": "JWT", "alg": "PS256"});
    let forged = github.signer_unlike(&runner.signer).await.jwt(Alg::Ps256, &header, &runner.claims());
    rejected(&github, &request(&runner, &form(&forged)), "signature").await;
}

#[tokio::test]
async fn refuses_a_kid() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let header = json!({"typ": "JWT", "alg": "PS256", "kid": "1"});
    let named = runner.signer.jwt(Alg::Ps256, &header, &runner.claims());
    rejected(&github, &request(&runner, &form(&named)), "'kid' must be absent").await;
}

#[tokio::test]
async fn refuses_another_issuer() {
    refused("iss", |_| json!(Uuid::nil())).await;
}

#[tokio::test]
async fn refuses_another_subject() {
    refused("sub", |_| json!(Uuid::nil())).await;
}

#[tokio::test]
async fn refuses_an_audience_that_differs_by_a_slash() {
    refused("aud", |runner| json!(format!("{}/", runner.authorization_url))).await;
}

#[tokio::test]
async fn refuses_an_audience_that_is_a_list() {
    refused("aud", |runner| json!([runner.authorization_url])).await;
}

#[tokio::test]
async fn refuses_a_missing_jti() {
    refused("jti", |_| Value::Null).await;
}

#[tokio::test]
async fn refuses_a_jti_that_is_not_a_uuid() {
    refused("jti", |_| json!("1")).await;
}

#[tokio::test]
async fn refuses_a_jti_used_before() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let once = request(&runner, &form(&assertion(&runner)));
    github.takes(&once, 200).await;
    rejected(&github, &once, "'jti' was used before").await;
}

#[tokio::test]
async fn refuses_a_missing_nbf() {
    refused("nbf", |_| Value::Null).await;
}

#[tokio::test]
async fn refuses_a_missing_exp() {
    refused("exp", |_| Value::Null).await;
}

#[tokio::test]
async fn refuses_an_iat() {
    refused("iat", |runner| runner.claims()["nbf"].clone()).await;
}

#[tokio::test]
async fn refuses_a_fourth_field() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    for extra in ["&client_id=x", "&scope=x", "&grant_type=client_credentials"] {
        let request = request(&runner, &(form(&assertion(&runner)) + extra));
        github.refuses(&request, 400, "invalid_request", "three fields").await;
    }
}

#[tokio::test]
async fn refuses_an_authorization_header() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let token = github.installation_token().await;
    let authorized = format!("HTTP/1.1\nAuthorization: Bearer {token}");
    let request = request(&runner, &form(&assertion(&runner))).replace("HTTP/1.1", &authorized);
    github.refuses(&request, 400, "invalid_request", "the only credential").await;
}

#[tokio::test]
async fn refuses_a_parameter() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let request =
        request(&runner, &form(&assertion(&runner))).replace(" HTTP/1.1", "?api-version=1 HTTP/1.1");
    github.refuses(&request, 400, "invalid_request", "\"api-version\" is not a parameter").await;
}

#[tokio::test]
async fn refuses_another_grant_or_assertion_type() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    for (piece, other) in [("client_credentials", "password"), ("jwt-bearer", "saml2-bearer")] {
        let request = request(&runner, &form(&assertion(&runner)).replace(piece, other));
        github.refuses(&request, 400, "invalid_request", "grant_type or client_assertion_type").await;
    }
}

#[tokio::test]
async fn refuses_json() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let request = request(&runner, &form(&assertion(&runner))).replace("x-www-form-urlencoded", "json");
    github.refuses(&request, 415, "content type", "content type").await;
}

#[tokio::test]
async fn denies_an_assertion_whose_times_are_off() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let now = runner.claims()["nbf"].as_i64().unwrap();
    for (nbf, exp) in [(now - 900, now - 600), (now + 600, now + 900), (now, now + 900)] {
        let mut claims = runner.claims();
        (claims["nbf"], claims["exp"]) = (json!(nbf), json!(exp));
        let request = request(&runner, &form(&runner.assertion(Alg::Ps256, &claims)));
        github.denies(&request, 400, "Current server time is").await.json();
    }
}

#[tokio::test]
async fn denies_a_registration_that_has_not_spread() {
    let github = Github::start().await;
    github.control().pull(Lever::OauthPropagation { calls: 1 }).unwrap();
    let runner = github.runner("one").await;
    let same = request(&runner, &form(&assertion(&runner)));
    let text = github.denies(&same, 400, "invalid_client").await.body.to_lowercase();
    assert!(text.contains("registration") && text.contains("not found"), "{text}");
    github.takes(&same, 200).await; // the credentials are as good as before
}

#[tokio::test]
async fn denies_a_consumed_record() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (_, _, claim) = runner.claim().await;
    claim.complete(&github, "succeeded").expect(204).await;
    let request = request(&runner, &form(&assertion(&runner)));
    github.denies(&request, 400, "invalid_client").await.json();
}

#[tokio::test]
async fn denies_as_a_fault_says_and_takes_the_same_credentials_afterwards() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    for status in [401, 403, 429, 500, 502, 503, 504] {
        github.control().fail(Fault::new("O1").answering(status));
        github.denies(&request(&runner, &form(&assertion(&runner))), status, "").await;
    }
    github.takes(&request(&runner, &form(&assertion(&runner))), 200).await;
}
