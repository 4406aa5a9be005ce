//! Runner releases and how long each is served (protocol §2.9, §4.10). R9 and the broker read the same table.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// The version of a runner release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release([u32; 3]);

/// Not three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRelease;

impl FromStr for Release {
    type Err = NoRelease;

    fn from_str(text: &str) -> Result<Self, NoRelease> {
        let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => part.parse().map_err(|_| NoRelease),
            false => Err(NoRelease),
        };
        let parts: Vec<u32> = text.split('.').map(number).collect::<Result<_, _>>()?;
        parts.try_into().map(Self).map_err(|_| NoRelease)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl Serialize for Release {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The releases that there are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Versions {
    /// From when on each gets no jobs; never by null.
    pub(crate) served: BTreeMap<Release, Option<Timestamp>>,
    /// A release that is not in the table is refused below this.
    pub(crate) minimum: Release,
}

impl Versions {
    /// When a release stops being served; none for one that is not in the table.
    pub(crate) fn end(&self, release: Release) -> Option<Option<Timestamp>> {
        self.served.get(&release).copied()
    }

    /// Whether a runner of this release gets no jobs any more.
    pub(crate) fn refuses(&self, release: Release, now: Timestamp) -> bool {
        match self.end(release) {
            Some(end) => end.is_some_and(|end| end <= now),
            None => release < self.minimum,
        }
    }

    /// The oldest release of the table that is still served.
    pub(crate) fn oldest(&self, now: Timestamp) -> Release {
        let oldest = self.served.keys().copied().find(|release| !self.refuses(*release, now));
        oldest.unwrap_or(self.minimum)
    }
}

impl Default for Versions {
    /// GitHub's own dates.
    fn default() -> Self {
        let date = |text: &str| text.parse().ok();
        let served = [
            ([2, 333, 1], date("2026-06-30T00:00:00Z")),
            ([2, 334, 0], date("2026-08-10T00:00:00Z")),
            ([2, 335, 0], date("2026-08-14T00:00:00Z")),
            ([2, 335, 1], date("2026-09-24T15:30:55Z")),
            ([2, 336, 0], date("2026-11-05T00:00:00Z")),
            ([2, 337, 0], None),
        ];
        Self {
            served: served.into_iter().map(|(release, end)| (Release(release), end)).collect(),
            minimum: Release([2, 329, 0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn a_version_is_three_numbers() {
        assert_eq!(release("2.337.0").to_string(), "2.337.0");
        for wrong in ["", "2.337", "v2.337.0", "2.337.0.1", "2.+337.0", "latest"] {
            assert_eq!(wrong.parse::<Release>(), Err(NoRelease), "{wrong}");
        }
    }

    #[test]
    fn a_release_is_served_until_its_date_and_no_longer() {
        let versions = Versions::default();
        let end: Timestamp = "2026-09-24T15:30:55Z".parse().unwrap();
        let before = end - jiff::SignedDuration::from_secs(1);
        assert!(!versions.refuses(release("2.335.1"), before));
        assert!(versions.refuses(release("2.335.1"), end));
        assert!(!versions.refuses(release("2.337.0"), end), "the newest one has no date");
        assert_eq!(versions.oldest(end), release("2.336.0"));
    }

    #[test]
    fn a_release_that_is_not_in_the_table_is_judged_by_the_minimum() {
        let versions = Versions::default();
        assert!(versions.refuses(release("2.328.9"), Timestamp::UNIX_EPOCH));
        assert!(!versions.refuses(release("2.329.0"), Timestamp::UNIX_EPOCH));
        assert!(!versions.refuses(release("9.9.9"), Timestamp::UNIX_EPOCH));
        assert_eq!(versions.end(release("9.9.9")), None);
    }
}
