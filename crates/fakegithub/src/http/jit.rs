//! JIT configurations (protocol §2.5): the files of a runner, each in base64, all in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::rsa::Scheme;
use crate::settings::JitDialect;
use crate::state::State;
use crate::state::agents::Agent;

/// What is in place of a configuration that cannot be decoded.
const GARBAGE: &[u8] = b"this is no JIT configuration";

/// The configuration of a runner that was just registered.
pub(super) fn jit_config(state: &State, agent: &Agent, work_folder: &str) -> String {
    let dialect = *state.settings.choices.jit_dialect.of(agent.scope.owner());
    if dialect == JitDialect::Garbage {
        return STANDARD.encode(GARBAGE);
    }
    let broker = format!("{}/broker{}", state.base, state.slash());
    let migrated = *state.settings.choices.token_service_migrated.of(agent.scope.owner());
    let files = json!({
        ".runner": file(dialect, &settings(dialect, agent, &broker, work_folder)),
        ".credentials": file(dialect, &json!({
            "scheme": "OAuth",
            "data": credentials(dialect, agent, &state.base, migrated),
        })),
        // The runner reads these names in this case only.
        ".credentials_rsaparams": file(dialect, &agent.key.runner_parameters()),
    });
    STANDARD.encode(files.to_string())
}

fn file(dialect: JitDialect, value: &Value) -> String {
    let mark: &[u8] = if dialect == JitDialect::ByteOrderMark { b"\xef\xbb\xbf" } else { b"" };
    STANDARD.encode([mark, value.to_string().as_bytes()].concat())
}

/// `.runner`. Both addresses are the broker's, for the runner opens connections to a server that differs.
fn settings(dialect: JitDialect, agent: &Agent, broker: &str, work_folder: &str) -> Value {
    let typed = matches!(dialect, JitDialect::Typed | JitDialect::CamelCase);
    let number = |number: u64| if typed { json!(number) } else { json!(number.to_string()) };
    let flag = |word: &str| if typed { json!(word.eq_ignore_ascii_case("true")) } else { json!(word) };
    let settings = [
        ("AgentId", number(agent.id)),
        ("AgentName", json!(agent.name)),
        ("PoolId", number(1)),
        ("PoolName", Value::Null),
        ("ServerUrl", json!(broker)),
        ("WorkFolder", json!(work_folder)),
        ("GitHubUrl", json!("")),
        ("UseV2Flow", flag("true")),
        ("ServerUrlV2", json!(broker)),
        ("Ephemeral", flag("True")),
        ("DisableUpdate", flag("False")),
    ];
    let needed = ["AgentId", "AgentName", "WorkFolder", "UseV2Flow", "ServerUrlV2"];
    let kept = settings
        .into_iter()
        .filter(|(key, _)| dialect != JitDialect::MissingKeys || needed.contains(key))
        .map(|(key, value)| spell(dialect, key, value));
    Value::Object(kept.collect())
}

/// `data` of `.credentials`.
fn credentials(dialect: JitDialect, agent: &Agent, base: &str, migrated: bool) -> Map<String, Value> {
    let fips = agent.scheme == Scheme::Pss;
    let fips = match dialect {
        JitDialect::Typed | JitDialect::CamelCase => Some(json!(fips)),
        // Without the key a runner signs with RS256, and the record was made for it.
        JitDialect::MissingKeys => None,
        _ => Some(json!(if fips { "True" } else { "False" })),
    };
    let mut data = vec![
        ("clientId", json!(agent.client_id)),
        ("authorizationUrl", json!(agent.authorization_url(base))),
    ];
    data.extend(fips.map(|fips| ("requireFipsCryptography", fips)));
    if migrated {
        data.push(("authorizationUrlV2", json!(agent.authorization_url_v2(base))));
        data.push(("enableAuthMigrationByDefault", json!("True")));
    }
    data.into_iter().map(|(key, value)| spell(dialect, key, value)).collect()
}

/// A key and its value, in the case of the dialect.
fn spell(dialect: JitDialect, key: &str, value: Value) -> (String, Value) {
    match dialect {
        JitDialect::MixedCase => {
            let value = match value.as_str() {
                Some(flag) if flag.eq_ignore_ascii_case("true") || flag.eq_ignore_ascii_case("false") => {
                    json!(flag.to_uppercase())
                }
                _ => value,
            };
            // One key in capitals, the next in small letters.
            let key = if key.len().is_multiple_of(2) { key.to_uppercase() } else { key.to_lowercase() };
            (key, value)
        }
        JitDialect::CamelCase => {
            let (first, rest) = key.split_at(1);
            (first.to_lowercase() + rest, value)
        }
        _ => (key.to_owned(), value),
    }
}
