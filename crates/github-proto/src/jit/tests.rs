use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{JitConfig, JitError, files, without_key};
use crate::fixture::{blob, jit_files, recase};
use crate::id::RunnerId;
use crate::reply::BodyError;

fn with(file: &str, change: impl Fn(&mut Value)) -> Result<JitConfig, JitError> {
    let mut files = jit_files();
    change(&mut files[file]);
    decode(&files)
}

fn decode(files: &Map<String, Value>) -> Result<JitConfig, JitError> {
    JitConfig::decode(&blob(files), None)
}

/// The bytes of appendix B as they stand in a blob.
const VECTOR: &str = "eyJBZ2VudElkIjoiMzEwMDciLCJBZ2VudE5hbWUiOiJndy1ibHVlLTAwMDciLCJQb29sSWQiOiIxIiwiUG9vbE5hbWUiOm51bGwsIlNlcnZlcl\
VybCI6Imh0dHBzOi8vYnJva2VyLmFjdGlvbnMudGVzdC8iLCJXb3JrRm9sZGVyIjoiX3dvcmsiLCJHaXRIdWJVcmwiOiIiLCJVc2VWMkZsb3ciOiJ0cnV\
lIiwiU2VydmVyVXJsVjIiOiJodHRwczovL2Jyb2tlci5hY3Rpb25zLnRlc3QvIiwiRXBoZW1lcmFsIjoiVHJ1ZSIsIkRpc2FibGVVcGRhdGUiOiJGYWxzZSJ9";

