//! Secrets in logs become `***`.

use std::sync::Arc;

use regex::Regex;

const MASK: &str = "***";

/// The patterns of one job.
#[derive(Clone, Default)]
pub struct Masks(Arc<[Regex]>);

impl Masks {
    /// From regular expressions, and from values to take literally. What is no valid expression is taken literally too:
    /// a secret is never left unmasked for its spelling. Longer ones go first, so that a part never spoils a whole.
    pub fn new(expressions: &[String], values: &[String]) -> Masks {
        let lines = values.iter().flat_map(|it| it.lines()).map(str::trim).filter(|it| !it.is_empty());
        let mut patterns: Vec<String> = lines.map(regex::escape).collect();
        patterns.extend(expressions.iter().filter(|it| !it.trim().is_empty()).cloned());
        patterns.sort_by_key(|it| std::cmp::Reverse(it.len()));
        patterns.dedup();
        let compile = |it: &String| Regex::new(it).or_else(|_| Regex::new(&regex::escape(it))).ok();
        Masks(patterns.iter().filter_map(compile).filter(|it| !it.is_match("")).collect())
    }

    /// Masks one more value: whole, and each of its lines.
    pub fn add(&mut self, value: &str) {
        let added = Masks::new(&[], &[value.to_owned()]);
        self.0 = added.0.iter().chain(self.0.iter()).cloned().collect();
    }

    /// The line without its secrets.
    pub fn apply(&self, line: &str) -> String {
        self.0.iter().fold(line.to_owned(), |line, it| it.replace_all(&line, MASK).into_owned())
    }
}

#[cfg(test)]
mod tests;
