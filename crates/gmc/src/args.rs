//! What was typed: flags under the names of the field, and the environment they may come by.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use api::GoDuration;
use clap::{ArgAction, Parser};
use handoff::agc::RUNNER_VERSION;
use runtime::args::LogArgs;

/// Turns each ActionsGateway into one tenant's controller, accounts and RunnerGroups.
#[derive(Debug, Parser)]
#[command(name = "gmc", version, about)]
pub struct Args {
    /// Where /metrics is served; 0 turns it off
    #[arg(long, value_name = "[HOST]:PORT|0", default_value = ":8080")]
    pub metrics_bind_address: BindAddress,

    /// Where /healthz, /readyz and /statusz are served
    #[arg(long, value_name = "[HOST]:PORT|0", default_value = ":8081")]
    pub health_probe_bind_address: BindAddress,

    /// Work only while holding the Lease, so that several replicas may run
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = ArgAction::Set)]
    pub leader_elect: bool,

    /// How long a standby waits before it takes over from a leader that fell silent
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    pub leader_elect_lease_duration: GoDuration,

    /// How long the leader goes on without having renewed
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub leader_elect_renew_deadline: GoDuration,

    /// How often the Lease is renewed or tried for
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub leader_elect_retry_period: GoDuration,

    /// Give the Lease back when told to end, so that a standby takes over at once
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = ArgAction::Set)]
    pub leader_elect_release_on_cancel: bool,

    /// Image of the tenants' controllers
    #[arg(long, env = "AGC_IMAGE", value_name = "IMAGE")]
    pub agc_image: String,

    /// Image that delivers the wrapper into worker pods
    #[arg(long, env = "WRAPPER_IMAGE", value_name = "IMAGE")]
    pub wrapper_image: String,

    /// Runner image of RunnerGroups that name none
    #[arg(long, env = "WORKER_IMAGE", value_name = "IMAGE")]
    pub worker_image: String,

    /// Version of the runner in that image: what GitHub is told until a worker has told its own
    #[arg(long, env = "RUNNER_VERSION", value_name = "VERSION", default_value = RUNNER_VERSION,
        value_parser = runner_version)]
    pub runner_version: String,

    /// The PriorityClasses that workers may have [default: all but those of the cluster and of --reserved-priority-classes]
    #[arg(long, value_name = "NAME,…", default_value = "", hide_default_value = true)]
    pub allowed_priority_classes: String,

    /// The PriorityClasses of the platform's own pods, which no worker may have
    #[arg(long, value_name = "NAME,…", default_value = "", hide_default_value = true)]
    pub reserved_priority_classes: String,

    /// Pull policy of the controllers' image
    #[arg(long, value_name = "POLICY", default_value = "IfNotPresent",
        value_parser = ["IfNotPresent", "Always", "Never"])]
    pub image_pull_policy: String,

    /// Tests only: pass AGC_EXTRA_NAME of this process on as NAME to every controller, over all else
    #[arg(long)]
    pub allow_agc_extra_env: bool,

    /// A kubeconfig to reach the API server by [default: the environment's, else the pod's account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Namespace that this process runs in
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pub pod_namespace: String,

    /// Name of this pod
    #[arg(long, env = "POD_NAME", value_name = "NAME", default_value = "gmc")]
    pub pod_name: String,

    /// Uid of this pod
    #[arg(long, env = "POD_UID", value_name = "UID", default_value = "")]
    pub pod_uid: String,

    #[expect(missing_docs, reason = "its own flags are documented where they are declared")]
    #[command(flatten)]
    pub log: LogArgs,
}

/// An address to listen on, or none, as controller-runtime writes it: `:8080`, `127.0.0.1:8080`, `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindAddress(pub Option<SocketAddr>);

/// The text is no address to listen on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address to listen on: write :PORT, IP:PORT, or 0 for none")]
pub struct NotAnAddress(String);

impl FromStr for BindAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if text == "0" {
            return Ok(Self(None));
        }
        let address = match text.strip_prefix(':') {
            Some(port) => {
                port.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
            }
            None => text.parse().ok(),
        };
        address.map(|it| Self(Some(it))).ok_or_else(|| NotAnAddress(text.to_owned()))
    }
}

/// GitHub serves releases, and each is three numbers.
fn runner_version(text: &str) -> Result<String, NotAVersion> {
    let numbers: Vec<&str> = text.split('.').collect();
    let is_number = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    if numbers.len() == 3 && numbers.iter().all(is_number) && text.len() <= 32 {
        return Ok(text.to_owned());
    }
    Err(NotAVersion(text.to_owned()))
}

/// The text names no release of the runner.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a runner version: write three numbers, as in {RUNNER_VERSION}")]
struct NotAVersion(String);

#[cfg(test)]
mod tests;
