//! What the probes answer: named checks that flip, and heartbeats that must go on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// So many periods may pass without a beat. Fewer would restart a process that is merely slow.
const STALLED_AFTER_PERIODS: u32 = 5;

/// Shared by everyone who has something to say about the process.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Facts>>);

/// One condition of readiness. Not fulfilled until it is first set so.
#[derive(Debug, Clone)]
pub struct Check {
    name: String,
    health: Health,
}

/// The sign of life of one loop.
///
/// Dropping it does not silence it: a loop that panicked must be noticed. A loop that ends on purpose
/// calls [`Heartbeat::retire`].
#[derive(Debug)]
pub struct Heartbeat {
    name: String,
    health: Health,
}

#[derive(Debug, Default)]
struct Facts {
    draining: bool,
    /// By name: why it fails, or nothing.
    checks: BTreeMap<String, Option<String>>,
    beats: BTreeMap<String, Beat>,
}

#[derive(Debug)]
struct Beat {
    last: Instant,
    period: Duration,
}

impl Health {
    /// No checks, no heartbeats: ready and alive.
    pub fn new() -> Self {
        Health::default()
    }

    /// Registers a condition of readiness, as yet unfulfilled.
    pub fn check(&self, name: impl Into<String>) -> Check {
        let name = name.into();
        self.facts().checks.insert(name.clone(), Some("not yet".to_owned()));
        Check { name, health: self.clone() }
    }

    /// Registers a loop that promises to beat once in `period`; from five missed ones on `/healthz` fails.
    pub fn heartbeat(&self, name: impl Into<String>, period: Duration) -> Heartbeat {
        let name = name.into();
        self.facts().beats.insert(name.clone(), Beat { last: Instant::now(), period });
        Heartbeat { name, health: self.clone() }
    }

    /// From now on not ready, for good: the process is on its way out.
    pub fn drain(&self) {
        self.facts().draining = true;
    }

    /// Why the process is not ready, by check. Empty means ready.
    pub fn failing(&self) -> BTreeMap<String, String> {
        let facts = self.facts();
        let draining = facts.draining.then(|| ("shutdown".to_owned(), "draining".to_owned()));
        let checks = facts.checks.iter().filter_map(|(name, why)| Some((name.clone(), why.clone()?)));
        checks.chain(draining).collect()
    }

    /// The loops that have stopped beating. Empty means alive.
    pub fn stalled(&self) -> BTreeMap<String, String> {
        let facts = self.facts();
        let late = facts.beats.iter().filter(|(_, it)| it.last.elapsed() > it.period * STALLED_AFTER_PERIODS);
        late.map(|(name, it)| (name.clone(), format!("no progress for {} s", it.last.elapsed().as_secs())))
            .collect()
    }

    /// Nothing panics while it holds the lock, so what it holds is whole.
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// The condition holds, or it does not for this reason.
    pub fn set(&self, ok: bool, reason: &str) {
        self.health.facts().checks.insert(self.name.clone(), (!ok).then(|| reason.to_owned()));
    }

    /// The condition holds.
    pub fn pass(&self) {
        self.set(true, "");
    }

    /// The condition does not hold.
    pub fn fail(&self, reason: &str) {
        self.set(false, reason);
    }
}

impl Heartbeat {
    /// The loop has come round once more.
    pub fn beat(&self) {
        if let Some(it) = self.health.facts().beats.get_mut(&self.name) {
            it.last = Instant::now();
        }
    }

    /// Beats by itself until `stop`: shows that the runtime still schedules its tasks.
    pub async fn of_event_loop(health: Health, stop: tokio_util::sync::CancellationToken) {
        const PERIOD: Duration = Duration::from_secs(5);
        let heartbeat = health.heartbeat("event-loop", PERIOD);
        while tokio::time::timeout(PERIOD, stop.cancelled()).await.is_err() {
            heartbeat.beat();
        }
        heartbeat.retire();
    }

    /// The loop ends on purpose.
    pub fn retire(self) {
        self.health.facts().beats.remove(&self.name);
    }
}
