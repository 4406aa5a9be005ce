//! The egress proxy's own series. None has a namespace: each pod is a target of its own, and the scrape adds one.

#![expect(missing_docs, reason = "the help text of each says it")]

use crate::{Label, Series, Table};

/// Up to the absolute life of a tunnel.
const TUNNEL_SECONDS: [f64; 10] = [0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0];

pub const CONNECTIONS_ACTIVE: Series =
    Series::gauge("actions_gateway_proxy_connections_active", "Currently open CONNECT tunnels.", &[]);
pub const CONNECTIONS: Series =
    Series::counter("actions_gateway_proxy_connections_total", "CONNECT tunnels opened.", &[]);
pub const DIAL_ERRORS: Series = Series::counter(
    "actions_gateway_proxy_dial_errors_total",
    "Upstream dial failures, blocked addresses included.",
    &[],
);
pub const TUNNEL_DURATION: Series = Series::histogram(
    "actions_gateway_proxy_tunnel_duration_seconds",
    "Tunnel lifetime, observed at close.",
    &[],
    &TUNNEL_SECONDS,
);
pub const CONNECT_DENIED: Series = Series::counter(
    "actions_gateway_proxy_connect_denied_total",
    "CONNECT requests that policy refused.",
    &[],
);
pub const REQUESTS: Series = Series::counter(
    "actions_gateway_proxy_requests_total",
    "Requests, by what became of them.",
    &[Label::closed(
        "outcome",
        "A tunnel, or why there was none.",
        &[
            "tunnel",
            "client_gone",
            "connection_limit",
            "tunnel_limit",
            "method",
            "malformed",
            "header_timeout",
            "host_denied",
            "port_denied",
            "address_denied",
            "resolve_failed",
            "dial_failed",
            "dial_timeout",
        ],
    )],
);
pub const BYTES: Series = Series::counter(
    "actions_gateway_proxy_bytes_total",
    "Bytes through tunnels, by direction and by the entry of the allow list that admitted them.",
    &[
        Label::closed("direction", "From the client (`up`) or to it (`down`).", &["up", "down"]),
        Label::open("destination", "The entry of the allow list, as it is written."),
    ],
);

/// All of them.
pub const ALL: Table =
    &[&CONNECTIONS_ACTIVE, &CONNECTIONS, &DIAL_ERRORS, &TUNNEL_DURATION, &CONNECT_DENIED, &REQUESTS, &BYTES];
