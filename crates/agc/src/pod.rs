//! Worker pods: how one is built from a group's template and a job, and what is read from it afterwards.

pub mod build;
pub(crate) mod observe;
pub(crate) mod refusal;
