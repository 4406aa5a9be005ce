//! What the stand-in does not know, it does not guess: the job fails and says why.

/// Something in a job that only the real runner understands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: {0} (this is the stand-in runner, which runs `run` steps only)")]
pub struct Refusal(pub String);
