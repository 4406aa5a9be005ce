//! All that the server knows, and every rule about it. Pure: time comes in as an argument, nothing here waits,
//! and the only owner is a lock in [`crate::shared`].

pub(crate) mod actions;
pub(crate) mod agents;
pub(crate) mod apps;
pub(crate) mod blobs;
mod cancel;
pub(crate) mod claims;
mod delivery;
mod facts;
pub(crate) mod grants;
mod id_token;
pub(crate) mod ids;
pub(crate) mod ledger;
pub(crate) mod life;
pub(crate) mod message;
pub(crate) mod offers;
pub(crate) mod rates;
pub(crate) mod results;
pub(crate) mod runs;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod versions;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

use crate::settings::Settings;

use agents::Agent;
use apps::App;
use blobs::Blob;
use grants::Grant;
use ids::Ids;
use ledger::LedgerEntry;
use rates::Rates;
use runs::{Job, Run};
use secrets::Secrets;
use sessions::Session;

/// The state of the whole server.
#[derive(Debug)]
pub(crate) struct State {
    /// The base of every URL that is handed out, without a trailing slash.
    pub(crate) base: String,
    pub(crate) settings: Settings,
    pub(crate) rates: Rates,
    ids: Ids,
    apps: BTreeMap<u64, App>,
    grants: HashMap<String, Grant>,
    agents: BTreeMap<u64, Agent>,
    sessions: BTreeMap<Uuid, Session>,
    runs: BTreeMap<u64, Run>,
    jobs: BTreeMap<u64, Job>,
    /// Jobs that are not over: what a poll and the clock have to look at.
    open: BTreeSet<u64>,
    /// Those of them that wait for a runner.
    waiting: BTreeSet<u64>,
    blobs: HashMap<String, Blob>,
    ledger: Vec<LedgerEntry>,
    secrets: Secrets,
    /// Used assertion ids and when they may be forgotten.
    assertions: HashMap<String, Timestamp>,
    /// Whether something happened that a parked request may wait for.
    changed: bool,
}

impl State {
    pub(crate) fn new(base: String, settings: Settings, seed: Option<u64>) -> Self {
        Self {
            base,
            settings,
            rates: Rates::default(),
            ids: Ids::new(seed),
            apps: BTreeMap::new(),
            grants: HashMap::new(),
            agents: BTreeMap::new(),
            sessions: BTreeMap::new(),
            runs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            open: BTreeSet::new(),
            waiting: BTreeSet::new(),
            blobs: HashMap::new(),
            ledger: Vec::new(),
            secrets: Secrets::default(),
            assertions: HashMap::new(),
            changed: false,
        }
    }

    /// Says once whether parked requests have to look again.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Marks a change that a parked request may wait for.
    pub(crate) fn touch(&mut self) {
        self.changed = true;
    }

    /// Lets time act: locks and offers lapse, sessions and records are forgotten.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        self.tick_jobs(now);
        self.tick_sessions(now);
        self.tick_agents(now);
        self.tick_grants(now);
    }

    fn tick_jobs(&mut self, now: Timestamp) {
        let open: Vec<u64> = self.open.iter().copied().collect();
        for id in open {
            let policy = self.offer_policy(id);
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            if job.life.judge(&policy, now) {
                self.changed = true;
            }
            if job.life.tick(&self.settings.timers, job.queued, now) {
                self.after_change(id, now);
            }
            self.cancel_overdue(id, now);
        }
    }
}

#[cfg(test)]
mod tests;
