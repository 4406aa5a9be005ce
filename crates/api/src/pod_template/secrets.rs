//! What no template may refer to: the App's credentials, the registrations of runners, with their private keys, and the
//! payloads of jobs.
//!
//! A step that has its runner's key can speak to GitHub as that runner; one that has another job's payload has that job's
//! secrets; one that has the App's key has the whole installation. Other Secrets that a tenant made are the tenant's to
//! mount.
//!
//! The API names Secrets in some twenty places of a pod, and each release may add one. So the template is walked by the
//! names of its fields, instead of by a list of places.

use serde_json::Value;

use super::FieldError;
use crate::names;

/// The parts of a pod's spec in which the API names Secrets.
const PARTS: [&str; 5] =
    ["volumes", "imagePullSecrets", "initContainers", "containers", "ephemeralContainers"];

/// Maps that are handed to a volume's driver, which may look for a Secret under any key of its choice.
const FOR_DRIVERS: [&str; 2] = ["volumeAttributes", "options"];

/// What a value may name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Something else.
    Other,
    /// A Secret: itself, or by its field `name`.
    Secret,
    /// A Secret, by any of its fields.
    AnySecret,
}

/// `spec` is the template's, as JSON.
pub(super) fn judge(spec: &Value, app_secret: &str, errors: &mut Vec<FieldError>) {
    for part in PARTS {
        if let Some(value) = spec.get(part) {
            walk(&format!("spec.{part}"), value, meaning_of(part, Meaning::Other), app_secret, errors);
        }
    }
}

fn walk(path: &str, value: &Value, meaning: Meaning, app_secret: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                walk(&format!("{path}.{name}"), field, meaning_of(name, meaning), app_secret, errors);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(&format!("{path}[{index}]"), item, meaning, app_secret, errors);
            }
        }
        Value::String(name) if meaning != Meaning::Other => refuse(path, name, app_secret, errors),
        _ => {}
    }
}

/// What the value of a field of this name may name, in an object of this meaning.
fn meaning_of(field: &str, object: Meaning) -> Meaning {
    match object {
        Meaning::AnySecret => Meaning::AnySecret,
        _ if FOR_DRIVERS.contains(&field) => Meaning::AnySecret,
        _ if field.to_ascii_lowercase().contains("secret") => Meaning::Secret,
        Meaning::Secret if field == "name" => Meaning::Secret,
        Meaning::Secret | Meaning::Other => Meaning::Other,
    }
}

fn refuse(path: &str, name: &str, app_secret: &str, errors: &mut Vec<FieldError>) {
    let rule = if name == app_secret {
        "this Secret holds the App's credentials, which no worker may read"
    } else if names::is_gateways_secret(name) {
        "Secrets named like this hold the credentials of runners and the payloads of jobs, which no worker may read"
    } else {
        return;
    };
    errors.push(FieldError::new(path, rule, "refer to a Secret of your own, under another name"));
}
