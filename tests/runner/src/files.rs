//! The files by which a step speaks to its job: `GITHUB_ENV` and `GITHUB_OUTPUT`.

use crate::refusal::Refusal;

/// The pairs of such a file: `NAME=value`, or `NAME<<END`, lines, `END`.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let equals = line.find('=').unwrap_or(usize::MAX);
        let pair = match (line.split_once("<<"), line.split_once('=')) {
            (Some((name, end)), _) if name.len() < equals => {
                let value: Vec<&str> = lines.by_ref().take_while(|it| *it != end).collect();
                (name, value.join("\n"))
            }
            (_, Some((name, value))) => (name, value.to_owned()),
            (_, None) => return Err(Refusal(format!("the line `{line}` of an environment file is no pair"))),
        };
        pairs.push((pair.0.to_owned(), pair.1));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests;
