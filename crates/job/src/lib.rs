//! Decides the life of one job: events and a time in, effects out. Knows no clock, no socket and no cluster.
//!
//! [`Job`] is the machine; [`listeners`] is that of the sessions that jobs are offered to. Around them stand the pure
//! decisions that need the same care: the [`naming`] of everything a job leaves in the cluster, its [`outcome`] and its
//! [`trace`] ids.
//!
//! ```
//! use job::effect::{Call, Effect, Write};
//! use job::{Event, Job, Policy};
//! let now = jiff::Timestamp::UNIX_EPOCH;
//! let mut job = Job::offered(Policy::default(), 7, now);
//! let effects = job.handle(Event::Admitted, now);
//! assert!(effects.contains(&Effect::Write(Write::CreateRunnerJob))); // the intent is written before the claim
//! assert!(!effects.contains(&Effect::Call(Call::AcquireJob)));
//! ```

pub mod effect;
mod event;
mod job;
pub mod listeners;
pub mod naming;
pub mod outcome;
pub mod trace;
mod waiting;

pub use effect::{Effect, Fact, Kept, NotAcquired, Step, Timer, Unreported};
pub use event::{
    AgentState, Asked, Event, PodRefusal, PodStage, PodView, StartFailure, StepOutcome, Verdict,
};
pub use job::{DeadLetter, Ended, Job, Phase, Policy, Recovered, Settlement, Times};
pub use outcome::{Ending, Outcome};
pub use waiting::Waiting;
