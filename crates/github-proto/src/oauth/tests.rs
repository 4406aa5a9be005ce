use std::time::Duration;

use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Credentials, OAuthErrorKind, TokenAddress, assertion, decode};
use crate::fixture::{key, reply};
use crate::rate_limit::RateLimit;
use crate::secret::Assertion;

const URL: &str = "https://token.actions.test/tenant-1/_apis/oauth2/token/0f0e0d0c";

fn credentials(require_fips: bool) -> Credentials {
    Credentials {
        client_id: "client".into(),
        address: TokenAddress { audience: URL.into(), endpoint: URL.parse().unwrap() },
        address_v2: None,
        require_fips,
    }
}

fn signed(require_fips: bool) -> Assertion {
    let now = "2026-09-01T10:00:00Z".parse().unwrap();
    let credentials = credentials(require_fips);
    assertion(&credentials, &credentials.address, &key(), "one-of-a-kind", now).unwrap()
}

#[test]
fn the_assertion_claims_what_the_service_checks_and_no_more() {
    let signed = signed(false);
    let parts: Vec<&str> = signed.expose().split('.').collect();
    let json =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    assert_eq!(json(parts[0]), json!({"typ": "JWT", "alg": "RS256"}));
    assert_eq!(
        json(parts[1]),
        json!({"iss": "client", "sub": "client", "aud": URL, "jti": "one-of-a-kind",
               "nbf": 1_788_256_800, "exp": 1_788_256_800 + 300})
    );
}

#[test]
fn fips_asks_for_the_other_signature() {
    let check = |fips: bool, algorithm: &'static RsaParameters| {
        let signed = signed(fips);
        let (text, signature) = signed.expose().rsplit_once('.').unwrap();
        let public = key();
        let public = UnparsedPublicKey::new(algorithm, public.pair().public_key().as_ref());
        public.verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).is_ok()
    };
    assert!(check(false, &RSA_PKCS1_2048_8192_SHA256));
    assert!(check(true, &RSA_PSS_2048_8192_SHA256));
    assert!(!check(true, &RSA_PKCS1_2048_8192_SHA256));
    let header = signed(true).expose().split('.').next().unwrap().to_owned();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header["alg"], "PS256");
}

#[test]
fn an_expiry_may_be_absent_zero_or_text() {
    let expires = |text: &str| {
        let body = format!(r#"{{"access_token":"t"{text}}}"#);
        decode(&reply(200, &[], &body)).unwrap().expires_in
    };
    assert_eq!(expires(""), None);
    assert_eq!(expires(r#","expires_in":0"#), None);
    assert_eq!(expires(r#","expires_in":-1"#), None);
    assert_eq!(expires(r#","expires_in":null"#), None);
    assert_eq!(expires(r#","expires_in":"60""#), Some(Duration::from_secs(60)));
    assert_eq!(expires(r#","expires_in":60.5"#), Some(Duration::from_millis(60_500)));
}

#[track_caller]
fn refused(status: u16, body: &str, kind: OAuthErrorKind) {
    assert_eq!(decode(&reply(status, &[], body)).unwrap_err().kind, kind);
}

#[test]
fn the_table_of_refusals() {
    refused(400, r#"{"error":"invalid_client"}"#, OAuthErrorKind::NotRegistered);
    refused(400, r#"{"error_description":"Registration x was NOT FOUND"}"#, OAuthErrorKind::NotRegistered);
    refused(404, "The registration was not found.", OAuthErrorKind::NotRegistered);
    refused(404, "404 page not found", OAuthErrorKind::Transient);
    refused(
        400,
        r#"{"error":"invalid_client","error_description":"Current server time is 10:00."}"#,
        OAuthErrorKind::ClockSkew,
    );
    refused(400, "bad gateway of a proxy", OAuthErrorKind::Transient);
    refused(401, "", OAuthErrorKind::Rejected);
    refused(403, "", OAuthErrorKind::Rejected);
    refused(429, "", OAuthErrorKind::RateLimited(RateLimit::Unspecified));
    refused(503, "", OAuthErrorKind::Transient);
    refused(200, r#"{"access_token":""}"#, OAuthErrorKind::Transient);
    refused(200, r#"{"access_tok"#, OAuthErrorKind::Transient);
}

#[test]
fn only_what_another_address_could_answer_otherwise_is_a_verdict() {
    let verdict = |status, body| decode(&reply(status, &[], body)).unwrap_err().is_verdict();
    for (status, body) in
        [(400, r#"{"error":"invalid_client"}"#), (400, "moved"), (401, ""), (403, ""), (404, ""), (410, "")]
    {
        assert!(verdict(status, body), "{status} {body}");
    }
    for (status, body) in [
        (400, r#"{"error_description":"Current server time is 10:00."}"#),
        (408, ""),
        (429, ""),
        (503, ""),
        (200, "{"),
    ] {
        assert!(!verdict(status, body), "{status} {body}");
    }
}
