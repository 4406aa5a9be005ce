//! What one of our programs writes for another: environment variables, files and reports.
//!
//! Each contract is one type with both directions and a round-trip test, so that writer and reader cannot
//! drift apart. [`agc`] is what the GMC writes on the tenant's controller, [`worker`] what the controller writes
//! for the wrapper and what the wrapper reports back, [`proxy`] what the egress proxy and its clients are configured by;
//! [`pod`] is what all of them count on.

pub mod agc;
pub mod pod;
pub mod proxy;
pub mod worker;

mod env;

pub use env::EnvError;
