//! Whether a registry holds what the table says: for the tests of programs.

use std::collections::BTreeSet;

use prometheus::Registry;
use prometheus::proto::{Metric, MetricFamily, MetricType};
use signals::Series;

/// What stands in the registry and not in the table, and the other way round: name, kind, labels, buckets and help. A
/// family with labels stands in a registry only once a value was set: set one of each first.
pub fn differences(registry: &Registry, table: impl IntoIterator<Item = &'static Series>) -> Vec<String> {
    let held: BTreeSet<String> = registry.gather().iter().map(of_family).collect();
    let declared: BTreeSet<String> = table.into_iter().map(of_series).collect();
    let undeclared = held.difference(&declared).map(|it| format!("not in the table: {it}"));
    let unregistered = declared.difference(&held).map(|it| format!("not registered: {it}"));
    undeclared.chain(unregistered).collect()
}

fn of_series(series: &Series) -> String {
    let labels = series.labels.iter().map(|it| it.name);
    described(series.name, series.kind.as_str(), labels, series.buckets, series.help)
}

fn of_family(family: &MetricFamily) -> String {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    };
    let first = family.get_metric().first();
    let labels = first.map(Metric::get_label).unwrap_or_default().iter().map(|it| it.name());
    let buckets = first.map(|it| it.get_histogram().get_bucket()).unwrap_or_default();
    let bounds: Vec<f64> = buckets.iter().map(|it| it.upper_bound()).collect();
    described(family.name(), kind, labels, &bounds, family.help())
}

/// The order of labels does not matter to anybody who asks.
fn described<'a>(
    name: &str,
    kind: &str,
    labels: impl Iterator<Item = &'a str>,
    buckets: &[f64],
    help: &str,
) -> String {
    let labels: BTreeSet<&str> = labels.collect();
    format!("{kind} {name} {labels:?} {buckets:?} {help:?}")
}
