use super::{Algorithm, KeyError, RsaKey, RsaParameters};
use crate::fixture;
use serde_json::{Map, Value, json};

fn parameters() -> Map<String, Value> {
    fixture::jit_files()[".credentials_rsaparams"].as_object().unwrap().clone()
}

fn key_of(parameters: &Map<String, Value>) -> Result<RsaKey, KeyError> {
    let parameters: RsaParameters = serde_json::from_value(Value::Object(parameters.clone())).unwrap();
    RsaKey::from_parameters(&parameters)
}

#[track_caller]
fn same_key(parameters: &Map<String, Value>) {
    let signed = |key: &RsaKey| key.jwt(Algorithm::Rs256, &json!({})).unwrap();
    assert_eq!(signed(&key_of(parameters).unwrap()), signed(&fixture::key()));
}

#[test]
fn five_numbers_make_the_key() {
    same_key(&parameters());
}

#[test]
fn the_crt_numbers_are_computed_and_not_trusted() {
    let mut parameters = parameters();
    for name in ["dp", "dq", "inverseQ"] {
        parameters.insert(name.into(), "AQAB".into());
    }
    same_key(&parameters);
    for name in ["dp", "dq", "inverseQ"] {
        parameters.remove(name);
    }
    same_key(&parameters);
}

#[test]
fn base64_may_be_of_the_url_kind_and_without_padding() {
    let mut parameters = parameters();
    for value in parameters.values_mut() {
        let text = value.as_str().unwrap().trim_end_matches('=').replace('+', "-").replace('/', "_");
        *value = text.into();
    }
    same_key(&parameters);
}

#[test]
fn leading_zeros_do_not_matter() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let mut parameters = parameters();
    for value in parameters.values_mut() {
        let mut padded = vec![0; 3];
        padded.extend(STANDARD.decode(value.as_str().unwrap()).unwrap());
        *value = STANDARD.encode(padded).into();
    }
    same_key(&parameters);
}

#[test]
fn numbers_that_are_not_a_key_are_refused() {
    let with = |name: &str, value: Value| {
        let mut parameters = parameters();
        parameters.insert(name.into(), value);
        key_of(&parameters).unwrap_err()
    };
    assert_eq!(with("d", "AQAB".into()), KeyError::Inconsistent);
    assert_eq!(with("p", "AQ==".into()), KeyError::Inconsistent);
    assert_eq!(with("q", "AAAA".into()), KeyError::Parameter("q"));
    assert_eq!(with("modulus", "AQAB".into()), KeyError::Inconsistent);
    assert_eq!(with("modulus", "not base64!".into()), KeyError::Parameter("modulus"));
    assert_eq!(with("exponent", Value::Null), KeyError::Parameter("exponent"));
}

#[test]
fn a_wrapped_key_of_another_size_is_refused() {
    assert_eq!(fixture::key().unwrap_key(b"short", false).unwrap_err(), KeyError::Unwrap);
    assert_eq!(fixture::key().unwrap_key(&[7; 256], false).unwrap_err(), KeyError::Unwrap);
}
