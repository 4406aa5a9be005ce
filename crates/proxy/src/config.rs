//! What the process was told, as values that can be used.

use std::time::Duration;

use handoff::proxy::ProxyEnv;
use ipnet::IpNet;
use runtime::tls::CertificateFiles;

use crate::policy::Policy;

/// Everything that `main` needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port of the CONNECT listener.
    pub port: u16,
    /// Port of metrics and probes.
    pub health_port: u16,
    /// The listener's certificate.
    pub certificate: CertificateFiles,
    /// Where tunnels may go.
    pub policy: Policy,
    /// How long things may take and how many there may be.
    pub limits: Limits,
}

/// How long things may take and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From accepting to the end of the TLS handshake, and again from the first byte of a request to the end
    /// of its head. A client that dribbles is cut here.
    pub header: Duration,
    /// A connection without a request.
    pub idle: Duration,
    /// Resolving the destination and connecting to it, all its addresses together.
    pub dial: Duration,
    /// A tunnel in which nothing moves.
    pub tunnel_idle: Duration,
    /// A tunnel, whatever moves in it: the longest job.
    pub tunnel_life: Duration,
    /// After SIGTERM new connections are still taken for so long, while endpoints are being withdrawn.
    pub linger: Duration,
    /// After SIGTERM open tunnels may go on for so long.
    pub drain: Duration,
    /// Tunnels at once; the next is answered with 503.
    pub tunnels: usize,
    /// Connections at once, those without a tunnel yet included; the next is closed.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            dial: Duration::from_secs(10),
            tunnel_idle: Duration::from_secs(5 * 60),
            tunnel_life: Duration::from_secs(6 * 60 * 60),
            linger: Duration::from_secs(10),
            drain: Duration::from_secs(45),
            // What fits into the memory that the pod asks for; beyond it the autoscaler adds pods.
            tunnels: 500,
            connections: 756,
            head_bytes: 8 * 1024,
        }
    }
}

/// The environment holds something that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("PROXY_ALLOWED_CIDRS: {range:?} is not an address range such as 10.1.0.0/16")]
pub struct InvalidRange {
    range: String,
}

impl Config {
    /// From what the manager wrote.
    ///
    /// # Errors
    /// [`InvalidRange`].
    pub fn from_env(env: ProxyEnv) -> Result<Self, InvalidRange> {
        let ranges = env.allowed_cidrs.iter().map(|it| parse_range(it)).collect::<Result<Vec<_>, _>>()?;
        Ok(Config {
            port: env.port,
            health_port: env.health_port,
            certificate: CertificateFiles {
                certificate: env.tls_cert_file.into(),
                key: env.tls_key_file.into(),
            },
            policy: Policy::new(&env.allowed_host_suffixes, ranges),
            limits: Limits {
                dial: env.dial_timeout,
                drain: env.drain_timeout,
                linger: env.linger.min(env.drain_timeout),
                ..Limits::default()
            },
        })
    }
}

/// A single address is a range of one.
fn parse_range(range: &str) -> Result<IpNet, InvalidRange> {
    let parsed = range.parse().or_else(|_| range.parse().map(|it: std::net::IpAddr| IpNet::from(it)));
    parsed.map_err(|_| InvalidRange { range: range.to_owned() })
}

#[cfg(test)]
mod tests;
