//! Which runner version each group reports to GitHub, and until when GitHub serves it (protocol §2.9, §4.10).
//!
//! What counts is the runner that will run the job, so a group reports what its newest worker said of itself. Until one
//! has spoken it reports what its spec says, or else the installation. An edit of version or image makes the workers
//! from before it no evidence: else a group whose version is refused could never be helped, since no worker of it
//! runs again to say better.

mod known;
mod release;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::runner_group::RunnerVersion;
use github_proto::rest::VersionEnd;
use handoff::agc::RUNNER_VERSION;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use tokio::sync::watch as channel;

use crate::runner_group::group::Group;
use known::{Known, Setting};
pub use known::{Worker, worker};

/// From so many whole days on a person should know.
const NEAR_DAYS: i64 = 14;

/// What is known of all groups. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Versions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    installation: Setting,
    state: channel::Sender<State>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    groups: BTreeMap<String, Known>,
    ends: BTreeMap<String, VersionEnd>,
}

/// What can be said of one group's version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct VersionFacts {
    /// What sessions report from their next opening on.
    pub reported: String,
    /// What the group, or else the installation, says.
    pub configured: String,
    /// The runner image of the group's workers.
    pub image: String,
    /// Since when version and image are configured like this.
    pub configured_at: Timestamp,
    /// What the newest worker since then said of itself.
    pub worker: Option<String>,
    /// When GitHub stops serving the reported version, where it names a date.
    pub ends_at: Option<Timestamp>,
    /// Whole days until then; below zero, since then.
    pub days_left: Option<i64>,
    /// The newest version known to this installation.
    pub newest: String,
}

impl VersionFacts {
    /// That the version ends soon, for people: when, and what to do.
    #[must_use]
    pub fn ending(&self) -> Option<String> {
        let (at, days) = (self.ends_at?, self.days_left.filter(|it| *it <= NEAR_DAYS)?);
        let when = match days {
            ..0 => format!("should have stopped giving jobs to runner version {} at {at}", self.reported),
            0 => {
                format!("gives jobs to runner version {} until {at}, which is less than a day", self.reported)
            }
            _ => format!("gives jobs to runner version {} until {at}, for {days} more days", self.reported),
        };
        Some(format!("GitHub {when}; {}", self.remedy()))
    }

    /// What to do about a version that ends or has ended, for people.
    #[must_use]
    pub fn remedy(&self) -> String {
        let newest = &self.newest;
        format!(
            "the newest version known to this installation is {newest}: move image and version together, by the \
             chart's runner.image and runner.version or the group's workerImage and runnerVersion"
        )
    }

    /// What the last worker ran and what is configured, if these are two.
    #[must_use]
    pub fn difference(&self) -> Option<String> {
        let worker = self.worker.as_ref().filter(|it| **it != self.configured)?;
        let configured = &self.configured;
        Some(format!(
            "the last worker ran runner version {worker}, which GitHub is told from now on; {configured} is \
             configured: set the group's runnerVersion, or the chart's runner.version, to what is in {}",
            self.image
        ))
    }
}

impl Versions {
    /// Nothing is known but what the installation says: a version, and the image that it is of.
    #[must_use]
    pub fn new(version: &str, image: &str) -> Self {
        let installation = Setting { version: version.to_owned(), image: image.to_owned() };
        Self(Arc::new(Inner { installation, state: channel::Sender::default() }))
    }

    /// The version that a session of this group reports when it is opened now.
    #[must_use]
    pub fn of(&self, group: &Group) -> String {
        let setting = self.setting(group);
        let state = self.0.state.borrow();
        let known = state.groups.get(&group.id.name).filter(|it| it.setting() == Some(&setting));
        known.and_then(Known::reported).map_or(setting.version, str::to_owned)
    }

    /// Takes up what an earlier controller wrote in the group's status.
    pub fn recall(&self, group: &str, written: &RunnerVersion) {
        self.change(group, |it| it.recall(written));
    }

