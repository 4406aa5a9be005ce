//! Template tokens (protocol §5.7): how a job message writes scripts, environments and flags.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::refusal::Refusal;

/// The named contexts that an expression may look into. Keys are compared without regard to case.
#[derive(Debug, Default, Clone)]
pub struct Contexts(BTreeMap<String, Value>);

/// Contexts that a job may name, whether or not the message brings them.
const KNOWN: [&str; 9] =
    ["github", "secrets", "vars", "env", "steps", "needs", "matrix", "strategy", "inputs"];

impl Contexts {
    /// Sets a context.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_ascii_lowercase(), value);
    }

    /// The value at a path, if there is one.
    pub fn value(&self, path: &str) -> Option<&Value> {
        let (root, rest) = path.split_once('.').unwrap_or((path, ""));
        let root = self.0.get(&root.to_ascii_lowercase());
        rest.split('.').filter(|key| !key.is_empty()).fold(root, |value, key| entry(value?, key))
    }

    /// The value of an expression. We know paths (`steps.build.outputs.digest`), and the calls of `format` that text
    /// with expressions in it becomes.
    pub fn evaluate(&self, expression: &str) -> Result<String, Refusal> {
        let expression = expression.trim();
        match expression.strip_prefix("format('").and_then(|it| it.strip_suffix(')')) {
            Some(arguments) => self.format(arguments).ok_or_else(|| unknown(expression))?,
            None => self.path(expression),
        }
    }

    fn path(&self, path: &str) -> Result<String, Refusal> {
        let is_path = path.split('.').all(|key| {
            !key.is_empty() && key.chars().all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-')
        });
        let (root, _) = path.split_once('.').unwrap_or((path, ""));
        if !is_path || !KNOWN.contains(&root.to_ascii_lowercase().as_str()) {
            return Err(unknown(path));
        }
        match self.value(path) {
            None => Ok(String::new()), // as GitHub does
            Some(value) => scalar(value).ok_or_else(|| unknown(path)),
        }
    }

    /// `pattern', path, path`: `''` is a quote, `{{` a brace and `{0}` the first path. `None` for another syntax.
    fn format(&self, arguments: &str) -> Option<Result<String, Refusal>> {
        let (pattern, paths) = pattern(arguments)?;
        let values: Result<Vec<String>, Refusal> =
            paths.split(',').map(str::trim).filter(|it| !it.is_empty()).map(|it| self.path(it)).collect();
        match values {
            Ok(values) => fill(&pattern, &values).map(Ok),
            Err(refusal) => Some(Err(refusal)),
        }
    }
}

fn unknown(expression: &str) -> Refusal {
    Refusal(format!("the expression `{expression}` is not supported"))
}

/// A string literal up to its closing quote, and what follows the comma behind it.
fn pattern(text: &str) -> Option<(String, &str)> {
    let mut from = 0;
    loop {
        let quote = from + text[from..].find('\'')?;
        let rest = &text[quote + 1..];
        if rest.starts_with('\'') {
            from = quote + 2; // a quote inside
            continue;
        }
        let paths = rest.trim_start();
        let paths = if paths.is_empty() { paths } else { paths.strip_prefix(',')? };
        return Some((text[..quote].replace("''", "'"), paths));
    }
}

fn fill(pattern: &str, values: &[String]) -> Option<String> {
    let mut filled = String::new();
    let mut rest = pattern;
    while let Some(brace) = rest.find(['{', '}']) {
        filled.push_str(&rest[..brace]);
        let at = &rest[brace..];
        if at.starts_with("{{") || at.starts_with("}}") {
            filled.push_str(&at[..1]);
            rest = &at[2..];
        } else {
            let (index, after) = at.strip_prefix('{')?.split_once('}')?;
            filled.push_str(values.get(index.parse::<usize>().ok()?)?);
            rest = after;
        }
    }
    filled.push_str(rest);
    Some(filled)
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

/// Whether a token holds anything.
pub fn is_set(token: &Value) -> bool {
    let empty = |key| token.get(key).and_then(Value::as_array).is_none_or(Vec::is_empty);
    match token.get("type").and_then(Value::as_i64) {
        Some(7) => false,
        Some(2) => !empty("map"),
        _ => !token.is_null(),
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
