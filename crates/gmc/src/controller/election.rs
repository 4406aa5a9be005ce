//! Who leads among the replicas.

use futures::{Stream, StreamExt as _, stream};
use operator::lease::{Elector, Leadership, Params, Timing};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Manager;
use crate::config::Election;

/// The Lease, in the system namespace.
const LEASE: &str = "actions-gateway-gmc";

/// One leader among several, or the only one.
pub(super) enum Elections {
    /// There are others.
    Contested { elector: Box<Elector>, leadership: watch::Receiver<Leadership>, release: bool },
    /// There is nobody else. The sender keeps the channel open.
    Unopposed(watch::Sender<Leadership>),
}

impl Elections {
    pub(super) fn new(manager: &Manager) -> Self {
        let Some(election) = &manager.election else {
            return Self::Unopposed(watch::Sender::new(Leadership::Leading));
        };
        let params = Params {
            namespace: manager.pod.namespace.clone(),
            name: LEASE.to_owned(),
            // A container that restarts in the same pod is the same holder, and goes on at once.
            identity: format!("{}_{}", manager.pod.name, manager.pod.uid),
            timing: timing(election),
        };
        let gauge = manager.metrics.leader(LEASE);
        let (elector, leadership) =
            Elector::new(manager.client.clone(), params, gauge, manager.clock.clone());
        Self::Contested { elector: Box::new(elector), leadership, release: election.release_on_cancel }
    }

    pub(super) fn leadership(&self) -> watch::Receiver<Leadership> {
        match self {
            Self::Contested { leadership, .. } => leadership.clone(),
            Self::Unopposed(sender) => sender.subscribe(),
        }
    }

    /// Runs until the work under the Lease has ended; then gives it back, if that is wished.
    pub(super) async fn run(self, work_ended: CancellationToken) {
        match self {
            Self::Contested { elector, release: true, .. } => elector.run(work_ended).await,
            Self::Contested { elector, release: false, .. } => {
                tokio::select! {
                    () = elector.run(CancellationToken::new()) => {}
                    () = work_ended.cancelled() => {}
                }
            }
            Self::Unopposed(_sender) => work_ended.cancelled().await,
        }
    }
}

fn timing(election: &Election) -> Timing {
    Timing {
        duration: election.lease_duration,
        renew_period: election.retry_period,
        stop_after: election.renew_deadline,
    }
}

/// One item each time we begin to lead.
pub(super) fn begun(leadership: watch::Receiver<Leadership>) -> impl Stream<Item = ()> + Send + 'static {
    let changes = stream::unfold(leadership, |mut leadership| async move {
        leadership.changed().await.ok()?;
        let now = *leadership.borrow_and_update();
        Some((now, leadership))
    });
    changes.filter_map(|now| std::future::ready((now == Leadership::Leading).then_some(())))
}

#[cfg(test)]
mod tests;
