//! The jobs of the namespace: offered, acquired, run in a pod each, written down, taken up again after a restart.

pub(crate) mod acquired;
pub(crate) mod adopt;
pub(crate) mod dispatcher;
pub(crate) mod executor;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod offer;
pub mod payload;
pub(crate) mod snapshot;
pub(crate) mod words;
