//! What every controller does the same way: reach the API server within bounds, apply what is wanted, write
//! status, lead alone, try again later, and say what happened.
//!
//! | Module | Holds |
//! |---|---|
//! | [`client`] | [`client::connect`]: no hidden retries, a deadline on each call, calls counted |
//! | [`apply`] | [`apply::Applier`]: server-side apply that skips what is unchanged and never touches what is not ours; pruning |
//! | [`status`] | status writes that skip what is unchanged |
//! | [`finalizer`] | one finalizer on, one finalizer off |
//! | [`lease`] | [`lease::Elector`]: one holder at a time |
//! | [`watch()`] | a watch with a backoff, which readiness waits for |
//! | [`requeue`] | when an object or a watch that failed is tried again |
//! | [`events`] | [`events::Events`]: Kubernetes Events that never fail or delay the caller |
//! | [`metrics`] | the series that dashboards for controllers know |
//! | [`describe()`] | errors in words |
//! | [`controller`] | [`controller::run`]: one kube controller with all of the above around its reconcile |

pub mod apply;
pub mod client;
pub mod controller;
mod describe;
pub mod events;
pub mod finalizer;
pub mod lease;
pub mod metrics;
pub mod requeue;
pub mod status;
mod watch;

pub use describe::describe;
pub use watch::watch;

#[cfg(test)]
mod testing;
