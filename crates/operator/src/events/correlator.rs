//! What has been said already, and how often, as client-go's event correlator knows; decides, and sends nothing.

use std::{collections::HashMap, time::Duration};

use api::events::Reason;
use tokio::time::Instant;

use super::Said;

/// What is silent for so long begins a new Event when it is said again.
const EPISODE: Duration = Duration::from_secs(360);

/// A count is written at most so often.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// New Events about one object: so many at once, then one in five minutes.
const BURST: f64 = 25.0;
const REFILL: Duration = Duration::from_secs(300);

/// Beyond this many, what is older than an episode is dropped; if that is not enough, all is. That costs no more
/// than an Event too many.
const TIDY_AT: usize = 4096;

/// What to do with something said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing now: it was counted, or the object has used up its budget.
    Ignore,
    /// A new Event.
    Create,
    /// The Event that stands was observed so many times.
    Count { event: String, count: i32 },
}

#[derive(Debug, Default)]
pub(super) struct Correlator {
    entries: HashMap<Key, Entry>,
    budgets: HashMap<Subject, Budget>,
}

/// kube's own recorder leaves the note out and so repeats the first note for all that follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    subject: Subject,
    reason: Reason,
    note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subject {
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    uid: Option<String>,
}

#[derive(Debug)]
struct Entry {
    event: Option<String>,
    count: i32,
    heard: Instant,
    counted: Instant,
}

#[derive(Debug)]
struct Budget {
    tokens: f64,
    at: Instant,
}

impl Correlator {
    /// Something was said.
    pub(super) fn hear(&mut self, said: &Said, now: Instant) -> Verdict {
        self.tidy(now);
        let key = Key::of(said);
        match self.entries.get_mut(&key) {
            Some(entry) if now - entry.heard < EPISODE => entry.again(now),
            _ if self.budgets.entry(key.subject.clone()).or_insert_with(|| Budget::full(now)).take(now) => {
                self.entries.insert(key, Entry { event: None, count: 1, heard: now, counted: now });
                Verdict::Create
            }
            _ => Verdict::Ignore,
        }
    }

    /// The Event of what was said stands under this name.
    pub(super) fn published(&mut self, said: &Said, event: String) {
        if let Some(entry) = self.entries.get_mut(&Key::of(said)) {
            entry.event = Some(event);
        }
    }

    fn tidy(&mut self, now: Instant) {
        if self.entries.len() > TIDY_AT {
            self.entries.retain(|_, it| now - it.heard < EPISODE);
            if self.entries.len() > TIDY_AT {
                self.entries.clear();
            }
        }
        if self.budgets.len() > TIDY_AT {
            self.budgets.retain(|_, it| it.refilled(now) < BURST);
            if self.budgets.len() > TIDY_AT {
                self.budgets.clear();
            }
        }
    }
}

impl Entry {
    fn again(&mut self, now: Instant) -> Verdict {
        self.count = self.count.saturating_add(1);
        self.heard = now;
        match &self.event {
            // The first attempt failed.
            None => Verdict::Create,
            Some(_) if now - self.counted < COUNT_EVERY => Verdict::Ignore,
            Some(event) => {
                self.counted = now;
                Verdict::Count { event: event.clone(), count: self.count }
            }
        }
    }
}

impl Budget {
    fn full(now: Instant) -> Self {
        Budget { tokens: BURST, at: now }
    }

    fn refilled(&self, now: Instant) -> f64 {
        (self.tokens + (now - self.at).as_secs_f64() / REFILL.as_secs_f64()).min(BURST)
    }

    fn take(&mut self, now: Instant) -> bool {
        self.tokens = self.refilled(now);
        self.at = now;
        let granted = self.tokens >= 1.0;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }
}

impl Key {
    fn of(said: &Said) -> Self {
        let Said { regarding, reason, note } = said;
        let subject = Subject {
            kind: regarding.kind.clone(),
            namespace: regarding.namespace.clone(),
            name: regarding.name.clone(),
            uid: regarding.uid.clone(),
        };
        Key { subject, reason: *reason, note: note.clone() }
    }
}

#[cfg(test)]
mod tests;