#[test]
fn a_blob_decodes_to_runner_credentials_and_key() {
    let jit = decode(&jit_files()).unwrap();
    insta::assert_debug_snapshot!(jit, @r#"
    JitConfig {
        runner: RunnerSettings {
            id: RunnerId(
                31007,
            ),
            name: "gw-blue-0007",
            broker: Url {
                scheme: "https",
                cannot_be_a_base: false,
                username: "",
                password: None,
                host: Some(
                    Domain(
                        "broker.actions.test",
                    ),
                ),
                port: None,
                path: "/",
                query: None,
                fragment: None,
            },
            ephemeral: true,
            skip_session_recover: false,
        },
        credentials: Credentials {
            client_id: "0f0e0d0c-0000-4000-8000-00000000fa4e",
            address: TokenAddress {
                audience: "https://token.actions.test/tenant-1/_apis/oauth2/token/0f0e0d0c",
                endpoint: Url {
                    scheme: "https",
                    cannot_be_a_base: false,
                    username: "",
                    password: None,
                    host: Some(
                        Domain(
                            "token.actions.test",
                        ),
                    ),
                    port: None,
                    path: "/tenant-1/_apis/oauth2/token/0f0e0d0c",
                    query: None,
                    fragment: None,
                },
            },
            address_v2: None,
            require_fips: true,
        },
        key: RsaKey(redacted),
    }
    "#);
}

#[test]
fn only_the_known_files_come_out() {
    let mut all = jit_files();
    all.insert(".bashrc".into(), json!("echo"));
    let names: Vec<String> = files(&blob(&all)).unwrap().into_keys().collect();
    assert_eq!(names, [".credentials", ".credentials_rsaparams", ".runner"]);
}

#[test]
fn a_file_comes_out_byte_for_byte() {
    let runner = &files(&blob(&jit_files())).unwrap()[".runner"];
    assert_eq!(String::from_utf8_lossy(runner), jit_files()[".runner"].to_string());
}

#[test]
fn a_name_with_a_path_spoils_the_blob() {
    for name in ["../.runner", "/etc/passwd", "a\\b", "..", ".", "", "a\0b"] {
        let mut all = jit_files();
        all.insert(name.into(), json!({}));
        assert_eq!(files(&blob(&all)), Err(JitError::FileName), "{name:?}");
    }
}

/// A blob that .NET would write: a byte order mark before each JSON.
fn marked_blob() -> String {
    let mut envelope = Map::new();
    for (name, file) in jit_files() {
        envelope.insert(name, STANDARD.encode(format!("\u{feff}{file}")).into());
    }
    STANDARD.encode(format!("\u{feff}{}", Value::Object(envelope)))
}

#[test]
fn a_byte_order_mark_in_front_of_each_file_is_stripped() {
    assert!(JitConfig::decode(&marked_blob(), None).is_ok());
}

#[test]
fn a_file_that_is_missing_or_wrong_is_named() {
    let mut files = jit_files();
    files.remove(".credentials");
    assert_eq!(decode(&files).unwrap_err(), JitError::Missing(".credentials"));
    let field = |file, field| JitError::File { file, source: BodyError::Field(field) };
    let error = with(".runner", |it| it["AgentId"] = 0.into()).unwrap_err();
    assert_eq!(error, field(".runner", "AgentId"));
    let error = with(".runner", |it| it["ServerUrlV2"] = "nowhere".into()).unwrap_err();
    assert_eq!(error, field(".runner", "ServerUrlV2"));
    let error = with(".credentials", |it| it["data"]["clientId"] = Value::Null).unwrap_err();
    assert_eq!(error, field(".credentials", "clientId"));
    assert_eq!(with(".runner", |it| it["UseV2Flow"] = false.into()).unwrap_err(), JitError::Legacy);
}

#[test]
fn the_token_endpoint_may_be_apart_from_the_audience() {
    let jit = with(".credentials", |it| {
        it["data"]["oauthEndpointUrl"] = "https://other.actions.test/token".into();
    });
    let address = jit.unwrap().credentials.address;
    assert_eq!(address.endpoint.as_str(), "https://other.actions.test/token");
    assert_eq!(address.audience, "https://token.actions.test/tenant-1/_apis/oauth2/token/0f0e0d0c");
}

#[test]
fn a_second_address_of_the_token_service_is_optional() {
    let second = |value: Value, endpoint: Value| {
        let jit = with(".credentials", |it| {
            it["data"]["authorizationURLv2"] = value.clone();
            it["data"]["oauthEndpointUrl"] = endpoint.clone();
        });
        let address = jit.unwrap().credentials.address_v2;
        address.map(|it| (it.audience, it.endpoint.to_string()))
    };
    let new = "https://new.actions.test/token";
    assert_eq!(second(new.into(), Value::Null), Some((new.into(), new.into())));
    let apart = "https://other.actions.test/token";
    assert_eq!(second(new.into(), apart.into()), Some((new.into(), apart.into())));
    for none in [Value::Null, "".into(), "nowhere".into()] {
        assert_eq!(second(none.clone(), Value::Null), None, "{none}");
    }
}

#[test]
fn rs256_is_signed_unless_fips_is_asked_for() {
    for (value, fips) in [
        (json!("True"), true),
        (json!("true"), true),
        (json!(true), true),
        (json!("False"), false),
        (json!(false), false),
        (json!(""), false),
        (Value::Null, false),
    ] {
        let jit = with(".credentials", |it| it["data"]["requireFipsCryptography"] = value.clone());
        assert_eq!(jit.unwrap().credentials.require_fips, fips, "{value:?}");
    }
}

/// A blob whose `.runner` is these bytes.
fn with_runner(file: &[u8]) -> Result<JitConfig, JitError> {
    let mut envelope = Map::new();
    for (name, file) in jit_files() {
        envelope.insert(name, STANDARD.encode(file.to_string()).into());
    }
    envelope.insert(".runner".into(), STANDARD.encode(file).into());
    JitConfig::decode(&STANDARD.encode(Value::Object(envelope).to_string()), None)
}

#[test]
fn the_vector_reads_the_same_in_every_form() {
    let bytes = STANDARD.decode(VECTOR).unwrap();
    assert_eq!(bytes.len(), 261);
    let strings: Value = serde_json::from_slice(&bytes).unwrap();
    let read = with_runner(&bytes).unwrap().runner;
    assert_eq!((read.id, read.name.as_str(), read.ephemeral), (RunnerId(31007), "gw-blue-0007", true));
    assert_eq!((read.broker.as_str(), read.skip_session_recover), ("https://broker.actions.test/", false));

    let mut numbers = strings.clone();
    for (key, value) in [
        ("AgentId", json!(31007)),
        ("PoolId", json!(1)),
        ("UseV2Flow", json!(true)),
        ("Ephemeral", json!(true)),
        ("DisableUpdate", json!(false)),
    ] {
        numbers[key] = value;
    }
    let mut capital = strings.clone();
    capital["UseV2Flow"] = "True".into();
    let camel: Map<String, Value> = strings
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (format!("{}{}", key[..1].to_lowercase(), &key[1..]), value.clone()))
        .collect();
    for form in [numbers, capital, camel.into()] {
        assert_eq!(with_runner(form.to_string().as_bytes()).unwrap().runner, read, "{form}");
    }
}

