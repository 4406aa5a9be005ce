//! A field that cannot be honoured: what people read of it in conditions, and from the admission of an object.

use std::fmt;

/// A field that cannot be honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where it stands, as in `spec.runnerGroups[0].name`.
    pub path: String,
    /// The rule that it breaks.
    pub rule: String,
    /// What to do about it.
    pub remedy: String,
}

impl FieldError {
    /// Each part as it stands in a sentence: `path: rule; remedy`.
    pub fn new(path: impl Into<String>, rule: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.into(), rule: rule.into(), remedy: remedy.into() }
    }

    /// The same fault, seen from further out: in a group's template, `metadata.name` is
    /// `spec.podTemplate.metadata.name`.
    #[must_use]
    pub fn below(self, parent: &str) -> Self {
        let path = if self.path.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.path) };
        Self { path, ..self }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.rule, self.remedy)
    }
}

/// All of them, as one message.
pub fn message(errors: &[FieldError]) -> String {
    errors.iter().map(FieldError::to_string).collect::<Vec<_>>().join(". ")
}
