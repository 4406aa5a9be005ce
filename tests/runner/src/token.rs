//! Template tokens (protocol §5.7): how a job message writes scripts, environments and flags.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::refusal::Refusal;

/// The named contexts that an expression may look into. Keys are compared without regard to case.
#[derive(Debug, Default, Clone)]
pub struct Contexts(BTreeMap<String, Value>);

/// Contexts that a job may name, whether or not the message brings them.
const KNOWN: [&str; 8] = ["github", "secrets", "vars", "env", "steps", "needs", "matrix", "inputs"];

impl Contexts {
    /// Sets a context.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_ascii_lowercase(), value);
    }

    /// The value of an expression. We know plain paths only (`github.sha`, `steps.build.outputs.digest`).
    pub fn evaluate(&self, expression: &str) -> Result<String, Refusal> {
        let unknown = || Refusal(format!("the expression `{expression}` is not supported"));
        let path = expression.trim();
        let is_path = path.split('.').all(|key| {
            !key.is_empty() && key.chars().all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-')
        });
        let (root, rest) = path.split_once('.').unwrap_or((path, ""));
        if !is_path || !KNOWN.contains(&root.to_ascii_lowercase().as_str()) {
            return Err(unknown());
        }
        let mut value = self.0.get(&root.to_ascii_lowercase());
        for key in rest.split('.').filter(|key| !key.is_empty()) {
            value = value.and_then(|it| entry(it, key));
        }
        match value {
            None => Ok(String::new()), // as GitHub does
            Some(value) => scalar(value).ok_or_else(unknown),
        }
    }
}

fn entry<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(it) => Some(it.to_string()),
        Value::Number(it) => Some(it.to_string()),
        Value::String(it) => Some(it.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text of a scalar token: a bare value, or types 0 literal, 3 expression, 5 boolean, 6 number, 7 null.
pub fn text(token: &Value, contexts: &Contexts) -> Result<String, Refusal> {
    if let Some(bare) = scalar(token) {
        return Ok(bare);
    }
    let content = |key| token.get(key).and_then(scalar);
    let found = match token.get("type").and_then(Value::as_i64) {
        Some(0) => content("lit"),
        Some(3) => match content("expr") {
            Some(expression) => return contexts.evaluate(&expression),
            None => None,
        },
        Some(5) => content("bool"),
        Some(6) => content("num"),
        Some(7) => Some(String::new()),
        _ => None,
    };
    found.ok_or_else(|| Refusal(format!("a token of type {} is not supported here", kind(token))))
}

/// The entries of a mapping token (type 2), keys evaluated, values left as tokens. Null is an empty one.
pub fn mapping<'a>(token: &'a Value, contexts: &Contexts) -> Result<Vec<(String, &'a Value)>, Refusal> {
    if token.is_null() || token.get("type").and_then(Value::as_i64) == Some(7) {
        return Ok(Vec::new());
    }
    if token.get("type").and_then(Value::as_i64) != Some(2) {
        return Err(Refusal(format!("a token of type {} is not a mapping", kind(token))));
    }
    let pairs = token.get("map").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    pairs
        .iter()
        .map(|pair| {
            let key = pair.get("Key").or_else(|| pair.get("key"));
            let value = pair.get("Value").or_else(|| pair.get("value"));
            match (key, value) {
                (Some(key), Some(value)) => Ok((text(key, contexts)?, value)),
                _ => Err(Refusal("an entry of a mapping has no key or no value".into())),
            }
        })
        .collect()
}

/// A flag: absent is false.
pub fn flag(token: Option<&Value>, contexts: &Contexts) -> Result<bool, Refusal> {
    let text = token.map(|it| text(it, contexts)).transpose()?.unwrap_or_default();
    match text.as_str() {
        "" | "false" => Ok(false),
        "true" => Ok(true),
        other => Err(Refusal(format!("`{other}` is neither true nor false"))),
    }
}

fn kind(token: &Value) -> String {
    token.get("type").map_or_else(|| "unknown".into(), Value::to_string)
}

/// Context data (protocol §5.5) as plain JSON.
pub fn plain(data: &Value) -> Value {
    let list = |key| data.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Value::Object(object) = data else {
        return data.clone();
    };
    let inline = |key| object.get(key).cloned().unwrap_or(Value::Null);
    match object.get("t").and_then(Value::as_i64) {
        Some(1) => list("a").iter().map(plain).collect(),
        Some(2 | 5) => Value::Object(
            list("d")
                .iter()
                .filter_map(|it| Some((it.get("k")?.as_str()?.to_owned(), plain(it.get("v")?))))
                .collect(),
        ),
        Some(3) => inline("b"),
        Some(4) => inline("n"),
        _ => inline("s"),
    }
}

#[cfg(test)]
mod tests;
