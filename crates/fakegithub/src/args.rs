//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use fakegithub::Config;
use runtime::args::LogArgs;
use url::Url;

/// A fake GitHub for self-hosted-runner gateways: tests, benchmarks, demos
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The URL that clients use; its host stands in the certificate [default: https:// and --listen]
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,

    /// Where GitHub's face listens (TLS)
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    listen: SocketAddr,

    /// Where the control API listens (plain HTTP): whoever reaches it rules the server
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    control_listen: SocketAddr,

    /// Where /metrics, /healthz and /readyz are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    pub(crate) admin_listen: SocketAddr,

    /// More names and addresses for the certificate; repeatable
    #[arg(long = "san", value_name = "NAME")]
    sans: Vec<String>,

    /// What divides every timer: 10 lets ten minutes pass in one
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    time_factor: f64,

    /// Seconds that a poll is held, before the time factor
    #[arg(long, value_name = "SECONDS", default_value_t = 50.0)]
    poll_hold: f64,

    /// Makes ids and tokens the same at each start with this seed; keys always differ
    #[arg(long)]
    seed: Option<u64>,

    /// Keeps the CA here across restarts
    #[arg(long, value_name = "DIRECTORY")]
    ca_dir: Option<PathBuf>,

    /// How many different RSA keys to make before handing them out in turn again; 0 for no limit
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    distinct_keys: usize,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl Args {
    /// What was decided from what was typed.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        Ok(Config {
            public_url: self.public_url.clone(),
            listen: self.listen,
            control_listen: Some(self.control_listen),
            sans: self.sans.clone(),
            time_factor: self.time_factor,
            poll_hold: Duration::try_from_secs_f64(self.poll_hold).context("--poll-hold is out of range")?,
            seed: self.seed,
            ca_dir: self.ca_dir.clone(),
            distinct_keys: self.distinct_keys,
            keys: None,
        })
    }
}
