//! The Gateway Manager Controller (GMC): turns each ActionsGateway into one tenant's controller, its accounts and its
//! RunnerGroups, and takes all of it down in order.
//!
//! | Module | Holds |
//! |---|---|
//! | [`args`], [`config`] | what was typed, what was decided |
//! | [`controller`] | the watches, and who leads |
//! | [`gateway`] | one pass over one gateway |
//! | [`metrics`] | the GMC's own series |

pub mod args;
pub mod config;
pub mod controller;
pub mod gateway;
pub mod metrics;
