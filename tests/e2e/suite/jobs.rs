//! The life of a job, from GitHub's queue to its result.

pub mod ending;
pub mod failures;
pub mod fence;
pub mod handed_over;
pub mod recovery;
pub mod running;
pub mod secrets;
pub mod sidecars;
pub mod starts;
pub mod stopping;
pub mod tiers;
