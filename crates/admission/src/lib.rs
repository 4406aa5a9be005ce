//! Decides whether one more job of a group may be claimed, and what its pod takes from the namespace's quotas. Knows no
//! clock, no socket and no cluster: what the API server has said is an argument.
//!
//! [`admit`] is asked before each claim; what it answers, a [`Verdict`], is a metric's word, a status's sentence and a log
//! line's. What a job takes from a ResourceQuota is a [`Demand`], reckoned as the API server reckons it.

mod amounts;
pub mod breaker;
mod ceiling;
mod demand;
pub mod limit_range;
pub mod quantity;
mod question;
mod quota;
mod refusal;
mod resources;

pub use amounts::Amounts;
pub use ceiling::{Ceiling, Tier};
pub use demand::{Demand, Need, Object};
pub use question::{Question, Verdict, Worker, admit};
pub use quota::{Quota, Shortage};
pub use refusal::refusals;
