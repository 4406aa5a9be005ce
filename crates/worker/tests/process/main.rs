//! The wrapper as a process, with shell scripts in the place of `Runner.Worker`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by failing")]

mod docker;
mod environment;
mod install;
mod job;
mod log;
mod pod;
mod stop;
