//! What was asked of the API server, in one form for the stub and for a real server's audit log.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::Value;

/// One request of the program under measurement that was answered.
#[derive(Debug, Clone)]
pub struct Call {
    /// When the server received it.
    pub received: Timestamp,
    /// When the server had done it.
    pub answered: Timestamp,
    /// As Kubernetes names it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// With its subresource, as in `runnerjobs/status`.
    pub resource: String,
    /// Name of the object, or empty.
    pub name: String,
    /// Status of the answer.
    pub code: u16,
}

impl Call {
    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }
}

/// Where requests are written down.
#[derive(Clone)]
pub enum Calls {
    /// By the stub.
    Kept(Arc<Mutex<Vec<Call>>>),
    /// By a real API server, in its audit log; ours are those of this user.
    Audit(PathBuf, String),
}

impl Calls {
    /// The requests received from this moment on, in the order of their arrival.
    ///
    /// # Errors
    /// The audit log cannot be read.
    pub fn since(&self, start: Timestamp) -> Result<Vec<Call>> {
        let mut calls = match self {
            Self::Kept(calls) => calls.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Self::Audit(path, user) => audited(path, user)?,
        };
        calls.retain(|it| it.received >= start);
        calls.sort_by_key(|it| it.received);
        Ok(calls)
    }
}

fn audited(path: &Path, user: &str) -> Result<Vec<Call>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    // The last line may be half written.
    let whole = text.rsplit_once('\n').map_or("", |it| it.0);
    whole.lines().filter(|it| it.contains(user)).filter_map(|line| entry(line, user).transpose()).collect()
}

/// A watch counts when it begins, since some never end; all else when it is done.
fn entry(line: &str, user: &str) -> Result<Option<Call>> {
    let value: Value = serde_json::from_str(line).context("a line of the audit log")?;
    let watch = value["verb"] == "watch" && value["responseStatus"]["code"] == 200;
    let stage = if watch { "ResponseStarted" } else { "ResponseComplete" };
    if value["stage"] != stage || value["user"]["username"] != user {
        return Ok(None);
    }
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let time = |key: &str| -> Result<Timestamp> { Ok(value[key].as_str().context("a time")?.parse()?) };
    let object = &value["objectRef"];
    Ok(Some(Call {
        received: time("requestReceivedTimestamp")?,
        answered: time("stageTimestamp")?,
        verb: text(&value["verb"]),
        resource: with_subresource(&text(&object["resource"]), &text(&object["subresource"])),
        name: text(&object["name"]),
        code: value["responseStatus"]["code"].as_u64().and_then(|it| it.try_into().ok()).unwrap_or_default(),
    }))
}

/// `resource` or `resource/sub`.
pub fn with_subresource(resource: &str, sub: &str) -> String {
    if sub.is_empty() { resource.to_owned() } else { format!("{resource}/{sub}") }
}

#[cfg(test)]
mod tests {
    use super::entry;

    const LINE: &str = r#"{"stage":"ResponseComplete","verb":"patch","user":{"username":"us"},
        "objectRef":{"resource":"runnerjobs","namespace":"bench","name":"blue-1","subresource":"status"},
        "responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.000100Z",
        "stageTimestamp":"2026-01-01T00:00:00.002100Z"}"#;

    #[test]
    fn a_line_of_the_audit_log_is_a_call_of_its_user() {
        let call = entry(LINE, "us").unwrap().unwrap();
        assert_eq!((call.resource.as_str(), call.name.as_str()), ("runnerjobs/status", "blue-1"));
        assert!(call.is_write());
        assert_eq!(crate::figures::millis(call.received, call.answered), 2.0);
        assert!(entry(LINE, "somebody else").unwrap().is_none());
    }
}
