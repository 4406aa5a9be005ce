//! When a step runs: the status functions, and what `!`, `&&`, `||` and parentheses make of them.

use crate::refusal::Refusal;
use crate::step::Conclusion;

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing has failed and nobody has cancelled.
    Success,
    /// Whatever happened, or never.
    Constant(bool),
    /// Something has failed.
    Failure,
    /// Somebody has cancelled.
    Cancelled,
    /// The opposite.
    Not(Box<Condition>),
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// Either.
    Or(Box<Condition>, Box<Condition>),
}

/// What stands for what.
const WORDS: [(&str, Condition); 6] = [
    ("success()", Condition::Success),
    ("always()", Condition::Constant(true)),
    ("failure()", Condition::Failure),
    ("cancelled()", Condition::Cancelled),
    ("true", Condition::Constant(true)),
    ("false", Condition::Constant(false)),
];

/// Deeper than any person writes.
const DEPTH: usize = 50;

impl Condition {
    /// Reads one; an empty one is `success()`.
    pub fn parse(text: &str) -> Result<Condition, Refusal> {
        if text.trim().is_empty() {
            return Ok(Condition::Success);
        }
        match either(text, DEPTH) {
            Some((condition, "")) => Ok(condition),
            _ => Err(Refusal(format!("the condition `{}` is not supported", text.trim()))),
        }
    }

    /// Whether it holds, given how the job stands.
    pub fn holds(&self, so_far: Conclusion) -> bool {
        match self {
            Condition::Constant(value) => *value,
            Condition::Success => so_far == Conclusion::Succeeded,
            Condition::Failure => so_far == Conclusion::Failed,
            Condition::Cancelled => so_far == Conclusion::Canceled,
            Condition::Not(it) => !it.holds(so_far),
            Condition::And(left, right) => left.holds(so_far) && right.holds(so_far),
            Condition::Or(left, right) => left.holds(so_far) || right.holds(so_far),
        }
    }
}

/// What is read of a text, and the rest of it; `None` for anything else.
type Read<'a> = Option<(Condition, &'a str)>;

fn either(text: &str, depth: usize) -> Read<'_> {
    let (mut left, mut rest) = both(text, depth)?;
    while let Some(after) = rest.strip_prefix("||") {
        let right;
        (right, rest) = both(after, depth)?;
        left = Condition::Or(left.into(), right.into());
    }
    Some((left, rest))
}

fn both(text: &str, depth: usize) -> Read<'_> {
    let (mut left, mut rest) = one(text, depth)?;
    while let Some(after) = rest.strip_prefix("&&") {
        let right;
        (right, rest) = one(after, depth)?;
        left = Condition::And(left.into(), right.into());
    }
    Some((left, rest))
}

fn one(text: &str, depth: usize) -> Read<'_> {
    let (text, depth) = (text.trim_start(), depth.checked_sub(1)?);
    if let Some(after) = text.strip_prefix('!') {
        let (condition, rest) = one(after, depth)?;
        return Some((Condition::Not(condition.into()), rest));
    }
    if let Some(after) = text.strip_prefix('(') {
        let (condition, rest) = either(after, depth)?;
        return Some((condition, rest.strip_prefix(')')?.trim_start()));
    }
    let (word, condition) = WORDS.iter().find(|(word, _)| starts_with(text, word))?;
    Some((condition.clone(), text[word.len()..].trim_start()))
}

/// Functions have no case.
fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
