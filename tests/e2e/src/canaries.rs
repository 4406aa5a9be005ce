//! Looks for secrets where they must not be. A part of one is as bad as the whole, so parts are looked for.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result, ensure};

/// Nothing shorter is looked for: it might stand somewhere by chance.
const SHORTEST: usize = 16;
/// The length of a part of a long secret.
const PART: usize = 32;

/// What is looked for.
pub struct Canaries {
    /// What each part is a part of.
    names: Vec<String>,
    parts: AhoCorasick,
}

impl Canaries {
    /// Secrets by what they are called. Names that share a value are told by the first.
    pub fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let (mut names, mut parts, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (name, secret) in secrets {
            let own = parts_of(&secret);
            ensure!(!own.is_empty(), "{name} is too short to be looked for");
            for part in own.into_iter().filter(|it| seen.insert((*it).to_owned())) {
                names.push(name.clone());
                parts.push(part.to_owned());
            }
        }
        Ok(Self { names, parts: AhoCorasick::new(parts)? })
    }

    /// How many parts are looked for.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The names of the secrets that stand in a file.
    pub fn in_file(&self, path: &Path) -> Result<BTreeSet<&str>> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        self.in_stream(BufReader::new(file)).with_context(|| path.display().to_string())
    }

    fn in_stream(&self, stream: impl Read) -> Result<BTreeSet<&str>> {
        let mut found = BTreeSet::new();
        for hit in self.parts.stream_find_iter(stream) {
            found.insert(self.names[hit?.pattern().as_usize()].as_str());
        }
        Ok(found)
    }
}

/// What is looked for of a secret. Of a value of several lines, such as a key, each line is one; headers are none. A short line is looked for by its
/// halves. Of a long one four parts are: its beginning tells nothing, since tokens of one kind begin alike.
pub fn parts_of(secret: &str) -> Vec<&str> {
    let lines = secret.lines().map(str::trim);
    let lines = lines.filter(|it| it.len() >= SHORTEST && it.is_ascii() && !it.starts_with("-----"));
    lines.flat_map(|line| if line.len() < 4 * PART { halves(line) } else { quarters(line) }).collect()
}

fn halves(line: &str) -> Vec<&str> {
    let half = (line.len() / 2).max(SHORTEST);
    vec![&line[..half], &line[line.len() - half..]]
}

fn quarters(line: &str) -> Vec<&str> {
    let last = line.len() - PART;
    [line.len() / 4, line.len() / 2, line.len() * 3 / 4]
        .map(|it| it.min(last))
        .iter()
        .chain([&last])
        .map(|at| &line[*at..at + PART])
        .collect()
}

#[cfg(test)]
mod tests;
