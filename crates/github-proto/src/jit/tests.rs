use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{JitConfig, JitError, files};
use crate::fixture::{blob, jit_files, recase};
use crate::reply::BodyError;

fn with(file: &str, change: impl Fn(&mut Value)) -> Result<JitConfig, JitError> {
    let mut files = jit_files();
    change(&mut files[file]);
    JitConfig::decode(&blob(&files))
}

#[test]
fn a_blob_decodes_to_runner_credentials_and_key() {
    let jit = JitConfig::decode(&blob(&jit_files())).unwrap();
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

#[test]
fn a_byte_order_mark_in_front_of_each_file_is_stripped() {
    let mut envelope = Map::new();
    for (name, file) in jit_files() {
        envelope.insert(name, STANDARD.encode(format!("\u{feff}{file}")).into());
    }
    let blob = STANDARD.encode(format!("\u{feff}{}", Value::Object(envelope)));
    assert!(JitConfig::decode(&blob).is_ok());
}

#[test]
fn a_file_that_is_missing_or_wrong_is_named() {
    let mut files = jit_files();
    files.remove(".credentials");
    assert_eq!(JitConfig::decode(&blob(&files)).unwrap_err(), JitError::Missing(".credentials"));
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
    let credentials = jit.unwrap().credentials;
    assert_eq!(credentials.endpoint.as_str(), "https://other.actions.test/token");
    assert_eq!(credentials.audience, "https://token.actions.test/tenant-1/_apis/oauth2/token/0f0e0d0c");
}

#[test]
fn rs256_is_signed_unless_fips_is_asked_for() {
    for (value, fips) in [("True", true), ("true", true), ("False", false), ("", false)] {
        let jit = with(".credentials", |it| it["data"]["requireFipsCryptography"] = value.into());
        assert_eq!(jit.unwrap().credentials.require_fips, fips, "{value:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_decoder_panic(text in ".{0,200}", base64 in "[A-Za-z0-9+/=]{0,200}") {
        let _ = (JitConfig::decode(&text).is_ok(), JitConfig::decode(&base64).is_ok());
    }

    #[test]
    fn no_envelope_makes_the_decoder_panic(name in ".{0,20}", file in proptest::collection::vec(any::<u8>(), 0..60)) {
        let envelope = json!({ name: STANDARD.encode(&file), ".runner": STANDARD.encode(file) });
        let _ = JitConfig::decode(&STANDARD.encode(envelope.to_string())).is_ok();
    }

    #[test]
    fn the_case_of_keys_inside_the_files_does_not_matter(seed in proptest::collection::vec(any::<bool>(), 1..64)) {
        let mut turn = seed.iter().copied().cycle();
        let mut choose = || turn.next().unwrap_or_default();
        let files: Map<String, Value> =
            jit_files().into_iter().map(|(name, file)| (name, recase(&file, &mut choose))).collect();
        let jit = JitConfig::decode(&blob(&files)).unwrap();
        prop_assert_eq!(jit.runner, JitConfig::decode(&blob(&jit_files())).unwrap().runner);
    }
}
