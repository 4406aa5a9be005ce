//! The files by which a step speaks to its job: `GITHUB_ENV`, `GITHUB_OUTPUT`, `GITHUB_PATH`, `GITHUB_STEP_SUMMARY`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What is wrong with a file of pairs, in the words of the official worker.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A line that is no pair.
    #[error("Invalid format '{0}'")]
    Format(String),
    /// A value that does not end.
    #[error("Invalid value. Matching delimiter not found '{0}'")]
    Delimiter(String),
}

/// The variables that name the files, and how the files' names begin.
const FILES: [(&str, &str); 5] = [
    ("GITHUB_ENV", "set_env_"),
    ("GITHUB_OUTPUT", "set_output_"),
    ("GITHUB_PATH", "add_path_"),
    ("GITHUB_STATE", "save_state_"),
    ("GITHUB_STEP_SUMMARY", "step_summary_"),
];

/// The files of one step.
pub struct Files(BTreeMap<&'static str, PathBuf>);

impl Files {
    /// Makes them, empty.
    pub fn create(folder: &Path, unique: &str) -> io::Result<Files> {
        let mut files = BTreeMap::new();
        for (variable, prefix) in FILES {
            let file = folder.join(format!("{prefix}{unique}"));
            fs::write(&file, "")?;
            files.insert(variable, file);
        }
        Ok(Files(files))
    }

    /// The variables that name them.
    pub fn environment(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|(name, file)| ((*name).to_owned(), file.display().to_string()))
    }

    /// What the step wrote to one; nothing if it took the file away.
    pub fn text(&self, variable: &str) -> String {
        let content = self.0.get(variable).and_then(|it| fs::read(it).ok()).unwrap_or_default();
        String::from_utf8_lossy(&content).into_owned()
    }
}

/// The pairs of such a file: `NAME=value`, or `NAME<<END`, lines, `END`.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let equals = line.find('=').unwrap_or(usize::MAX);
        let pair = match (line.split_once("<<"), line.split_once('=')) {
            (Some((name, end)), _) if name.len() < equals => (name, value_until(&mut lines, end)?),
            (_, Some((name, value))) => (name, value.to_owned()),
            (_, None) => return Err(Error::Format(line.to_owned())),
        };
        pairs.push((pair.0.to_owned(), pair.1));
    }
    Ok(pairs)
}

fn value_until<'a>(lines: &mut impl Iterator<Item = &'a str>, end: &str) -> Result<String, Error> {
    let mut value = Vec::new();
    for line in lines {
        if line == end {
            return Ok(value.join("\n"));
        }
        value.push(line);
    }
    Err(Error::Delimiter(end.to_owned()))
}

#[cfg(test)]
mod tests;
