//! The proxy's series.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};
use runtime::metrics::{counter, counter_vec, gauge, histogram};
use signals::proxy as series;

use crate::tunnel::Meters;

/// The proxy's series. None has a namespace: each pod is a target of its own, and the scrape adds one.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Open tunnels.
    pub active: IntGauge,
    /// Tunnels opened.
    pub opened: IntCounter,
    /// Destinations that could not be reached, those whose address is refused included.
    pub dial_errors: IntCounter,
    /// How long tunnels lived.
    pub tunnel_seconds: Histogram,
    /// Requests that policy refused.
    pub denied: IntCounter,
    requests: IntCounterVec,
    bytes: IntCounterVec,
}

impl Metrics {
    /// Registers the series.
    ///
    /// # Errors
    /// They are registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Metrics {
            active: gauge(registry, &series::CONNECTIONS_ACTIVE)?,
            opened: counter(registry, &series::CONNECTIONS)?,
            dial_errors: counter(registry, &series::DIAL_ERRORS)?,
            tunnel_seconds: histogram(registry, &series::TUNNEL_DURATION)?,
            denied: counter(registry, &series::CONNECT_DENIED)?,
            requests: counter_vec(registry, &series::REQUESTS)?,
            bytes: counter_vec(registry, &series::BYTES)?,
        })
    }

    /// One request is decided.
    pub fn outcome(&self, outcome: &'static str) {
        self.requests.with_label_values(&[outcome]).inc();
    }

    /// How many requests had this outcome.
    pub fn decided(&self, outcome: &str) -> u64 {
        self.requests.with_label_values(&[outcome]).get()
    }

    /// The counters of a tunnel that this entry of the allow list admits.
    pub fn meters(&self, entry: &str) -> Meters {
        Meters {
            up: self.bytes.with_label_values(&["up", entry]),
            down: self.bytes.with_label_values(&["down", entry]),
        }
    }
}

#[cfg(test)]
mod tests;
