//! The jobs of the namespace: offered, acquired, run in a pod each, written down, taken up again after a restart.

pub mod acquired;
pub mod adopt;
pub mod dispatcher;
pub mod executor;
pub mod memory;
pub mod message;
pub mod offer;
pub mod payload;
pub mod quota;
pub mod snapshot;
