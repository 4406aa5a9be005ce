//! The names of everything a job leaves behind: derived from the job, so that every step bears repeating.
//!
//! Each name is a prefix that people recognise and a hash that makes it ours.

use std::fmt;

use sha2::{Digest, Sha256};

/// Longest cut of a group's name in front of a RunnerJob's or pod's hash.
const GROUP_CUT: usize = 40;
/// Longest cut of a group's name in an agent's: GitHub takes 64 characters, and index and generation need room.
const AGENT_GROUP_CUT: usize = 32;

/// The name of a `RunnerJob`: one for each offer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunnerJobName(String);

impl RunnerJobName {
    /// Derives the name from the group that was offered the job and GitHub's request id.
    #[must_use]
    pub fn of_offer(group: &str, group_uid: &str, request_id: &str) -> Self {
        Self(format!("{}-{}", cut(group, GROUP_CUT), hash(&[group_uid, request_id], 10)))
    }

    /// Takes a name that the cluster holds already.
    #[must_use]
    pub fn existing(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name of the Secret that holds the job's payload.
    #[must_use]
    pub fn payload_secret(&self) -> String {
        format!("{}-payload", self.0)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A number that differs between jobs and is the same for one job in every process: the seed of its jitter.
    #[must_use]
    pub fn seed(&self) -> u64 {
        u64::from_be_bytes(first_bytes(&digest(&[&self.0])))
    }
}

impl fmt::Display for RunnerJobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of the worker pod of one job. Two claims of one job derive the same name, and so meet at the pod.
#[must_use]
pub fn pod(group: &str, plan_id: &str, job_id: &str) -> String {
    let plan_id = plan_id.to_ascii_lowercase();
    let job_id = job_id.to_ascii_lowercase();
    format!("{}-{}", cut(group, GROUP_CUT), hash(&[&plan_id, &job_id], 12))
}

/// All agents of one runner group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSeries(String);

impl AgentSeries {
    /// The series of the group with this name and uid.
    #[must_use]
    pub fn new(group: &str, group_uid: &str) -> Self {
        Self(format!("{}-{}", cut(group, AGENT_GROUP_CUT), hash(&[group_uid], 8)))
    }

    /// The runner name of one agent's generation, at most 64 characters.
    #[must_use]
    pub fn agent(&self, index: u32, generation: u32) -> String {
        format!("{}-{index}-{generation}", self.0)
    }

    /// The name of the Secret that holds the agent's registration, whatever its generation.
    #[must_use]
    pub fn secret(&self, index: u32) -> String {
        format!("{}-agent-{index}", self.0)
    }

    /// A number that differs between groups and is the same for one group in every process: the seed of its jitter.
    #[must_use]
    pub fn seed(&self) -> u64 {
        u64::from_be_bytes(first_bytes(&digest(&[&self.0])))
    }

    /// Index and generation of a runner name of this series; `None` for every other name, which is not ours to touch.
    #[must_use]
    pub fn parse(&self, runner_name: &str) -> Option<(u32, u32)> {
        let (index, generation) = runner_name.strip_prefix(&self.0)?.strip_prefix('-')?.split_once('-')?;
        let parsed = (index.parse().ok()?, generation.parse().ok()?);
        (self.agent(parsed.0, parsed.1) == runner_name).then_some(parsed)
    }
}

/// The head of a name, such that it still begins and ends as a DNS label must.
fn cut(name: &str, longest: usize) -> String {
    let head: String = name.chars().take(longest).map(|it| if it == '.' { '-' } else { it }).collect();
    head.trim_matches('-').to_owned()
}

/// The first `length` hex digits of the SHA-256 over `parts`; a slash, which no part holds, keeps them apart.
fn hash(parts: &[&str], length: usize) -> String {
    let mut hex = hex::encode(digest(parts));
    hex.truncate(length);
    hex
}

fn digest(parts: &[&str]) -> [u8; 32] {
    Sha256::digest(parts.join("/").as_bytes()).into()
}

fn first_bytes<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&digest[..N]);
    bytes
}

#[cfg(test)]
mod tests;
