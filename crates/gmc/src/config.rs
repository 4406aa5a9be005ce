//! What was decided from what was typed, in the parts that each component takes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use api::priority::PriorityClasses;
use runtime::telemetry::LogOptions;

use crate::args::Args;

/// Prefix of the variables that [`Config::provision`] passes on when that is allowed.
const AGC_EXTRA: &str = "AGC_EXTRA_";

/// Everything the process was told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where `/metrics` is served, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// Where the probes are answered, if anywhere.
    pub health: Option<SocketAddr>,
    /// Level and form of log lines.
    pub log: LogOptions,
    /// A kubeconfig that was named.
    pub kubeconfig: Option<PathBuf>,
    /// This pod.
    pub pod: Pod,
    /// How to agree on one leader; absent when this is the only replica.
    pub election: Option<Election>,
    /// What goes into tenants' objects.
    pub provision: Provision,
}

/// The pod this process runs in.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The system namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid; empty outside a cluster.
    pub uid: String,
}

/// Leader election (controller-runtime's three numbers, under its names).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    /// A standby takes over when it has seen no renewal for this long.
    pub lease_duration: Duration,
    /// The leader stops when it could not renew for this long. Shorter than the lease.
    pub renew_deadline: Duration,
    /// Time between two tries. Shorter than the deadline.
    pub retry_period: Duration,
    /// Whether the Lease is given back at the end.
    pub release_on_cancel: bool,
}

/// What the platform decides about every tenant's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provision {
    /// The namespace of the manager: no gateway may live there.
    pub system_namespace: String,
    /// Image of the controller.
    pub agc_image: String,
    /// Image that delivers the wrapper.
    pub wrapper_image: String,
    /// Default runner image.
    pub worker_image: String,
    /// Version of the runner in it.
    pub runner_version: String,
    /// The PriorityClasses that workers may have.
    pub priority_classes: PriorityClasses,
    /// Pull policy of the controller's image.
    pub image_pull_policy: String,
    /// Variables that override the controller's own; tests only.
    pub agc_extra_env: BTreeMap<String, String>,
}

/// The flags contradict each other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "--leader-elect-lease-duration ({lease:?}) must be above --leader-elect-renew-deadline ({deadline:?}), and that \
     above --leader-elect-retry-period ({retry:?}): else two leaders could work at the same time"
)]
pub struct BadElection {
    lease: Duration,
    deadline: Duration,
    retry: Duration,
}

impl Config {
    /// Decides, from the flags and, where they allow it, the environment.
    ///
    /// # Errors
    /// [`BadElection`] when the three durations of leader election are not in order.
    pub fn new(args: Args, vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, BadElection> {
        let extra = if args.allow_agc_extra_env { extra_env(vars) } else { BTreeMap::new() };
        let election = args.leader_elect.then(|| Election {
            lease_duration: args.leader_elect_lease_duration.get(),
            renew_deadline: args.leader_elect_renew_deadline.get(),
            retry_period: args.leader_elect_retry_period.get(),
            release_on_cancel: args.leader_elect_release_on_cancel,
        });
        election.as_ref().map_or(Ok(()), Election::check)?;
        Ok(Self {
            metrics: args.metrics_bind_address.0,
            health: args.health_probe_bind_address.0,
            log: args.log.options(),
            kubeconfig: args.kubeconfig,
            election,
            provision: Provision {
                system_namespace: args.pod_namespace.clone(),
                agc_image: args.agc_image,
                wrapper_image: args.wrapper_image,
                worker_image: args.worker_image,
                runner_version: args.runner_version,
                priority_classes: PriorityClasses::parse(
                    &args.allowed_priority_classes,
                    &args.reserved_priority_classes,
                ),
                image_pull_policy: args.image_pull_policy,
                agc_extra_env: extra,
            },
            pod: Pod { namespace: args.pod_namespace, name: args.pod_name, uid: args.pod_uid },
        })
    }
}

impl Election {
    fn check(&self) -> Result<(), BadElection> {
        if self.lease_duration > self.renew_deadline
            && self.renew_deadline > self.retry_period
            && !self.retry_period.is_zero()
        {
            return Ok(());
        }
        Err(BadElection {
            lease: self.lease_duration,
            deadline: self.renew_deadline,
            retry: self.retry_period,
        })
    }
}

fn extra_env(vars: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    vars.into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(AGC_EXTRA)?.to_owned(), value)))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests;
