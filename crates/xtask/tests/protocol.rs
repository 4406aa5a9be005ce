//! Holds `docs/reference/protocol.md` to what refers to it and to what it refers to: sections that code cites, levers of the fake
//! GitHub, metrics.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn page() -> String {
    read("docs/reference/protocol.md")
}

#[test]
fn every_section_that_is_cited_has_a_heading() {
    let page = page();
    let headings: BTreeSet<&str> = page.lines().filter_map(number_of_heading).collect();
    let files = ["crates", "tests", "docs", "examples", "charts"].map(|it| files(&root().join(it)));
    let mut cited = 0;
    let mut missing = Vec::new();
    for file in files.iter().flatten() {
        // What is no text cites nothing.
        let Ok(text) = fs::read_to_string(file) else { continue };
        for section in citations(&prose(&text)) {
            cited += 1;
            if !headings.contains(section.as_str()) {
                missing.push(format!("{}: §{section}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "docs/reference/protocol.md has no such section:\n{}", missing.join("\n"));
    assert!(cited > 100, "only {cited} citations were found: their reader is broken");
}

#[test]
fn citations_are_found_in_lists_and_across_lines() {
    let text = "/// As the protocol\n/// §2.5 says (Protocol §3, §4.10 and §5.2.\n// It is protocol §6 to §6.3, and §7 is none.";
    assert_eq!(citations(&prose(text)), ["2.5", "3", "4.10", "5.2", "6", "6.3"]);
}

#[test]
fn every_lever_that_the_page_names_is_a_lever_of_the_fake() {
    let page = page();
    let named: BTreeSet<&str> = levers_in_tables(&page).into_iter().chain(levers_in_text(&page)).collect();
    assert!(named.len() > 30, "only {named:?} were found: the reader of the page is broken");
    let fake = read("docs/fake-github.md");
    let known = levers_of_the_fake(&fake);
    let unknown: Vec<&&str> = named.iter().filter(|it| !known.contains(**it)).collect();
    assert!(unknown.is_empty(), "docs/fake-github.md has no such lever: {unknown:?}");
}

#[test]
fn every_metric_that_the_page_names_is_in_the_table() {
    let text = prose(&page());
    let metrics: BTreeSet<&str> = code(&text).filter(|it| it.starts_with("actions_gateway_")).collect();
    assert!(metrics.len() > 10, "only {metrics:?} were found: the reader of the page is broken");
    for metric in metrics {
        assert!(signals::find(metric).is_some(), "no program has a metric {metric}");
    }
}

/// `5.4` of `### 5.4 Complete`.
fn number_of_heading(line: &str) -> Option<&str> {
    let title = line.strip_prefix("## ").or_else(|| line.strip_prefix("### "))?;
    let number = title.split(' ').next()?;
    number.starts_with(|it: char| it.is_ascii_digit()).then_some(number)
}

/// The text in one line, without the marks of comments that a citation may be broken by.
fn prose(text: &str) -> String {
    let bare = |line: &str| line.trim().trim_start_matches(['/', '!', '#', '*']).trim().to_owned();
    text.lines().map(bare).collect::<Vec<String>>().join(" ")
}

/// The sections after each `protocol §`, and those that a list goes on with.
fn citations(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for mut rest in text.split("rotocol §").skip(1) {
        while let Some(number) = section(rest) {
            rest = &rest[number.len()..];
            all.push(number.to_owned());
            let next = [", §", " and §", " to §"].iter().find_map(|it| rest.strip_prefix(it));
            rest = next.unwrap_or_default();
        }
    }
    all
}

/// `5.4` of `5.4.`, at the beginning of the text.
fn section(text: &str) -> Option<&str> {
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let number = text[..end].trim_end_matches('.');
    (!number.is_empty()).then_some(number)
}

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What stands between backticks in the columns that are called `Lever`.
fn levers_in_tables(page: &str) -> Vec<&str> {
    let mut column = None;
    let mut levers = Vec::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split(" | ").map(|it| it.trim_matches(['|', ' '])).collect();
        match column {
            _ if !line.starts_with('|') => column = None,
            None => column = Some(cells.iter().position(|it| *it == "Lever")),
            Some(at) => levers.extend(at.and_then(|at| cells.get(at)).into_iter().flat_map(|it| code(it))),
        }
    }
    levers
}

/// Words with hyphens are levers wherever they stand: the page writes headers otherwise.
fn levers_in_text(page: &str) -> impl Iterator<Item = &str> {
    let is_name = |it: &str| it.contains('-') && it.chars().all(|it| it.is_ascii_lowercase() || it == '-');
    page.lines().flat_map(code).filter(move |it| is_name(it))
}

/// The first cells of the tables below `### Levers`.
fn levers_of_the_fake(page: &str) -> BTreeSet<&str> {
    let (_, section) = page.split_once("\n### Levers\n").unwrap();
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let cell = |line: &'_ str| line.strip_prefix("| ")?.split(" |").next().map(str::len);
    let rows = section.lines().filter_map(|line| Some(&line[2..2 + cell(line)?]));
    rows.flat_map(code).collect()
}

/// All files below the folder, but build results and hidden ones.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            _ if name.starts_with('.') || name == "target" => {}
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}
