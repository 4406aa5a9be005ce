//! What is known of each group right now: written by pools and dispatcher, read by status, probes and gauges.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
pub use job::listeners::Trouble;
use serde::{Serialize as _, Serializer};
use tokio::sync::watch;

use crate::dry_run::Answer;
use crate::versions::VersionFacts;

/// What is known of each group. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct GroupStates(Arc<watch::Sender<BTreeMap<String, GroupState>>>);

/// What is known of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct GroupState {
    /// Sessions that listen for jobs, and whose polls GitHub answers.
    pub listening: usize,
    /// Sessions that will listen soon, or again.
    pub opening: usize,
    /// Sessions that stay open for the cancellation of a running job.
    pub busy: usize,
    /// Agents that could not be registered and wait for the next pass.
    pub parked: usize,
    /// Nobody listens, and that only for a moment so far.
    pub is_between: bool,
    /// Why the last poll failed, until one is answered.
    pub poll_error: Option<String>,
    /// Why agents cannot be registered.
    #[serde(serialize_with = "by_word")]
    pub trouble: Option<Trouble>,
    /// Polls keep being answered with 429.
    pub rate_limited: bool,
    /// GitHub's words when it refused our runner version.
    pub version_too_old: Option<String>,
    /// Which runner version the group reports, and until when GitHub takes it.
    pub runner_version: Option<VersionFacts>,
    /// What the API server says of the group's pods; `None` before it was asked.
    pub workers_admitted: Option<Answer>,
    /// Why no job is taken.
    pub withheld: Option<Withheld>,
    /// In words: the group's latest worker pod was kept running by a container when its runner had ended.
    pub outlived_pod: Option<String>,
    /// Jobs that are claimed and not over.
    pub active_jobs: usize,
    /// Those among them whose pod does not run yet.
    pub pending_jobs: usize,
}

/// Why a group takes no job.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Withheld {
    /// The verdict's word.
    pub reason: &'static str,
    /// The verdict with its numbers.
    pub detail: String,
    /// Offers declined since then.
    pub count: u32,
    /// Since when.
    pub since: Timestamp,
}

/// As `{"LabelsRefused": "what was said"}`.
fn by_word<S: Serializer>(trouble: &Option<Trouble>, serializer: S) -> Result<S::Ok, S::Error> {
    trouble.as_ref().map(|it| BTreeMap::from([(<&str>::from(it), it.words())])).serialize(serializer)
}

impl Default for GroupStates {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl GroupStates {
    /// Changes what is known of a group; readers hear of it if it is a change.
    pub fn update(&self, group: &str, change: impl FnOnce(&mut GroupState)) {
        self.0.send_if_modified(|groups| {
            let before = groups.get(group).cloned();
            let mut facts = before.clone().unwrap_or_default();
            change(&mut facts);
            let changed = before.as_ref() != Some(&facts);
            groups.insert(group.to_owned(), facts);
            changed
        });
    }

    /// The group is gone.
    pub fn forget(&self, group: &str) {
        self.0.send_if_modified(|groups| groups.remove(group).is_some());
    }

    /// What is known of a group.
    #[must_use]
    pub fn facts(&self, group: &str) -> GroupState {
        self.0.borrow().get(group).cloned().unwrap_or_default()
    }

    /// What is known of all.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, GroupState> {
        self.0.borrow().clone()
    }

    /// Hears of each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeMap<String, GroupState>> {
        self.0.subscribe()
    }
}