#[test]
fn a_key_that_is_not_needed_may_hold_anything() {
    for anything in
        [json!({"a": [1]}), json!([{}]), json!(7), json!(-0.5), json!(true), Value::Null, json!("x")]
    {
        let jit = with(".runner", |it| {
            for key in ["PoolId", "PoolName", "GitHubUrl", "ServerUrl", "DisableUpdate", "IsHostedServer"] {
                it[key] = anything.clone();
            }
        });
        assert_eq!(jit.unwrap().runner.id, RunnerId(31007), "{anything}");
    }
    let jit = with(".runner", |it| it["Ephemeral"] = json!({}));
    assert!(!jit.unwrap().runner.ephemeral);
}

#[test]
fn the_id_of_the_registration_stands_in_for_one_that_is_not_there() {
    let read = |id: Value, registered| {
        let mut files = jit_files();
        files[".runner"]["AgentId"] = id;
        JitConfig::decode(&blob(&files), registered).map(|it| it.runner.id)
    };
    for none in [Value::Null, json!(""), json!("0"), json!(0), json!("many"), json!({})] {
        assert_eq!(read(none.clone(), Some(RunnerId(5))), Ok(RunnerId(5)), "{none}");
        assert!(read(none, None).is_err());
    }
    assert_eq!(read(json!("31007"), Some(RunnerId(5))), Ok(RunnerId(31007)));
}

#[test]
fn a_flag_that_is_absent_empty_or_no_flag_is_not_set() {
    for unset in [Value::Null, json!(""), json!("False"), json!(false), json!("yes"), json!(1), json!([])] {
        let error = with(".runner", |it| it["UseV2Flow"] = unset.clone()).unwrap_err();
        assert_eq!(error, JitError::Legacy, "{unset}");
    }
    for set in [json!("tRuE"), json!(true)] {
        let jit = with(".runner", |it| it["SkipSessionRecover"] = set.clone());
        assert!(jit.unwrap().runner.skip_session_recover, "{set}");
    }
}

#[test]
fn a_blob_without_its_key_keeps_the_other_two_files_byte_for_byte() {
    let mut all = jit_files();
    all.insert(".bashrc".into(), json!("echo"));
    for whole in [blob(&all), marked_blob()] {
        let stripped = without_key(&whole).unwrap();
        let (before, after) = (files(&whole).unwrap(), files(&stripped).unwrap());
        assert_eq!(after.keys().collect::<Vec<_>>(), [".credentials", ".runner"]);
        assert!(after.iter().all(|(name, bytes)| before[name] == *bytes));
        let envelope: Value = serde_json::from_slice(&STANDARD.decode(stripped).unwrap()).unwrap();
        assert_eq!(envelope.as_object().unwrap().len(), 2, "nothing else is in it");
    }
    all.remove(".credentials");
    assert_eq!(without_key(&blob(&all)), Err(JitError::Missing(".credentials")));
    assert_eq!(without_key("?"), Err(JitError::Encoding));
}

proptest! {
    #[test]
    fn no_text_makes_the_decoder_panic(text in ".{0,200}", base64 in "[A-Za-z0-9+/=]{0,200}") {
        let _ = (JitConfig::decode(&text, None).is_ok(), JitConfig::decode(&base64, None).is_ok());
        let _ = (without_key(&text).is_ok(), without_key(&base64).is_ok());
    }

    #[test]
    fn no_envelope_makes_the_decoder_panic(name in ".{0,20}", file in proptest::collection::vec(any::<u8>(), 0..60)) {
        let envelope = json!({ name: STANDARD.encode(&file), ".runner": STANDARD.encode(file) });
        let _ = JitConfig::decode(&STANDARD.encode(envelope.to_string()), None).is_ok();
    }

    #[test]
    fn the_case_of_keys_inside_the_files_does_not_matter(seed in proptest::collection::vec(any::<bool>(), 1..64)) {
        let mut turn = seed.iter().copied().cycle();
        let mut choose = || turn.next().unwrap_or_default();
        let files: Map<String, Value> =
            jit_files().into_iter().map(|(name, file)| (name, recase(&file, &mut choose))).collect();
        let jit = decode(&files).unwrap();
        prop_assert_eq!(jit.runner, decode(&jit_files()).unwrap().runner);
    }
}
