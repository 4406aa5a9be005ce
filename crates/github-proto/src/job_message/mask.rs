//! What must not be shown of a job (protocol §5.5), and how it is hidden.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex::Regex;
use zeroize::Zeroizing;

use crate::any_case::any_case;
use crate::plain::{Lenient, Plain};

/// What stands in the place of a secret: as in GitHub's own logs.
const MASK: &str = "***";

/// Shorter texts are no secrets: hiding them would hide every word that has them in it.
const SHORTEST: usize = 3;

any_case! {
    pub(super) struct Hint {
        kind: Plain = "type",
        value: Plain = "value",
    }
}

pub(super) type Hints = Vec<Lenient<Hint>>;

/// The secrets that a job message names. Clones share them; `Debug` shows their number.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secrets(Arc<Named>);

#[derive(PartialEq, Eq)]
struct Named {
    patterns: Vec<Zeroizing<String>>,
    values: Vec<Zeroizing<String>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.patterns.len() + self.0.values.len())
    }
}

impl Secrets {
    /// The hints of type `regex` count, as they do for the runner.
    pub(super) fn new(hints: Hints, values: Vec<Zeroizing<String>>) -> Self {
        let is_regex = |kind: &str| kind.eq_ignore_ascii_case("regex") || kind == "2";
        let patterns = hints
            .into_iter()
            .filter_map(|hint| hint.0)
            .filter(|hint| hint.kind.clone().and_then(Plain::text).is_some_and(|kind| is_regex(&kind)))
            .filter_map(|hint| hint.value?.text())
            .map(Zeroizing::new)
            .collect();
        Self(Arc::new(Named { patterns, values }))
    }

    pub(super) fn masks(&self, token: &str) -> Masks {
        let mut masks = Masks::default();
        masks.hide(token);
        self.0.values.iter().for_each(|value| masks.hide(value));
        self.0.patterns.iter().for_each(|pattern| masks.hide_matches(pattern));
        masks
    }
}

/// Hides the secrets of one job in texts that people will read.
#[derive(Clone, Default)]
pub struct Masks {
    literals: Vec<Zeroizing<String>>,
    patterns: Vec<Regex>,
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masks({})", self.literals.len() + self.patterns.len())
    }
}

impl Masks {
    /// The text with `***` in the place of each secret. Secrets that overlap or touch become one.
    pub fn apply(&self, text: &str) -> String {
        let mut secret: Vec<Range<usize>> = self.literals.iter().flat_map(|it| places(text, it)).collect();
        let matches = self.patterns.iter().flat_map(|pattern| pattern.find_iter(text));
        secret.extend(matches.map(|it| it.range()).filter(|it| !it.is_empty()));
        secret.sort_unstable_by_key(|it| it.start);

        let mut masked = String::with_capacity(text.len());
        let mut shown = None; // up to where the text is dealt with, once something is hidden
        for Range { start, end } in secret {
            if shown.is_none_or(|shown| start > shown) {
                masked.push_str(&text[shown.unwrap_or(0)..start]);
                masked.push_str(MASK);
            }
            shown = shown.max(Some(end));
        }
        masked.push_str(&text[shown.unwrap_or(0)..]);
        masked
    }

    /// A value, without the white space around it; and each of its lines, as programs print them one by one.
    fn hide(&mut self, value: &str) {
        for part in [value.trim()].into_iter().chain(value.lines().map(str::trim)) {
            if part.chars().count() >= SHORTEST && !self.literals.iter().any(|it| it.as_str() == part) {
                self.literals.push(Zeroizing::new(part.to_owned()));
            }
        }
    }

    /// Almost always the pattern is a text with its special characters escaped. One that only another
    /// dialect of regular expressions knows is taken for such a text.
    fn hide_matches(&mut self, pattern: &str) {
        let (text, special) = unescape(pattern);
        let regex = Regex::new(pattern).ok().filter(|_| special && pattern.chars().count() >= SHORTEST);
        match regex {
            Some(regex) => self.patterns.push(regex),
            None => self.hide(&text),
        }
    }
}

/// Where a text stands in another, overlapping places too.
fn places(text: &str, part: &str) -> Vec<Range<usize>> {
    let step = part.chars().next().map_or(1, char::len_utf8);
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(part)) {
        places.push(from + at..from + at + part.len());
        from += at + step;
    }
    places
}

/// The text that a pattern was made of, and whether it is more than an escaped text.
fn unescape(pattern: &str) -> (Zeroizing<String>, bool) {
    let mut text = Zeroizing::new(String::with_capacity(pattern.len()));
    let mut special = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next() } else { None };
        text.push(match escaped {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(other) => {
                special |= other.is_alphanumeric();
                other
            }
            None => {
                special |= "\\.^$*+?()[{|".contains(character);
                character
            }
        });
    }
    (text, special)
}

#[cfg(test)]
mod tests;
