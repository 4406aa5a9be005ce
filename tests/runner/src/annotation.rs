//! Annotations: what the page of a run shows beside its result (protocol §5.4).

use serde::Serialize;

use crate::command::Command;

/// So many of each level are kept of one step.
const LIMIT: usize = 10;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Notice,
    /// Perhaps wrong.
    Warning,
    /// Wrong.
    Failure,
}

impl Level {
    /// The level that a workflow command asks for.
    pub fn of_command(name: &str) -> Option<Level> {
        match name {
            "notice" => Some(Level::Notice),
            "warning" => Some(Level::Warning),
            "error" => Some(Level::Failure),
            _ => None,
        }
    }

    /// How the log marks such a line.
    pub fn tag(self) -> &'static str {
        match self {
            Level::Notice => "##[notice]",
            Level::Warning => "##[warning]",
            Level::Failure => "##[error]",
        }
    }
}

/// One annotation, its keys in the order of the official runner. Zeroes are left out, as there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    level: Level,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    start_line: u64,
    #[serde(skip_serializing_if = "is_zero")]
    end_line: u64,
    #[serde(skip_serializing_if = "is_zero")]
    start_column: u64,
    #[serde(skip_serializing_if = "is_zero")]
    end_column: u64,
    #[serde(skip_serializing_if = "is_zero")]
    step_number: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Annotation {
    /// A message without a place but its line in the log. `step` is 0 for the job itself.
    pub fn plain(level: Level, message: &str, log_line: u64, step: u64) -> Annotation {
        Annotation {
            level,
            message: message.to_owned(),
            title: None,
            path: None,
            start_line: log_line,
            end_line: log_line,
            start_column: 0,
            end_column: 0,
            step_number: step,
        }
    }

    /// What a workflow command asks for. Servers without enhanced annotations know no title and no end.
    pub fn of(command: &Command, level: Level, log_line: u64, step: u64, enhanced: bool) -> Annotation {
        let line = command.number("line").unwrap_or_default();
        let column = command.number("col").unwrap_or_default();
        let path = command.property("file");
        let placeless = path.is_none() && line == 0;
        let end = |key, start| command.number(key).filter(|_| enhanced).unwrap_or(start);
        Annotation {
            level,
            message: command.data.clone(),
            title: command.property("title").filter(|_| enhanced).map(str::to_owned),
            path: path.map(str::to_owned),
            start_line: if placeless { log_line } else { line },
            end_line: if placeless { log_line } else { end("endLine", line) },
            start_column: column,
            end_column: end("endColumn", column),
            step_number: step,
        }
    }

    /// Adds it to those of its step, unless there are enough of its level.
    pub fn add_to(self, list: &mut Vec<Annotation>) {
        if !self.message.trim().is_empty() && list.iter().filter(|it| it.level == self.level).count() < LIMIT
        {
            list.push(self);
        }
    }
}

#[cfg(test)]
mod tests;
