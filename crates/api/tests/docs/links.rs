//! Every relative link leads to a file of the repository, and to a heading in it.

use std::path::Path;

use crate::markdown::{Page, anchor, files, read, root};

#[test]
fn every_link_between_pages_leads_somewhere() {
    let pages: Vec<Page> = files(&root(), "md").iter().map(|it| read(it)).collect();
    let broken: Vec<String> = pages.iter().flat_map(broken_links).collect();
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    let links = pages.iter().map(|it| targets(it).len()).sum::<usize>();
    assert!(links > 50, "only {links} links were found: the reader of pages is broken");
}

#[test]
fn a_reader_reaches_every_page_from_the_index() {
    let index = read(&root().join("docs/README.md"));
    let targets = targets(&index);
    for page in files(&root().join("docs"), "md") {
        let path = page.strip_prefix(root().join("docs")).unwrap().to_string_lossy().into_owned();
        // Decisions are listed by their folder.
        if path != "README.md" && !path.starts_with("decisions/") {
            assert!(targets.contains(&path.as_str()), "docs/README.md does not name {path}");
        }
    }
}

fn broken_links(page: &Page) -> Vec<String> {
    let say = |target: &str| format!("{}: {target}", page.path.display());
    targets(page).into_iter().filter(|it| !leads_somewhere(page, it)).map(say).collect()
}

fn leads_somewhere(page: &Page, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true; // not ours to ask
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { page.path.clone() } else { folder(&page.path).join(path) };
    let has = |fragment: &str| read(&file).headings().any(|it| anchor(it) == fragment);
    file.exists() && (fragment.is_empty() || has(fragment))
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap()
}

/// What stands in the brackets of each link; code spans hold none.
fn targets(page: &Page) -> Vec<&str> {
    let prose = |line: &'_ str| -> Vec<(usize, usize)> {
        let ends = line.match_indices("](").map(|(at, _)| at + 2);
        ends.filter_map(|from| Some((from, from + line[from..].find(')')?))).collect()
    };
    page.lines
        .iter()
        .flat_map(|line| prose(line).into_iter().map(move |(from, to)| &line[from..to]))
        .collect()
}
