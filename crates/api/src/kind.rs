//! Our kinds, as conditions and Events are about one.

use strum::{EnumIter, EnumString, IntoStaticStr};

/// One of our kinds. The variant's name is the word in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, EnumString, IntoStaticStr)]
pub enum Kind {
    /// [`crate::ActionsGateway`].
    ActionsGateway,
    /// [`crate::RunnerGroup`].
    RunnerGroup,
    /// [`crate::RunnerJob`].
    RunnerJob,
}

impl Kind {
    /// The word in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
