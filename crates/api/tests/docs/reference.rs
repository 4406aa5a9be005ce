//! Writes the reference pages of metrics, Events and conditions from their tables.

use std::collections::BTreeSet;
use std::fs;

use api::conditions::table::{Row, TABLE};
use api::conditions::{Reason, Type};
use api::{Kind, events};
use signals::{Label, PROGRAMS, Series, Table};
use strum::IntoEnumIterator as _;

use crate::markdown::root;

/// The pages are written from the tables: a change shows in their diff.
#[test]
fn the_reference_pages_are_current() {
    let pages = [("metrics", metrics()), ("events", events()), ("conditions", conditions())];
    let folder = root().join("docs/reference");
    let path = |name: &str| folder.join(format!("{name}.md"));
    let stale: Vec<&str> = pages
        .iter()
        .filter(|(name, page)| fs::read_to_string(path(name)).ok().as_ref() != Some(page))
        .inspect(|(name, page)| fs::write(path(name), page).unwrap())
        .map(|(name, _)| *name)
        .collect();
    assert!(stale.is_empty(), "rewrote stale pages in docs/reference, commit them: {stale:?}");
}

fn metrics() -> String {
    let mut page = "<!-- Written by a test of crates/api from the table in crates/signals. -->\n\n# Metrics\n\n\
        What each program serves on `/metrics`, port 8080. Names, labels and buckets are a contract with dashboards and alerts.\n\
        Which question each answers is in [Troubleshooting](../operating/troubleshooting.md#metrics-and-logs). A worker serves\n\
        none: what it has to say stands in its [termination report](../worker.md#termination-report).\n"
        .to_owned();
    for (table, programs) in tables() {
        page += &format!("\n## {}\n\n", programs.join(", "));
        page += "| Metric | Kind | Labels | Says |\n|---|---|---|---|\n";
        page.extend(table.iter().map(|it| family(it)));
        page += &labels(table);
    }
    page
}

/// The tables, each with the programs that register it; what is of one program comes first.
fn tables() -> Vec<(Table, Vec<&'static str>)> {
    let mut tables: Vec<(Table, Vec<&str>)> = Vec::new();
    for program in PROGRAMS {
        for table in program.tables {
            match tables.iter_mut().find(|(it, _)| it == table) {
                Some((_, programs)) => programs.push(program.name),
                None => tables.push((table, vec![program.name])),
            }
        }
    }
    tables.sort_by_key(|(_, programs)| programs.len());
    tables
}

fn family(series: &Series) -> String {
    let Series { name, help, kind, labels, buckets } = series;
    let labels: Vec<String> = labels.iter().map(|it| format!("`{}`", it.name)).collect();
    let bounds: Vec<String> = buckets.iter().map(f64::to_string).collect();
    let bounds = if bounds.is_empty() { String::new() } else { format!(": {}", bounds.join(", ")) };
    format!("| `{name}` | {}{bounds} | {} | {} |\n", kind.as_str(), labels.join(", "), escaped(help))
}

fn labels(table: Table) -> String {
    let mut rows: Vec<(&Label, Vec<&str>)> = Vec::new();
    for series in table {
        for label in series.labels {
            match rows.iter_mut().find(|(it, _)| *it == label) {
                Some((_, names)) => names.push(series.name),
                None => rows.push((label, vec![series.name])),
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let row = |(label, names): (&Label, Vec<&str>)| {
        let values: Vec<String> = label.values.iter().map(|it| format!("`{it}`")).collect();
        // What any may have is told apart by nothing.
        let names =
            if label.values.is_empty() { String::new() } else { format!(" of `{}`", names.join("`, `")) };
        format!("| `{}`{names} | {} | {} |\n", label.name, escaped(label.meaning), values.join(", "))
    };
    "\n| Label | Says | Values |\n|---|---|---|\n".to_owned() + &rows.into_iter().map(row).collect::<String>()
}

fn events() -> String {
    let rows: String = events::Reason::iter()
        .map(|it| {
            let (severity, action) = (it.severity().as_str(), it.action().as_str());
            let (reason, kind) = (it.as_str(), it.kind().as_str());
            format!("| `{reason}` | {kind} | {severity} | `{action}` | {} |\n", escaped(it.meaning()))
        })
        .collect();
    format!(
        "<!-- Written by a test of crates/api from its enum of Event reasons. -->\n\n# Events\n\n\
        The reasons of all Events that the programs publish (core `v1`, with `eventTime` and `series` as well). Repeats are folded into one with a count. Events\n\
        are a courtesy: [conditions](conditions.md) and RunnerJobs are the record.\n\n\
        | Reason | On | Type | Action | When, and what the note says |\n|---|---|---|---|---|\n{rows}"
    )
}

fn conditions() -> String {
    let mut page =
        "<!-- Written by a test of crates/api from its table of conditions. -->\n\n# Conditions\n\n\
        An absent condition means unknown, not healthy. What to do about each reason is in\n\
        [Troubleshooting](../operating/troubleshooting.md#by-condition-reason).\n"
            .to_owned();
    for type_ in Type::iter() {
        page += &format!("\n## `{}`\n\nTrue says: {}\n", type_.as_str(), type_.meaning());
        page.extend(TABLE.iter().filter(|it| it.type_ == type_).map(of_kind));
    }
    page
}

fn of_kind(row: &Row) -> String {
    let line = |status: &str, reason: &Reason| {
        format!("| {status} | `{}` | {} |\n", reason.as_str(), escaped(reason.meaning()))
    };
    let mut page = format!("\nOn {}, cleared by {}:\n\n", row.kind.as_str(), row.cleared_by);
    page += "| Status | Reason | Says |\n|---|---|---|\n";
    page.extend(row.when_true.iter().map(|it| line("True", it)));
    if row.when_true.is_empty() {
        page += "| True | `Succeeded`, `Failed`, `Cancelled`, `Skipped`, `Duplicate`, or a [failure reason](failure-reasons.md) in \
            PascalCase | The job's result, or why it failed otherwise than by its own doing. |\n";
    }
    page.extend(row.when_false.iter().map(|it| line("False", it)));
    page.extend(row.when_unknown.iter().map(|it| line("Unknown", it)));
    page
}

/// For a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('<', "\\<").replace('|', "\\|").trim().replace('\n', " ")
}

#[test]
fn a_kind_of_a_condition_or_an_event_is_one_of_ours() {
    use kube_core::CustomResourceExt as _;
    let crds = [api::ActionsGateway::crd(), api::RunnerGroup::crd(), api::RunnerJob::crd()];
    let kinds: BTreeSet<String> = crds.map(|it| it.spec.names.kind).into();
    assert_eq!(kinds, Kind::iter().map(|it| it.as_str().to_owned()).collect());
}
