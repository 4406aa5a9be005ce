//! `.runner`: the settings that the listener, or the wrapper, leaves in the runner's root (protocol §2.5, §6.1).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Map, Value};

/// Below the runner's root.
const FILE: &str = ".runner";
const CREDENTIALS: &str = ".credentials";

/// Numbers and flags: GitHub writes them as strings, the official runner's `config.sh` as what they are.
const NUMBERS: [&str; 2] = ["AgentId", "PoolId"];
const FLAGS: [&str; 5] = ["UseV2Flow", "Ephemeral", "DisableUpdate", "SkipSessionRecover", "IsHostedServer"];

/// What the worker takes from them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The runner record's id.
    pub agent_id: Option<u64>,
    /// The runner's name.
    pub agent_name: String,
    /// Where jobs work, below the runner's root.
    pub work_folder: String,
    /// Of `.credentials`, which may be missing.
    pub client_id: Option<String>,
}

impl Settings {
    /// Reads them. Without settings no job is taken.
    pub fn read(root: &Path) -> anyhow::Result<Settings> {
        let file = root.join(FILE);
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut settings = Settings::parse(&text).context(".runner cannot be read")?;
        settings.client_id = fs::read_to_string(root.join(CREDENTIALS)).ok().and_then(|it| client_id(&it));
        Ok(settings)
    }

    fn parse(text: &str) -> anyhow::Result<Settings> {
        let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
        let object = value.as_object().context("it is no object")?;
        for name in NUMBERS {
            number(object, name)?;
        }
        for name in FLAGS {
            flag(object, name)?;
        }
        let words = |name| entry(object, name).and_then(Value::as_str).filter(|it| !it.is_empty());
        Ok(Settings {
            agent_id: number(object, "AgentId")?,
            agent_name: words("AgentName").unwrap_or_default().to_owned(),
            work_folder: words("WorkFolder").unwrap_or("_work").to_owned(),
            client_id: None,
        })
    }

    /// The work folder as a path.
    pub fn work(&self, root: &Path) -> PathBuf {
        root.join(&self.work_folder)
    }
}

fn entry<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn number(object: &Map<String, Value>, name: &str) -> anyhow::Result<Option<u64>> {
    let found = match entry(object, name) {
        None => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64(),
    };
    found.map(Some).with_context(|| format!("{name} is no number"))
}

fn flag(object: &Map<String, Value>, name: &str) -> anyhow::Result<()> {
    match entry(object, name) {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(Value::String(it)) if it.eq_ignore_ascii_case("true") || it.eq_ignore_ascii_case("false") => {
            Ok(())
        }
        Some(_) => bail!("{name} is neither true nor false"),
    }
}

fn client_id(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let data = entry(value.as_object()?, "Data")?.as_object()?;
    entry(data, "clientId")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
