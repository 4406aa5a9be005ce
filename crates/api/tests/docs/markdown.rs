//! As much of Markdown as our pages use.

use std::fs;
use std::path::{Path, PathBuf};

/// A page without what stands in fenced blocks: those are commands and output.
pub struct Page {
    pub path: PathBuf,
    pub lines: Vec<String>,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub fn read(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Page { path: path.to_owned(), lines: unfenced(&text) }
}

/// The operators' pages.
pub fn operating() -> Vec<Page> {
    files(&root().join("docs/operating"), "md").iter().map(|it| read(it)).collect()
}

/// All files with that ending below the folder, but build results and hidden folders.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn unfenced(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push(line.to_owned());
        }
    }
    lines
}

impl Page {
    /// The text of each heading.
    pub fn headings(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|it| it.starts_with('#')).map(|it| it.trim_start_matches('#').trim())
    }

    /// The lines below the heading `title` of this level, up to the next of the same or a higher one.
    pub fn section(&self, level: usize, title: &str) -> Vec<&str> {
        let depth = |line: &str| line.len() - line.trim_start_matches('#').len();
        let heading = format!("{} {title}", "#".repeat(level));
        let below = self.lines.iter().skip_while(|it| **it != heading).skip(1);
        let lines: Vec<&str> =
            below.map(String::as_str).take_while(|it| depth(it) == 0 || depth(it) > level).collect();
        assert!(!lines.is_empty(), "{}: no section {heading:?}", self.path.display());
        lines
    }

    /// What stands between backticks.
    pub fn code(&self) -> Vec<&str> {
        self.lines.iter().flat_map(|it| it.split('`').skip(1).step_by(2)).collect()
    }
}

/// The word in backticks at the beginning of each row of the tables among these lines.
pub fn entries<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let word = |it: &&'a str| it.strip_prefix("| `")?.split_once('`').map(|(word, _)| word);
    lines.iter().filter_map(word).collect()
}

/// The anchor that GitHub gives a heading.
pub fn anchor(heading: &str) -> String {
    let kept = |it: char| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(|it| kept(*it)).collect::<String>().replace(' ', "-")
}
