//! How many calls a job costs, and whether that is too many.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::calls::Call;
use crate::figures::count;
use crate::github::Asked;

/// W1 to W10.
const WRITES: f64 = 10.0;

/// What a job is made of. Other resources are asked for at a pace of their own: Lease, Events, a group's status.
const OF_JOBS: [&str; 4] = ["pods", "runnerjobs", "runnerjobs/status", "secrets"];

/// Calls for each job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// How many jobs ran.
    pub jobs: usize,
    /// Calls to the API server about jobs, by verb and resource.
    pub api: BTreeMap<String, f64>,
    /// Other calls to the API server in the same time, not counted as a job's.
    pub beside: BTreeMap<String, f64>,
    /// Calls to GitHub, by endpoint.
    pub github: BTreeMap<String, f64>,
    /// Writes to the API server.
    pub writes: f64,
    /// Reads from the API server.
    pub reads: f64,
}

impl Tally {
    /// Counts; the records are of the time in which these jobs ran, and no others.
    pub fn of(jobs: usize, calls: &[Call], asked: &[Asked]) -> Self {
        let of_jobs = |it: &&Call| OF_JOBS.contains(&it.resource.as_str()) && it.verb != "watch";
        let named = |it: &Call| format!("{} {}", it.verb, it.resource);
        let writes = calls.iter().filter(of_jobs).filter(|it| it.is_write()).count();
        let reads = calls.iter().filter(of_jobs).filter(|it| !it.is_write()).count();
        let github = asked.iter().filter(|it| it.agent.is_some() || it.endpoint.is_some());
        Self {
            jobs,
            api: each(jobs, calls.iter().filter(of_jobs).map(named)),
            beside: each(jobs, calls.iter().filter(|it| !of_jobs(it)).map(named)),
            github: each(jobs, github.map(|it| it.endpoint.clone().unwrap_or_default())),
            writes: ratio(writes, jobs),
            reads: ratio(reads, jobs),
        }
    }

    /// Holds it to the contract: at most ten writes, no reads.
    ///
    /// # Errors
    /// It is exceeded.
    pub fn check(&self) -> Result<()> {
        if self.writes > WRITES || self.reads > 0.0 {
            bail!(
                "a job takes {} writes and {} reads; {WRITES} and none are allowed: {:#?}",
                self.writes,
                self.reads,
                self.api
            );
        }
        Ok(())
    }
}

fn each(jobs: usize, names: impl Iterator<Item = String>) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0usize) += 1;
    }
    counts.into_iter().map(|(name, count)| (name, ratio(count, jobs))).collect()
}

fn ratio(calls: usize, jobs: usize) -> f64 {
    count(calls) / count(jobs.max(1))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Call, Tally};

    fn call(verb: &str, resource: &str) -> Call {
        let now = Timestamp::UNIX_EPOCH;
        let (verb, resource) = (verb.to_owned(), resource.to_owned());
        Call { received: now, answered: now, verb, resource, name: String::new(), code: 200 }
    }

    fn check(calls: &[Call]) -> bool {
        Tally::of(1, calls, &[]).check().is_ok()
    }

    #[test]
    fn ten_writes_are_allowed_and_eleven_are_not() {
        let mut calls = vec![call("patch", "runnerjobs/status"); 10];
        assert!(check(&calls));
        calls.push(call("delete", "pods"));
        assert!(!check(&calls));
    }

    #[test]
    fn one_read_is_too_many() {
        assert!(!check(&[call("get", "secrets")]));
    }

    #[test]
    fn watches_and_leases_count_for_no_job() {
        let mut calls = vec![call("update", "leases"); 20];
        calls.push(call("watch", "pods"));
        assert!(check(&calls));
    }
}
