//! The classic tier from the App's key to a reported job, against the fake GitHub over real TLS.
//! After each test the fake has nothing to object to.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may end the test"
)]

mod calls;
mod jobs;
mod registrations;
mod rig;
mod sessions;
