//! Leading alone: one holder of a Lease at a time.
//!
//! Another's lease is judged by how long *we* have seen it unchanged, on the monotonic clock, so that clocks of
//! two machines need not agree; our own by when we *asked* for the last renewal that went through. The holder
//! stops (`stop_after`) before a candidate may begin (`duration`).

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, Client, api::PostParams, core::ObjectMeta};
use prometheus::IntGauge;
use runtime::{backoff::Range, clock::Clock};
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Between attempts of a candidate, and of a holder whose renewal failed.
const RETRY: Range = (Duration::from_secs(1), Duration::from_secs(2));

/// Releasing the lease is a courtesy: the end of the process does not wait longer for it.
const RELEASE_DEADLINE: Duration = Duration::from_secs(2);

/// Whether this process may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leadership {
    /// Somebody else leads, or nobody knows yet.
    Waiting,
    /// We lead.
    Leading,
    /// We led, and could not renew in time, or were replaced, or released the lease: whatever is under way must stop.
    /// [`Leadership::Leading`] may follow.
    Lost,
}

/// The clocks of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// A candidate takes over when it has seen no renewal for so long.
    pub duration: Duration,
    /// The holder renews so often, or a tenth sooner.
    pub renew_period: Duration,
    /// The holder stops when no renewal has gone through for so long. Less than `duration`.
    pub stop_after: Duration,
}

/// Which lease, and for whom.
#[derive(Debug, Clone)]
pub struct Params {
    /// Where the Lease is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
    /// Who asks. The same identity goes on at once, as a restarted container does that names its pod's uid.
    pub identity: String,
    /// The clocks.
    pub timing: Timing,
}

/// Holds or awaits one lease for as long as it runs.
#[derive(Debug)]
pub struct Elector {
    api: Api<Lease>,
    params: Params,
    leadership: watch::Sender<Leadership>,
    gauge: IntGauge,
    clock: Clock,
    /// While we lead: when that ends unless a renewal goes through.
    leading_until: Option<Instant>,
    /// Another's lease: its resourceVersion, and since when we have seen that.
    seen: Option<(String, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Held,
    /// Another holds it, or was faster.
    Refused,
}

impl Timing {
    /// For a tenant's controller: jobs go on without it, so it need not hurry.
    pub const TENANT: Timing = Timing {
        duration: Duration::from_secs(30),
        renew_period: Duration::from_secs(10),
        stop_after: Duration::from_secs(20),
    };

    /// For the manager, whose standby is warm.
    pub const MANAGER: Timing = Timing {
        duration: Duration::from_secs(15),
        renew_period: Duration::from_secs(2),
        stop_after: Duration::from_secs(10),
    };
}

impl Elector {
    /// An elector and the channel that tells who leads. `gauge` is [`crate::metrics::ControllerMetrics::leader`].
    pub fn new(
        client: Client,
        params: Params,
        gauge: IntGauge,
        clock: Clock,
    ) -> (Self, watch::Receiver<Leadership>) {
        let (leadership, receiver) = watch::channel(Leadership::Waiting);
        let api = Api::namespaced(client, &params.namespace);
        gauge.set(0);
        (Elector { api, params, leadership, gauge, clock, leading_until: None, seen: None }, receiver)
    }

