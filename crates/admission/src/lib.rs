//! Decides whether one more job of a group may be claimed, and what its pod takes from the namespace's quotas. Knows no
//! clock, no socket and no cluster: what the API server has said is an argument.
//!
//! [`admit`] is asked before each claim; what it answers, a [`Verdict`], is a metric's word, a status's sentence and a log
//! line's. What a job takes from a ResourceQuota is a [`Demand`], reckoned as the API server reckons it.
//!
//! ```
//! use admission::{Ceiling, Demand, Question, Quota, Worker, admit};
//! use k8s_openapi::api::core::v1::{PodSpec, ResourceQuota};
//!
//! let demand = Demand::of(&PodSpec::default());
//! let quotas = [Quota::of(&ResourceQuota::default())];
//! let question = Question {
//!     draining: false,
//!     worker: Worker::Accepted(&demand),
//!     throttled: false,
//!     ceiling: &Ceiling { max_workers: Some(20), tiers: Vec::new() },
//!     active: 20,
//!     reserved: &[],
//!     quotas: &quotas,
//! };
//! let verdict = admit(&question);
//! assert_eq!((verdict.as_str(), verdict.to_string().as_str()), ("ceiling", "20 of 20 workers"));
//! ```

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
