//! Agents: the runner records of a group at GitHub, and the sessions that listen with them.
//!
//! [`pool`] owns the agents of one group and decides who listens; [`registrar`] registers, stores and removes them;
//! [`record`] is what is stored of one.

pub mod pool;
pub mod record;
pub mod registrar;
mod slot;

pub use pool::{Facts, Message, Pool, PoolHandle};
pub use record::Agent;
pub use registrar::{RegisterError, Registrar};

/// Why an agent got another generation: the label of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Trigger {
    /// Its job is over.
    PostJob,
    /// It was found dead while it listened.
    StaleSession,
    /// It was found consumed at the start.
    Startup,
    /// It could not be registered, and a later pass of the group's controller mended it.
    ReconcileRepair,
}

impl Trigger {
    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
