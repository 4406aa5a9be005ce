//! The proxy's series.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};
use runtime::metrics::{histogram, int_counter, int_counter_vec, int_gauge};

use crate::tunnel::Meters;

/// Up to the absolute life of a tunnel.
const TUNNEL_SECONDS: [f64; 10] = [0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0];

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
            active: int_gauge(
                registry,
                "actions_gateway_proxy_connections_active",
                "Currently open CONNECT tunnels.",
            )?,
            opened: int_counter(
                registry,
                "actions_gateway_proxy_connections_total",
                "CONNECT tunnels opened.",
            )?,
            dial_errors: int_counter(
                registry,
                "actions_gateway_proxy_dial_errors_total",
                "Upstream dial failures, blocked addresses included.",
            )?,
            tunnel_seconds: histogram(
                registry,
                "actions_gateway_proxy_tunnel_duration_seconds",
                "Tunnel lifetime, observed at close.",
                &TUNNEL_SECONDS,
            )?,
            denied: int_counter(
                registry,
                "actions_gateway_proxy_connect_denied_total",
                "CONNECT requests that policy refused.",
            )?,
            requests: int_counter_vec(
                registry,
                "actions_gateway_proxy_requests_total",
                "Requests, by what became of them.",
                &["outcome"],
            )?,
            bytes: int_counter_vec(
                registry,
                "actions_gateway_proxy_bytes_total",
                "Bytes through tunnels, by direction and by the entry of the allow list that admitted them.",
                &["direction", "destination"],
            )?,
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
