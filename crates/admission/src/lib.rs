//! Decides whether one more job of a group may be claimed, and what its pod takes from the namespace's quotas. Knows no
//! clock, no socket and no cluster: what the API server has said is an argument.

pub mod breaker;
pub mod capacity;
pub mod quantity;
pub mod quota;
