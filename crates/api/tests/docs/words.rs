//! Conditions, reasons, fields, metrics and Events that the operators' pages name exist; conditions, reasons and Events
//! that exist are named.

use std::collections::BTreeSet;

use api::conditions::{Reason, Type};
use api::{ActionsGateway, RunnerGroup, RunnerJob, events};
use kube_core::CustomResourceExt as _;
use serde_json::Value;
use strum::IntoEnumIterator as _;

use crate::markdown::{Page, entries, operating, read, root};

fn troubleshooting() -> Page {
    read(&root().join("docs/operating/troubleshooting.md"))
}

#[test]
fn every_condition_has_its_section_and_every_section_its_condition() {
    let page = troubleshooting();
    let lines = page.section(2, "By condition reason");
    let titles: BTreeSet<&str> =
        lines.iter().filter_map(|it| it.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert_eq!(titles, Type::iter().map(Type::as_str).collect());
}

#[test]
fn every_reason_of_a_condition_has_an_entry_and_every_entry_is_a_reason() {
    let page = troubleshooting();
    let lines = page.section(2, "By condition reason");
    let named: BTreeSet<&str> = entries(&lines).into_iter().collect();
    assert_eq!(named, Reason::iter().map(Reason::as_str).collect());
}

#[test]
fn every_field_that_the_pages_name_is_in_a_schema() {
    let schemas = [ActionsGateway::crd(), RunnerGroup::crd(), RunnerJob::crd()];
    let schemas = schemas.map(|it| {
        let version = it.spec.versions.into_iter().next().unwrap();
        serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap()
    });
    let pages = operating();
    let fields: BTreeSet<&str> = pages.iter().flat_map(Page::code).filter(|it| is_field(it)).collect();
    assert!(fields.len() > 15, "only {fields:?} were found: the reader of pages is broken");
    for field in fields {
        let known = schemas.iter().any(|schema| has(schema, field));
        assert!(known, "{field} is named in docs/operating and is a field of none of our kinds");
    }
}

fn is_field(code: &str) -> bool {
    let ours = ["spec.", "status."].iter().any(|it| code.starts_with(it));
    ours && code.chars().all(|it| it.is_ascii_alphanumeric() || it == '.')
}

fn has(schema: &Value, field: &str) -> bool {
    let into = |schema: &Value, name: &str| schema.get("properties")?.get(name).cloned();
    field.split('.').try_fold(schema.clone(), |schema, name| into(&schema, name)).is_some()
}

#[test]
fn every_metric_that_the_pages_name_is_in_the_table() {
    let pages = operating();
    let text: String = pages.iter().flat_map(|it| &it.lines).fold(String::new(), |all, it| all + it + "\n");
    let metrics: BTreeSet<&str> = words(&text).filter(|it| it.starts_with("actions_gateway_")).collect();
    assert!(metrics.len() > 10, "only {metrics:?} were found: the reader of pages is broken");
    for metric in metrics {
        assert!(signals::find(metric).is_some(), "no program has a metric {metric}");
    }
}

#[test]
fn every_event_has_an_entry_and_every_entry_is_an_event() {
    let page = troubleshooting();
    let named: BTreeSet<&str> = entries(&page.section(2, "By Event")).into_iter().collect();
    assert_eq!(named, events::Reason::iter().map(events::Reason::as_str).collect());
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !it.is_ascii_lowercase() && it != '_')
}
