//! Agents: the runner records of a group at GitHub, and the sessions that listen with them.
//!
//! [`pool`] owns the agents of one group and does what the machine of its listeners decides; [`handle`] is how the rest of
//! the program speaks to it; [`registrar`] registers, stores and removes agents; [`record`] is what is stored of one.

pub mod handle;
pub mod pool;
pub mod record;
pub mod registrar;

pub use handle::{Message, PoolHandle};
pub use pool::Pool;
pub use record::Agent;
pub use registrar::Registrar;
