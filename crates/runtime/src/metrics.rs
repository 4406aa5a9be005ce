//! The registry of a process, and constructors of series that register what they make.

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, core::Collector, process_collector::ProcessCollector,
};

/// A registry that holds the `process_*` series and `actions_gateway_build_info{component,version}`.
///
/// # Errors
/// None in practice: the names are valid and registered once.
pub fn registry(component: &str) -> prometheus::Result<Registry> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let info = int_gauge_vec(
        &registry,
        "actions_gateway_build_info",
        "Always 1; the labels say what is running.",
        &["component", "version"],
    )?;
    info.with_label_values(&[component, crate::version::VERSION]).set(1);
    Ok(registry)
}

/// What `/metrics` answers.
///
/// # Errors
/// A series with inconsistent labels, which the constructors below cannot make.
pub fn render(registry: &Registry) -> prometheus::Result<String> {
    prometheus::TextEncoder::new().encode_to_string(&registry.gather())
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, series: C) -> prometheus::Result<C> {
    registry.register(Box::new(series.clone()))?;
    Ok(series)
}

/// A counter without labels.
///
/// # Errors
/// The name is invalid or taken; so for all that follow.
pub fn int_counter(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntCounter> {
    registered(registry, IntCounter::new(name, help)?)
}

/// A counter with labels.
///
/// # Errors
/// As [`int_counter`].
pub fn int_counter_vec(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

/// A gauge of whole numbers without labels.
///
/// # Errors
/// As [`int_counter`].
pub fn int_gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    registered(registry, IntGauge::new(name, help)?)
}

/// A gauge of whole numbers with labels.
///
/// # Errors
/// As [`int_counter`].
pub fn int_gauge_vec(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntGaugeVec> {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

/// A gauge with labels.
///
/// # Errors
/// As [`int_counter`].
pub fn gauge_vec(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<GaugeVec> {
    registered(registry, GaugeVec::new(Opts::new(name, help), labels)?)
}

/// A histogram without labels; `buckets` are upper bounds, rising.
///
/// # Errors
/// As [`int_counter`].
pub fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: &[f64],
) -> prometheus::Result<Histogram> {
    registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
}

/// A histogram with labels; `buckets` are upper bounds, rising.
///
/// # Errors
/// As [`int_counter`].
pub fn histogram_vec(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: &[f64],
    labels: &[&str],
) -> prometheus::Result<HistogramVec> {
    registered(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
}

#[cfg(test)]
mod tests;
