//! The ledger: which process began which job. GitHub has no such thing; the stand-in runner writes into it, so that a
//! test can say that a job ran once, by another witness than the controller.

use jiff::Timestamp;
use serde::Serialize;

use super::State;

/// The largest ledger: far above what a test run begins, and a bound on memory.
const LIMIT: usize = 100_000;

/// A worker that began a job, before its first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// The run.
    pub run_id: u64,
    /// The run's attempt.
    pub attempt: u64,
    /// The job's id at the run service.
    pub job_id: String,
    /// The worker's own name for this start: a start that is told twice stands here once.
    pub start_id: String,
    /// The pod, as the worker names it: its uid where it was told, else the host's name.
    pub pod_uid: String,
    /// When it was written.
    pub time: Timestamp,
}

impl State {
    /// Writes that a worker begins a job. False when the ledger is full.
    pub(crate) fn begin(&mut self, job: u64, start_id: &str, pod_uid: &str, now: Timestamp) -> bool {
        let Some(known) = self.jobs.get(&job) else { return false };
        let entry = LedgerEntry {
            run_id: known.run,
            attempt: known.attempt,
            job_id: known.guid.to_string(),
            start_id: start_id.to_owned(),
            pod_uid: pod_uid.to_owned(),
            time: now,
        };
        let same = |it: &LedgerEntry| it.job_id == entry.job_id && it.start_id == entry.start_id;
        if self.ledger.iter().any(same) {
            return true;
        }
        if self.ledger.len() == LIMIT {
            return false;
        }
        self.ledger.push(entry);
        true
    }

    /// The entries of one run, or all.
    pub(crate) fn ledger(&self, run: Option<u64>) -> Vec<LedgerEntry> {
        self.ledger.iter().filter(|it| run.is_none_or(|run| it.run_id == run)).cloned().collect()
    }
}
