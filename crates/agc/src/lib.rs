//! The tenant's controller: listens at GitHub for the jobs of a gateway's groups and runs each in a pod of its own.
//!
//! ```text
//! broker message ─ agents ──▶ Offer ──────────┐
//! Pod, RunnerJob ──────────── watches ────────┼─▶ dispatcher ─▶ job::Job ─▶ executor ─▶ GitHub, Secrets, Pods
//! timers, what the start found ─── adopt ─────┘        │                        └─────▶ answers, back to it
//!                                                      └─▶ report ─▶ metrics, Events, log lines, spans
//! ```

mod agents;
pub mod args;
pub mod config;
mod credential;
pub mod dry_run;
pub mod github;
pub mod jobs;
pub mod pod;
mod reaper;
pub mod report;
pub mod run;
pub mod runner_group;
pub mod versions;
mod watches;

/// The field manager of everything that this program applies.
pub const MANAGER: &str = "actions-gateway-agc";
