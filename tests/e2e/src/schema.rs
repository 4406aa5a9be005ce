//! What a CustomResourceDefinition promises to hold: its CEL rules and the bounds of its fields, found by walking it.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Keywords of a schema that bound a value.
const BOUNDS: [&str; 9] = [
    "enum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
];

/// One entry of `x-kubernetes-validations`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The kind it guards.
    pub kind: String,
    /// The field it stands on, as `spec.runnerGroups[].name`; empty is the object itself.
    pub path: String,
    /// The CEL expression.
    pub rule: String,
    /// What a refusal says.
    pub message: String,
}

/// One bound of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The kind it guards.
    pub kind: String,
    /// The field; `[]` is any item of a list, `{}` any value of a map.
    pub path: String,
    /// The schema keyword, such as `maxLength`.
    pub keyword: String,
    /// What the keyword says.
    pub limit: Value,
}

/// A definition's rules and bounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Promises {
    /// Its CEL rules.
    pub rules: Vec<Rule>,
    /// Its bounds.
    pub bounds: Vec<Bound>,
}

/// Reads every definition in a folder of YAML files.
pub fn read(folder: &Path) -> Result<Promises> {
    let mut promises = Promises::default();
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let definition: Value =
            serde_yaml::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
        promises.add(&definition).with_context(|| format!("walking {}", path.display()))?;
    }
    Ok(promises)
}

impl Promises {
    /// Adds what one CustomResourceDefinition promises, in every version.
    pub fn add(&mut self, definition: &Value) -> Result<()> {
        let kind = definition["spec"]["names"]["kind"].as_str().context("a definition names its kind")?;
        let versions = definition["spec"]["versions"].as_array().context("a definition has versions")?;
        for version in versions {
            self.walk(kind, "", &version["schema"]["openAPIV3Schema"]);
        }
        Ok(())
    }

    fn walk(&mut self, kind: &str, path: &str, schema: &Value) {
        self.note_rules(kind, path, schema);
        self.note_bounds(kind, path, schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.walk(kind, &path, property);
        }
        if schema["items"].is_object() {
            self.walk(kind, &format!("{path}[]"), &schema["items"]);
        }
        if schema["additionalProperties"].is_object() {
            self.walk(kind, &format!("{path}{{}}"), &schema["additionalProperties"]);
        }
    }

    fn note_rules(&mut self, kind: &str, path: &str, schema: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
        self.rules.extend(rules.map(|it| Rule {
            kind: kind.to_owned(),
            path: path.to_owned(),
            rule: text(&it["rule"]),
            message: text(&it["message"]),
        }));
    }

    fn note_bounds(&mut self, kind: &str, path: &str, schema: &Value) {
        self.bounds.extend(BOUNDS.iter().filter(|keyword| !schema[**keyword].is_null()).map(|keyword| {
            Bound {
                kind: kind.to_owned(),
                path: path.to_owned(),
                keyword: (*keyword).to_owned(),
                limit: plain(&schema[*keyword]),
            }
        }));
    }
}

/// The number 100.0 as 100: definitions write both.
fn plain(value: &Value) -> Value {
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "bounds are small whole numbers")]
        Some(number) if number.fract() == 0.0 => Value::from(number as i64),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests;
