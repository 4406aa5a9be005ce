//! Primary rate limits (protocol §1.6): counted for each App, installation or address, in windows of an hour.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

/// What the rate-limit headers of an answer say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) limit: u64,
    pub(crate) used: u64,
    pub(crate) reset: Timestamp,
    pub(crate) resource: &'static str,
}

impl Rate {
    pub(crate) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// Requests counted so far, by subject and resource.
#[derive(Debug, Default)]
pub(crate) struct Rates(HashMap<(String, &'static str), (Timestamp, u64)>);

impl Rates {
    /// Looks, and counts `cost` requests if they are within the limit. Says also whether they were.
    pub(crate) fn spend(
        &mut self,
        subject: &str,
        resource: &'static str,
        cost: u64,
        limit: u64,
        window: SignedDuration,
        now: Timestamp,
    ) -> (Rate, bool) {
        let (reset, used) = self.0.entry((subject.to_owned(), resource)).or_insert((now + window, 0));
        if *reset <= now {
            (*reset, *used) = (now + window, 0);
        }
        let within = *used + cost <= limit;
        if within {
            *used += cost;
        }
        (Rate { limit, used: *used, reset: *reset, resource }, within)
    }
}
