use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::sign;
use crate::fixture;
use crate::rsa::{KeyError, RsaKey};

const NOW: &str = "2026-09-01T10:00:00Z";

#[test]
fn the_token_is_backdated_a_minute_and_lives_nine() {
    let jwt = sign(&fixture::key(), "Iv23FAKECLIENTID", NOW.parse().unwrap()).unwrap();
    let parts: Vec<&str> = jwt.expose().split('.').collect();
    let json =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };

    assert_eq!(json(parts[0]), json!({"alg": "RS256", "typ": "JWT"}));
    let claims = json(parts[1]);
    assert_eq!(claims["iss"], "Iv23FAKECLIENTID");
    assert_eq!(claims["iat"], 1_788_256_800 - 60);
    assert_eq!(claims["exp"], 1_788_256_800 - 60 + 540);
}

#[test]
fn the_signature_is_the_keys() {
    let key = fixture::key();
    let jwt = sign(&key, "1", NOW.parse().unwrap()).unwrap();
    let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.pair().public_key().as_ref());
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}

#[test]
fn both_pem_kinds_hold_the_same_key() {
    let pkcs8 = RsaKey::from_pem(fixture::read("FAKE_key_pkcs8.pem").as_bytes()).unwrap();
    let now = NOW.parse().unwrap();
    assert_eq!(sign(&pkcs8, "1", now).unwrap(), sign(&fixture::key(), "1", now).unwrap());
}

#[test]
fn what_is_not_a_key_is_reported() {
    let check = |pem: &str, error: KeyError| assert_eq!(RsaKey::from_pem(pem.as_bytes()).unwrap_err(), error);
    check("", KeyError::Pem);
    check("hello", KeyError::Pem);
    check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", KeyError::Pem);
    check("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", KeyError::Inconsistent);
    check("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", KeyError::Inconsistent);
}

#[test]
fn neither_key_nor_token_shows_itself() {
    let key = fixture::key();
    let jwt = sign(&key, "1", NOW.parse().unwrap()).unwrap();
    assert_eq!(format!("{key:?} {jwt:?}"), "RsaKey(redacted) AppJwt(redacted)");
}
