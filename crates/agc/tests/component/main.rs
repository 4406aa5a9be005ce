//! The whole controller over real sockets: a fake GitHub on one side, a fake API server on the other, and a kubelet
//! that does what each test says. After each test GitHub has nothing to object to.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may end the test")]

mod judge;
mod kubelet;
mod rig;

mod agents;
mod crash;
mod endings;
mod faults;
mod jobs;
mod leases;
mod lines;
mod placement;
mod restarts;
mod sidecars;
mod starts;
mod storm;
mod versions;
mod waiting;
