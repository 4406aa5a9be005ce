//! Whether an answer has the shape of an example's, and what is learnt from it. Marks have become notes in the text:
//! `⟨name⟩` for a text, `"⟨#name⟩"` for any other value, `⟨…⟩` for the end of what is shown.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::example::{Half, Mark};

const OPEN: char = '⟨';
const CLOSE: char = '⟩';
const MORE: &str = "⟨…⟩";

/// The name of marks of which nothing is learnt.
const NAMELESS: &str = "_";

/// What a mark becomes when nothing is known of its value.
pub fn note(mark: &Mark<'_>) -> String {
    match mark {
        Mark::Value { name, bare: true, .. } => format!("\"{OPEN}#{name}{CLOSE}\""),
        Mark::Value { name, .. } => format!("{OPEN}{name}{CLOSE}"),
        Mark::More { object, first } => {
            let comma = if *first { "" } else { "," };
            let value = if *object { ":null" } else { "" };
            format!("{comma}\"{MORE}\"{value}")
        }
    }
}

/// Whether a note stands somewhere in a text.
pub fn has_note(text: &str) -> bool {
    text.contains(OPEN)
}

/// Compares an answer with an example's; what is learnt is added to `known`.
pub fn compare(expected: &Half, found: &Half, known: &mut BTreeMap<String, String>) -> Result<(), String> {
    let mut learning = Learning { known };
    if expected.status() != found.status() {
        return Err(format!("'{}' instead of '{}': {}", found.first, expected.first, found.body));
    }
    for (name, value) in &expected.headers {
        let there = found.header(name).ok_or_else(|| format!("the header {name} is missing"))?;
        learning.text(name, value, there)?;
    }
    if expected.body.is_empty() || found.body.is_empty() {
        return match expected.body == found.body {
            true => Ok(()),
            false => Err(format!("the body is '{}' instead of '{}'", found.body, expected.body)),
        };
    }
    learning.value("body", &parse(&expected.body)?, &parse(&found.body)?)
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error} in {text}"))
}

struct Learning<'a> {
    known: &'a mut BTreeMap<String, String>,
}

impl Learning<'_> {
    /// Takes a value for a name; a second one must be the same.
    fn learn(&mut self, at: &str, name: &str, value: &str) -> Result<(), String> {
        if name == NAMELESS {
            return Ok(());
        }
        let known = self.known.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        match known == value {
            true => Ok(()),
            false => Err(format!("{at}: {name} is '{value}' here and was '{known}'")),
        }
    }

    fn value(&mut self, at: &str, expected: &Value, found: &Value) -> Result<(), String> {
        match (expected, found) {
            (Value::Object(expected), Value::Object(found)) => {
                for (key, value) in expected.iter().filter(|(key, _)| *key != MORE) {
                    let there = found.get(key).ok_or_else(|| format!("{at}.{key} is missing"))?;
                    self.value(&format!("{at}.{key}"), value, there)?;
                }
                let unknown = found.keys().find(|key| !expected.contains_key(*key));
                match unknown.filter(|_| !expected.contains_key(MORE)) {
                    Some(key) => Err(format!("{at}.{key} is not in the example")),
                    None => Ok(()),
                }
            }
            (Value::Array(expected), Value::Array(found)) => self.items(at, expected, found),
            (Value::String(expected), found) => match bare_note(expected) {
                Some(_) if found.is_array() || found.is_object() || found.is_null() || found.is_string() => {
                    Err(format!("{at} is {found}, and no plain value"))
                }
                Some(name) => self.learn(at, name, &found.to_string()),
                None => match found {
                    Value::String(found) => self.text(at, expected, found),
                    _ => Err(format!("{at} is {found} and no text")),
                },
            },
            _ if expected == found => Ok(()),
            _ => Err(format!("{at} is {found} instead of {expected}")),
        }
    }

    /// Item by item; in a list that goes on, each shown item is somewhere.
    fn items(&mut self, at: &str, expected: &[Value], found: &[Value]) -> Result<(), String> {
        match expected.split_last() {
            Some((Value::String(last), shown)) if last == MORE => {
                for (index, item) in shown.iter().enumerate() {
                    let at = format!("{at}[{index}]");
                    let mut misfits = Vec::new();
                    let fits = found.iter().any(|it| match self.value(&at, item, it) {
                        Ok(()) => true,
                        Err(misfit) => {
                            misfits.push(misfit);
                            false
                        }
                    });
                    if !fits {
                        return Err(format!("{at} is nowhere in the list: {}", misfits.join("; ")));
                    }
                }
                Ok(())
            }
            _ if expected.len() != found.len() => {
                Err(format!("{at} has {} items instead of {}", found.len(), expected.len()))
            }
            _ => expected
                .iter()
                .zip(found)
                .enumerate()
                .try_for_each(|(index, (item, it))| self.value(&format!("{at}[{index}]"), item, it)),
        }
    }

    fn text(&mut self, at: &str, expected: &str, found: &str) -> Result<(), String> {
        if let Some(name) = whole_note(expected) {
            return match found.is_empty() {
                true => Err(format!("{at} is empty")),
                false => self.learn(at, name, found),
            };
        }
        if expected.starts_with(['{', '[']) {
            return self.value(at, &parse(expected)?, &parse(found)?);
        }
        let (expected, literal) = (self.filled(expected), expected);
        match matches(&expected, found) {
            true => Ok(()),
            false => Err(format!("{at} is '{found}' instead of '{literal}'")),
        }
    }

    /// A text with the notes replaced of which something was learnt meanwhile.
    fn filled(&self, text: &str) -> String {
        let replace = |text: String, (name, value): (&String, &String)| {
            text.replace(&format!("{OPEN}{name}{CLOSE}"), value)
        };
        self.known.iter().fold(text.to_owned(), replace)
    }
}

/// The name in a text that is a note and nothing else.
fn whole_note(text: &str) -> Option<&str> {
    text.strip_prefix(OPEN)?.strip_suffix(CLOSE).filter(|name| !name.contains(OPEN))
}

fn bare_note(text: &str) -> Option<&str> {
    whole_note(text)?.strip_prefix('#')
}

/// Whether a text is the pattern with something in the place of each note.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, rest)) = pattern.split_once(OPEN) else { return pattern == text };
    let Some(text) = text.strip_prefix(before) else { return false };
    let Some((_, rest)) = rest.split_once(CLOSE) else { return false };
    let mut cuts = text.char_indices().map(|(at, _)| at).skip(1).chain([text.len()]);
    cuts.any(|at| matches(rest, &text[at..]))
}

#[cfg(test)]
mod tests;
