//! What `/metrics` says about the server: how much was asked of it, and how much of that was wrong.

use fakegithub::Control;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, Registry};

/// Reads the server's own counts at each scrape.
struct Counts {
    control: Control,
    requests: IntCounter,
    violations: IntCounter,
}

impl Collector for Counts {
    fn desc(&self) -> Vec<&Desc> {
        [self.requests.desc(), self.violations.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (requests, violations) = self.control.counts();
        self.requests.inc_by(requests.saturating_sub(self.requests.get()));
        self.violations.inc_by(violations.saturating_sub(self.violations.get()));
        [self.requests.collect(), self.violations.collect()].concat()
    }
}

/// Adds the server's series to a registry.
pub(crate) fn register(registry: &Registry, control: Control) -> prometheus::Result<()> {
    registry.register(Box::new(Counts {
        control,
        requests: IntCounter::new("fakegithub_requests_total", "Requests to GitHub's face.")?,
        violations: IntCounter::new("fakegithub_violations_total", "Requests that broke the protocol.")?,
    }))
}
