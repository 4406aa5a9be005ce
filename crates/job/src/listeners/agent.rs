//! What the machine knows agents, sessions and questions by.

use std::collections::{BTreeSet, HashSet};

/// Agents are numbered from here, in each seat.
pub const FIRST_GENERATION: u32 = 1;

/// GitHub's id of a registered runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunnerId(pub u64);

/// Names one agent for good: an id is not given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId {
    /// Its seat in the group.
    pub seat: u32,
    /// Its runner at GitHub.
    pub runner: RunnerId,
}

/// A registered runner that has run no job yet, or runs its one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// Which one it is.
    pub id: AgentId,
    /// Which registration of its seat it is.
    pub generation: u32,
}

impl Agent {
    /// The generation after it.
    #[must_use]
    pub fn next_generation(&self) -> u32 {
        self.generation.saturating_add(1)
    }
}

/// One session of one agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The agent's seat.
    pub seat: u32,
    /// Tells it from an earlier session in the same seat.
    pub number: u64,
}

/// Somebody who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// What a start found of the agents of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Runners whose job runs.
    pub busy: HashSet<RunnerId>,
    /// Runners of which nobody knows whether their claim was granted.
    pub reserved: HashSet<RunnerId>,
    /// Runners whose job is over.
    pub consumed: HashSet<RunnerId>,
    /// Seats of the first two.
    pub seats: BTreeSet<u32>,
}