    /// Runs until `stop`, then releases the lease. Cancel `stop` when the work under the lease has ended.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = tokio::select! {
                () = stop.cancelled() => break,
                wait = self.round() => wait,
            };
            let _ = timeout(wait, stop.cancelled()).await;
        }
        self.release().await;
    }

    /// One attempt and what follows from it. Says how long to wait for the next.
    async fn round(&mut self) -> Duration {
        let started = Instant::now();
        let patience = self.leading_until.unwrap_or(started + self.params.timing.stop_after);
        match timeout_at(patience, self.attempt()).await {
            Ok(Ok(Attempt::Held)) => {
                self.leading_until = Some(started + self.params.timing.stop_after);
                self.publish(Leadership::Leading);
                let period = self.params.timing.renew_period;
                self.clock.between((period - period / 10, period)).saturating_sub(started.elapsed())
            }
            Ok(Ok(Attempt::Refused)) => {
                self.step_down();
                self.clock.between(RETRY)
            }
            Ok(Err(error)) => self.failed(&crate::describe(&error).to_string()),
            Err(_) => self.failed("no answer in time"),
        }
    }

    /// We go on leading until our time is up.
    fn failed(&mut self, error: &str) -> Duration {
        tracing::warn!(lease = self.params.name, error, "failed to acquire or renew the lease");
        let Some(until) = self.leading_until else { return self.clock.between(RETRY) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.step_down();
        }
        left.min(self.clock.between(RETRY))
    }

    fn step_down(&mut self) {
        if self.leading_until.take().is_some() {
            self.publish(Leadership::Lost);
        }
    }

    fn publish(&self, leadership: Leadership) {
        self.gauge.set(i64::from(leadership == Leadership::Leading));
        let changed = self.leadership.send_if_modified(|it| std::mem::replace(it, leadership) != leadership);
        if changed {
            tracing::info!(
                lease = self.params.name,
                identity = self.params.identity,
                ?leadership,
                "leadership changed"
            );
        }
    }

    async fn attempt(&mut self) -> Result<Attempt, kube::Error> {
        match self.api.get_opt(&self.params.name).await? {
            None => self.write(None).await,
            Some(lease) if self.may_take(&lease) => self.write(Some(lease)).await,
            Some(_) => Ok(Attempt::Refused),
        }
    }

    /// Ours, nobody's, or seen unchanged for longer than it lasts.
    fn may_take(&mut self, lease: &Lease) -> bool {
        let holder = holder(lease);
        if holder.is_empty() || holder == self.params.identity {
            return true;
        }
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let lasts = lease.spec.as_ref().and_then(|it| it.lease_duration_seconds).unwrap_or_default();
        let lasts = Duration::from_secs(u64::try_from(lasts).unwrap_or_default());
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() >= lasts,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    /// A replacement carries the resourceVersion that we read, so of two candidates one gets a 409.
    async fn write(&self, old: Option<Lease>) -> Result<Attempt, kube::Error> {
        let params = PostParams::default();
        let lease = self.lease(old.as_ref());
        let written = match old {
            None => self.api.create(&params, &lease).await,
            Some(_) => self.api.replace(&self.params.name, &params, &lease).await,
        };
        match written {
            Ok(_) => Ok(Attempt::Held),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Attempt::Refused),
            Err(error) => Err(error),
        }
    }

    fn lease(&self, old: Option<&Lease>) -> Lease {
        let now = MicroTime(self.clock.now());
        let fresh = ObjectMeta { name: Some(self.params.name.clone()), ..ObjectMeta::default() };
        let metadata = old.map_or(fresh, |it| it.metadata.clone());
        let before = old.and_then(|it| it.spec.clone()).unwrap_or_default();
        let ours = before.holder_identity.as_deref() == Some(&self.params.identity);
        let transitions = before.lease_transitions.unwrap_or_default() + i32::from(old.is_some() && !ours);
        let seconds = i32::try_from(self.params.timing.duration.as_secs()).unwrap_or(i32::MAX);
        let spec = LeaseSpec {
            holder_identity: Some(self.params.identity.clone()),
            acquire_time: if ours { before.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_duration_seconds: Some(seconds),
            lease_transitions: Some(transitions),
            ..before
        };
        Lease { metadata, spec: Some(spec) }
    }

    /// Lets a successor begin at once instead of waiting for the lease to run out.
    async fn release(mut self) {
        if self.leading_until.is_none() {
            return;
        }
        self.step_down();
        match timeout(RELEASE_DEADLINE, self.clear_holder()).await {
            Ok(Ok(())) => tracing::info!(lease = self.params.name, "lease released"),
            Ok(Err(error)) => {
                let error = crate::describe(&error);
                tracing::warn!(lease = self.params.name, %error, "failed to release the lease");
            }
            Err(_) => tracing::warn!(lease = self.params.name, "timed out releasing the lease"),
        }
    }

    async fn clear_holder(&self) -> Result<(), kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.params.name).await? else { return Ok(()) };
        if holder(&lease) != self.params.identity {
            return Ok(());
        }
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
        }
        self.api.replace(&self.params.name, &PostParams::default(), &lease).await.map(drop)
    }
}

fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|it| it.holder_identity.as_deref()).unwrap_or_default()
}

/// Completes once we lead. False if that can no longer happen.
pub async fn leading(leadership: &mut watch::Receiver<Leadership>) -> bool {
    leadership.wait_for(|it| *it == Leadership::Leading).await.is_ok()
}

/// Completes once we lead no longer.
pub async fn lost(leadership: &mut watch::Receiver<Leadership>) {
    // An error is the elector's end: nobody renews any more.
    let _ = leadership.wait_for(|it| *it != Leadership::Leading).await;
}

#[cfg(test)]
mod tests;
