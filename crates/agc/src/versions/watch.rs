//! Asks GitHub once a day, and at once for a new one, until when each reported version is served, and tells.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use github::App;
use github::app::AppError;
use github_proto::rest::VersionEnd;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use runtime::clock::Clock;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{VersionFacts, Versions};
use crate::report::Reporter;
use crate::runner_group::state::GroupStates;

/// Once a day, and not all controllers at the same time.
const DAILY: (Duration, Duration) = (Duration::from_secs(23 * 3600), Duration::from_secs(25 * 3600));

/// After a failure that may pass by itself.
const AGAIN: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(900));

/// Who knows until when a version is served.
pub trait Almanac: Send + Sync {
    /// Asks for one version.
    fn end_of(&self, version: &str) -> impl Future<Output = Result<VersionEnd, AppError>> + Send;
}

impl Almanac for App {
    async fn end_of(&self, version: &str) -> Result<VersionEnd, AppError> {
        self.runner_version_end(version).await
    }
}

/// Keeps the ends of versions known, and says when one is near.
pub struct Watch<A> {
    /// What is reported, and what is known of it.
    pub versions: Versions,
    /// Asked for ends.
    pub almanac: A,
    /// Hears what is known of each group.
    pub states: GroupStates,
    /// Shows the days that are left, and warns.
    pub reporter: Reporter,
    /// Time of day, and chance.
    pub clock: Clock,
}

/// When each version is asked for next.
type Due = BTreeMap<String, Instant>;

impl<A: Almanac> Watch<A> {
    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut changed = self.versions.changed();
        let (mut due, mut warned) = (Due::new(), Warned::default());
        loop {
            // What changes from here on wakes us again.
            changed.all_seen();
            self.tell(&mut warned);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.ask(&mut due) => {}
            }
            let next = due.values().min().copied().unwrap_or_else(|| Instant::now() + DAILY.0);
            tokio::select! {
                () = stop.cancelled() => return,
                more = changed.wait() => if !more { return },
                () = sleep_until(next) => {}
            }
        }
    }

    /// Asks for what is due, one after the other: there are as many as there are runner images.
    async fn ask(&self, due: &mut Due) {
        let reported: BTreeSet<String> = self.versions.reported().into_values().collect();
        due.retain(|version, _| reported.contains(version));
        self.versions.keep_ends(&reported);
        for version in reported {
            if due.get(&version).is_some_and(|it| *it > Instant::now()) {
                continue;
            }
            let pause = match self.almanac.end_of(&version).await {
                Ok(end) => {
                    tracing::debug!(
                        version,
                        ?end,
                        "read from GitHub until when the runner version is supported"
                    );
                    self.versions.ends(&version, end);
                    DAILY
                }
                Err(error) => {
                    let (transient, error) = (error.is_transient(), operator::describe(&error));
                    tracing::warn!(version, %error, "failed to read from GitHub until when the runner version is supported");
                    if transient { AGAIN } else { DAILY }
                }
            };
            due.insert(version, Instant::now() + self.clock.between(pause));
        }
    }

    /// Says what is known of every group, where it is looked for.
    fn tell(&self, warned: &mut Warned) {
        let groups = self.versions.reported();
        warned.0.retain(|group, _| groups.contains_key(group));
        for group in groups.into_keys() {
            let Some(facts) = self.versions.facts(&group, self.clock.now()) else { continue };
            self.reporter.version_days_left(&group, facts.days_left);
            self.warn(&group, &facts, warned);
            self.states.update(&group, |it| it.runner_version = Some(facts));
        }
    }

    fn warn(&self, group: &str, facts: &VersionFacts, warned: &mut Warned) {
        let Some(reference) = self.versions.reference(group) else { return };
        let today = self.clock.now().to_zoned(TimeZone::UTC).date();
        if let Some(note) = warned.due(group, facts, today) {
            self.reporter.version_ends(reference, note);
        }
    }
}

/// What each group was warned of last, and on which day.
#[derive(Debug, Default)]
struct Warned(BTreeMap<String, (Date, String)>);

impl Warned {
    /// The warning to give today: once a day, and again for another version.
    fn due(&mut self, group: &str, facts: &VersionFacts, today: Date) -> Option<String> {
        let note = facts.ending()?;
        let said = (today, facts.reported.clone());
        let before = self.0.insert(group.to_owned(), said.clone());
        (before != Some(said)).then_some(note)
    }
}

#[cfg(test)]
mod tests;
