//! What the egress proxy is configured by, and how its clients are led through it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::env::{EnvError, Reader, Writer, seconds};

/// Port of the CONNECT listener.
pub const PORT: u16 = 8080;
/// Port of `/metrics`, `/healthz` and `/readyz`.
pub const HEALTH_PORT: u16 = 8081;

/// Variable of a client: file of the proxy's CA.
pub const ENV_PROXY_CA: &str = "PROXY_CA_CERT_PATH";
const ENV_HTTP: &str = "HTTP_PROXY";
const ENV_HTTPS: &str = "HTTPS_PROXY";
const ENV_NO: &str = "NO_PROXY";

/// The environment of the egress proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyEnv {
    /// Port of the CONNECT listener; [`PORT`].
    pub port: u16,
    /// Port of `/metrics`, `/healthz` and `/readyz`; [`HEALTH_PORT`].
    pub health_port: u16,
    /// How long a connection to a destination may take to open.
    pub dial_timeout: Duration,
    /// How long open tunnels may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// How long new tunnels are still taken after SIGTERM, while endpoints are being withdrawn.
    pub linger: Duration,
    /// Certificate chain of the listener, PEM.
    pub tls_cert_file: String,
    /// Its key, PEM.
    pub tls_key_file: String,
    /// Host names that may be reached, by suffix: `github.com` admits itself and its subdomains.
    pub allowed_host_suffixes: Vec<String>,
    /// Address ranges that may be reached although they are private, or by address.
    pub allowed_cidrs: Vec<String>,
    /// `info` or `debug`.
    pub log_level: String,
}

impl ProxyEnv {
    /// The variables to write.
    pub fn to_env(&self) -> BTreeMap<String, String> {
        let mut env = Writer::default();
        env.set("PROXY_PORT", self.port.to_string());
        env.set("PROXY_HEALTH_PORT", self.health_port.to_string());
        env.set("PROXY_DIAL_TIMEOUT", seconds(self.dial_timeout));
        env.set("PROXY_SHUTDOWN_DRAIN_TIMEOUT", seconds(self.drain_timeout));
        env.set("PROXY_SHUTDOWN_LINGER", seconds(self.linger));
        env.set("PROXY_TLS_CERT_FILE", &self.tls_cert_file);
        env.set("PROXY_TLS_KEY_FILE", &self.tls_key_file);
        env.set("PROXY_ALLOWED_HOST_SUFFIXES", self.allowed_host_suffixes.join(","));
        env.set("PROXY_ALLOWED_CIDRS", self.allowed_cidrs.join(","));
        env.set("LOG_LEVEL", &self.log_level);
        env.0
    }

    /// Reads what [`Self::to_env`] wrote.
    pub fn from_env(env: &BTreeMap<String, String>) -> Result<Self, EnvError> {
        let env = Reader(env);
        Ok(Self {
            port: env.parsed("PROXY_PORT", PORT, "a port number")?,
            health_port: env.parsed("PROXY_HEALTH_PORT", HEALTH_PORT, "a port number")?,
            dial_timeout: env.seconds("PROXY_DIAL_TIMEOUT", Duration::from_secs(10))?,
            drain_timeout: env.seconds("PROXY_SHUTDOWN_DRAIN_TIMEOUT", Duration::from_secs(45))?,
            linger: env.seconds("PROXY_SHUTDOWN_LINGER", Duration::from_secs(10))?,
            tls_cert_file: env.required("PROXY_TLS_CERT_FILE")?,
            tls_key_file: env.required("PROXY_TLS_KEY_FILE")?,
            allowed_host_suffixes: env.list("PROXY_ALLOWED_HOST_SUFFIXES"),
            allowed_cidrs: env.list("PROXY_ALLOWED_CIDRS"),
            log_level: env.or("LOG_LEVEL", "info"),
        })
    }
}

/// How a client is led through the egress proxy. The default is a client that goes its own way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientEnv {
    /// The proxy for `http://` addresses.
    pub http: Option<String>,
    /// The proxy for `https://` addresses.
    pub https: Option<String>,
    /// Hosts and ranges that are reached without it, separated by commas.
    pub none: Option<String>,
    /// File of the proxy's CA.
    pub ca_file: Option<String>,
}

impl ClientEnv {
    /// The variables to write: the proxies in both spellings, since tools differ in which they read.
    pub fn to_env(&self) -> BTreeMap<String, String> {
        let mut env = Writer::default();
        for (name, value) in [(ENV_HTTP, &self.http), (ENV_HTTPS, &self.https), (ENV_NO, &self.none)] {
            env.set_optional(name, value.as_deref());
            env.set_optional(&name.to_ascii_lowercase(), value.as_deref());
        }
        env.set_optional(ENV_PROXY_CA, self.ca_file.as_deref());
        env.0
    }

    /// Reads what [`Self::to_env`] wrote.
    pub fn from_env(env: &BTreeMap<String, String>) -> Self {
        let env = Reader(env);
        Self {
            http: env.optional(ENV_HTTP),
            https: env.optional(ENV_HTTPS),
            none: env.optional(ENV_NO),
            ca_file: env.optional(ENV_PROXY_CA),
        }
    }
}

#[cfg(test)]
mod tests;
