//! The GMC's own series. Those of every controller come from `operator::metrics`.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Registry};
use runtime::metrics::opts;

/// `actions_gateway_managed_gateways`, counted when it is asked for, so that it is never out of date.
pub struct ManagedGateways<F> {
    gauge: IntGauge,
    count: F,
}

impl<F> ManagedGateways<F>
where
    F: Fn() -> usize + Send + Sync + 'static,
{
    /// Registers the gauge; `count` says how many gateways this process manages, 0 while another leads.
    ///
    /// # Errors
    /// It is registered already.
    pub fn register(registry: &Registry, count: F) -> prometheus::Result<()> {
        let gauge = IntGauge::with_opts(opts(&signals::gmc::MANAGED_GATEWAYS))?;
        registry.register(Box::new(Self { gauge, count }))
    }
}

impl<F> Collector for ManagedGateways<F>
where
    F: Fn() -> usize + Send + Sync,
{
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.set(i64::try_from((self.count)()).unwrap_or(i64::MAX));
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests;