    /// The group asks for this from now on.
    pub fn configure(&self, group: &Group, now: Timestamp) {
        let setting = self.setting(group);
        self.change(&group.id.name, |it| it.configure(setting, &group.id.reference, now));
    }

    /// A worker has said what it ran.
    pub fn hear(&self, worker: Worker) {
        let Worker { group, .. } = &worker;
        self.change(&group.clone(), |it| it.hear(worker));
    }

    /// The group is gone.
    pub fn forget(&self, group: &str) {
        self.0.state.send_if_modified(|it| it.groups.remove(group).is_some());
    }

    /// GitHub has said until when it serves this version.
    fn ends(&self, version: &str, end: VersionEnd) {
        self.0.state.send_if_modified(|it| it.ends.insert(version.to_owned(), end) != Some(end));
    }

    /// Nobody asks for the end of any other version any more.
    fn keep_ends(&self, reported: &BTreeSet<String>) {
        self.0.state.send_if_modified(|it| {
            let before = it.ends.len();
            it.ends.retain(|version, _| reported.contains(version));
            it.ends.len() != before
        });
    }

    /// What each group reports.
    #[must_use]
    pub fn reported(&self) -> BTreeMap<String, String> {
        let state = self.0.state.borrow();
        let of = |(name, known): (&String, &Known)| Some((name.clone(), known.reported()?.to_owned()));
        state.groups.iter().filter_map(of).collect()
    }

    /// What can be said of the group now; `None` before it was configured.
    #[must_use]
    pub fn facts(&self, group: &str, now: Timestamp) -> Option<VersionFacts> {
        let state = self.0.state.borrow();
        let known = state.groups.get(group)?;
        let (setting, reported) = (known.setting()?, known.reported()?);
        let ends_at = match state.ends.get(reported) {
            Some(VersionEnd::At(end)) => Some(*end),
            Some(VersionEnd::Newest | VersionEnd::Unknown) | None => None,
        };
        Some(VersionFacts {
            reported: reported.to_owned(),
            configured: setting.version.clone(),
            image: setting.image.clone(),
            configured_at: known.since()?,
            worker: known.worker().map(str::to_owned),
            ends_at,
            days_left: ends_at.map(|it| release::days_left(it, now)),
            newest: self.newest(&state),
        })
    }

    /// Hears of each change.
    #[must_use]
    pub fn changed(&self) -> Changed {
        Changed(self.0.state.subscribe())
    }

    /// Names a group in Events, once it was configured.
    fn reference(&self, group: &str) -> Option<ObjectReference> {
        self.0.state.borrow().groups.get(group)?.reference().cloned()
    }

    fn newest(&self, state: &State) -> String {
        let at_github = state.ends.iter().filter(|(_, end)| **end == VersionEnd::Newest);
        let known = [RUNNER_VERSION, &self.0.installation.version];
        let all = known.into_iter().chain(at_github.map(|(version, _)| version.as_str()));
        all.max_by_key(|it| release::numbers(it)).unwrap_or(RUNNER_VERSION).to_owned()
    }

    fn setting(&self, group: &Group) -> Setting {
        let installation = &self.0.installation;
        Setting {
            version: group.runner_version.clone().unwrap_or_else(|| installation.version.clone()),
            image: group.runner_image().unwrap_or(&installation.image).to_owned(),
        }
    }

    fn change(&self, group: &str, change: impl FnOnce(&mut Known)) {
        self.0.state.send_if_modified(|state| {
            let before = state.groups.get(group).cloned().unwrap_or_default();
            let mut known = before.clone();
            change(&mut known);
            let changed = known != before;
            if changed {
                state.groups.insert(group.to_owned(), known);
            }
            changed
        });
    }
}

/// Waits for changes.
#[derive(Debug)]
pub struct Changed(channel::Receiver<State>);

impl Changed {
    /// Until something is known that was not at the last call; `false` when nothing more can come.
    pub async fn wait(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }

    fn all_seen(&mut self) {
        self.0.mark_unchanged();
    }
}

#[cfg(test)]
mod tests;
