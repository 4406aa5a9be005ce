//! Which program runs a script, and how it is called.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The shells that need no template, and how each is called.
const BUILT_IN: [(&str, &str); 4] = [
    ("bash", "--noprofile --norc -e -o pipefail {0}"),
    ("sh", "-e {0}"),
    ("python", "{0}"),
    ("pwsh", "-command \". '{0}'\""),
];

/// What stands for the script in a template.
const SCRIPT: &str = "{0}";

/// Why a step has no shell.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such program.
    #[error("{0}: command not found")]
    NotFound(String),
    /// Neither known nor a template.
    #[error(
        "Invalid shell option. Shell must be a valid built-in (bash, sh, cmd, powershell, pwsh) or a format string \
         containing '{{0}}'"
    )]
    Invalid,
}

/// A shell for a step.
#[derive(Debug, PartialEq, Eq)]
pub struct Shell {
    /// What the result calls it.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    format: String,
}

impl Shell {
    /// The shell that a step asks for, looked for along this `PATH`. Without a wish: `bash`, else `sh`, both as `-e`.
    pub fn find(wish: &str, path: &str) -> Result<Shell, Error> {
        let (name, arguments) = wish.trim().split_once(' ').unwrap_or((wish.trim(), ""));
        if name.is_empty() {
            let program = which("bash", path).or_else(|| which("sh", path));
            let program = program.ok_or_else(|| Error::NotFound("sh".into()))?;
            return Ok(Shell {
                name: "sh".into(),
                program,
                format: built_in("sh").unwrap_or_default().into(),
            });
        }
        let format = match arguments.trim() {
            "" => built_in(name).ok_or(Error::Invalid)?,
            template if template.contains(SCRIPT) => template,
            _ => return Err(Error::Invalid),
        };
        let found =
            which(name, path).or_else(|| if name == "python" { which("python3", path) } else { None });
        let program = found.ok_or_else(|| Error::NotFound(name.into()))?;
        Ok(Shell { name: name.into(), program, format: format.into() })
    }

    /// How the log shows it.
    pub fn shown(&self) -> String {
        format!("{} {}", self.program.display(), self.format)
    }

    /// The arguments for a script.
    pub fn arguments(&self, script: &Path) -> Vec<String> {
        split(&self.format.replace(SCRIPT, &script.display().to_string()))
    }

    /// What the name of a script ends with.
    pub fn extension(&self) -> &'static str {
        match self.name.as_str() {
            "bash" | "sh" => ".sh",
            "python" => ".py",
            "pwsh" => ".ps1",
            _ => "",
        }
    }
}

fn built_in(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
}

/// A program along `PATH`, or at its own path.
fn which(name: &str, path: &str) -> Option<PathBuf> {
    let candidates: Vec<PathBuf> = match name.contains('/') {
        true => vec![name.into()],
        false => std::env::split_paths(path).map(|it| it.join(name)).collect(),
    };
    candidates.into_iter().find(|it| it.is_file() && access(it, Access::EXEC_OK).is_ok())
}

/// Arguments are words; quotes hold a word together.
fn split(arguments: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for character in arguments.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests;
