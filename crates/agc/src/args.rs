//! What can be typed. Everything else comes by the environment that the manager writes.

use std::path::PathBuf;

use runtime::args::LogArgs;

/// The tenant's controller of Actions Gateway.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "agc", version = runtime::version::VERSION)]
pub struct Args {
    /// Reach the API server as this file says, instead of as a pod does
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Port of /metrics
    #[arg(long, default_value_t = handoff::agc::METRICS_PORT)]
    pub metrics_port: u16,

    /// Port of /healthz, /readyz and /statusz
    #[arg(long, default_value_t = handoff::agc::HEALTH_PORT)]
    pub health_port: u16,

    /// How to log
    #[command(flatten)]
    pub log: LogArgs,
}
