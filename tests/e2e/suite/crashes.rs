//! Controllers that end at the worst moment: every row of the crash table, and two controllers at once.
//!
//! A [`row::Row`] brings the controller to exactly one point, holds it still there, kills it from its node, lets the
//! kubelet start it again, and looks at what has come of the job.

pub mod agents;
pub mod jobs;
pub mod leases;
mod row;
mod scene;
