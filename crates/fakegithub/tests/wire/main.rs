//! Raw requests against a server on loopback, over TLS: for each endpoint what it takes and what it refuses.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper may end its test")]

mod apps;
mod broker;
mod cancellation;
mod completion;
mod control;
mod delivery;
mod docs;
mod faults;
mod general;
mod jit;
mod ledger;
mod lifecycle;
mod oauth;
mod offers;
mod realrunner;
mod results;
mod rules;
mod run_service;
mod runners;
mod runs;
mod secrets;
mod steps;
mod support;
