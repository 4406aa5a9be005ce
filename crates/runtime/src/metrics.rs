//! The registry of a process, and what puts a family of the table `signals` into it.

mod differences;

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, core::Collector, process_collector::ProcessCollector,
};
use signals::{Kind, Series};

pub use differences::differences;

/// A registry that holds the series of every process: `process_*` and `actions_gateway_build_info{component,version}`.
///
/// # Errors
/// None in practice: the names are valid and registered once.
pub fn registry(component: &str) -> prometheus::Result<Registry> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let info = gauge_vec(&registry, &signals::process::BUILD_INFO)?;
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

/// Name and help of a family, for a collector of one's own.
#[must_use]
pub fn opts(series: &Series) -> Opts {
    Opts::new(series.name, series.help)
}

/// A counter without labels.
///
/// # Errors
/// The series is of another kind, or has labels, or its name is taken; so for all that follow.
pub fn counter(registry: &Registry, series: &Series) -> prometheus::Result<IntCounter> {
    expect(series, Kind::Counter, false)?;
    registered(registry, IntCounter::with_opts(opts(series))?)
}

/// A counter with labels.
///
/// # Errors
/// As [`counter`].
pub fn counter_vec(registry: &Registry, series: &Series) -> prometheus::Result<IntCounterVec> {
    expect(series, Kind::Counter, true)?;
    registered(registry, IntCounterVec::new(opts(series), &labels(series))?)
}

/// A gauge of whole numbers without labels.
///
/// # Errors
/// As [`counter`].
pub fn gauge(registry: &Registry, series: &Series) -> prometheus::Result<IntGauge> {
    expect(series, Kind::Gauge, false)?;
    registered(registry, IntGauge::with_opts(opts(series))?)
}

/// A gauge of whole numbers with labels.
///
/// # Errors
/// As [`counter`].
pub fn gauge_vec(registry: &Registry, series: &Series) -> prometheus::Result<IntGaugeVec> {
    expect(series, Kind::Gauge, true)?;
    registered(registry, IntGaugeVec::new(opts(series), &labels(series))?)
}

/// A gauge of ratios with labels.
///
/// # Errors
/// As [`counter`].
pub fn ratio_vec(registry: &Registry, series: &Series) -> prometheus::Result<GaugeVec> {
    expect(series, Kind::Gauge, true)?;
    registered(registry, GaugeVec::new(opts(series), &labels(series))?)
}

/// A histogram without labels.
///
/// # Errors
/// As [`counter`].
pub fn histogram(registry: &Registry, series: &Series) -> prometheus::Result<Histogram> {
    expect(series, Kind::Histogram, false)?;
    registered(registry, Histogram::with_opts(histogram_opts(series))?)
}

/// A histogram with labels.
///
/// # Errors
/// As [`counter`].
pub fn histogram_vec(registry: &Registry, series: &Series) -> prometheus::Result<HistogramVec> {
    expect(series, Kind::Histogram, true)?;
    registered(registry, HistogramVec::new(histogram_opts(series), &labels(series))?)
}

/// That the table says what the program takes the family for.
fn expect(series: &Series, kind: Kind, labelled: bool) -> prometheus::Result<()> {
    if series.kind == kind && series.labels.is_empty() != labelled {
        return Ok(());
    }
    let (name, is, with) = (series.name, series.kind.as_str(), series.labels.len());
    Err(prometheus::Error::Msg(format!("{name} is a {is} with {with} labels, and was taken for another")))
}

fn labels(series: &Series) -> Vec<&'static str> {
    series.labels.iter().map(|it| it.name).collect()
}

fn histogram_opts(series: &Series) -> HistogramOpts {
    HistogramOpts::from(opts(series)).buckets(series.buckets.to_vec())
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, series: C) -> prometheus::Result<C> {
    registry.register(Box::new(series.clone()))?;
    Ok(series)
}

#[cfg(test)]
mod tests;
