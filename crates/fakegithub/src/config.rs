//! What a server is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::keys::Keys;

/// The configuration of a server. The default suits tests: loopback, free ports, the protocol's own timers.
#[derive(Debug, Clone)]
pub struct Config {
    /// The URL that clients use: the base of everything that is handed out. By default `https://` and the listener.
    pub public_url: Option<Url>,
    /// Where GitHub's face listens (TLS).
    pub listen: SocketAddr,
    /// Where the control API listens (plain HTTP); none leaves it out.
    pub control_listen: Option<SocketAddr>,
    /// Names and addresses in the certificate besides the public URL's host.
    pub sans: Vec<String>,
    /// What divides every timer; token lives are not scaled.
    pub time_factor: f64,
    /// How long a poll is held, before scaling.
    pub poll_hold: Duration,
    /// Makes ids and tokens the same in every process with this seed; keys always differ.
    pub seed: Option<u64>,
    /// Where the CA is kept; none makes a new one at each start.
    pub ca_dir: Option<PathBuf>,
    /// How many different RSA keys are made before they are handed out in turn again; 0 for no limit.
    pub distinct_keys: usize,
    /// Keys to share with other servers of the process, instead of making some.
    pub keys: Option<Keys>,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            public_url: None,
            listen: loopback,
            control_listen: None,
            sans: Vec::new(),
            time_factor: 1.0,
            poll_hold: Duration::from_secs(50),
            seed: None,
            ca_dir: None,
            distinct_keys: 0,
            keys: None,
        }
    }
}
