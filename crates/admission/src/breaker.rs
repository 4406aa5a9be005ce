//! Stops a group's claims once the API server has refused a pod after its job was claimed: a claim cannot be given back.
//!
//! ```text
//! Closed ── refused ─▶ Open ── a dry run passes, and the world has changed ─▶ Trial ── a claim ─▶ First
//!    ▲                  ▲                                                      ▲                    │
//!    │                  └────────────────── refused ───────────────────────────┼────────────────────┤
//!    │                                                                         └── over unplaced ───┤
//!    └───────────────────────────────────── a pod stands ───────────────────────────────────────────┘
//! ```
//!
//! Jobs that are claimed already wait under their locks. One of them, if there is any, goes first.

/// The breaker of one group; `J` names its jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker<J>(State<J>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State<J> {
    Closed,
    /// A pod was refused with these words, in this state of the world.
    Open {
        words: String,
        revision: u64,
    },
    /// One job may go first.
    Trial {
        words: String,
        revision: u64,
    },
    /// It went, as the trial that a change of the world allows or as one that waited for its pod.
    First {
        words: String,
        revision: u64,
        job: J,
        trial: bool,
    },
}

impl<J> Default for Breaker<J> {
    fn default() -> Self {
        Self(State::Closed)
    }
}

impl<J: PartialEq> Breaker<J> {
    /// A pod was refused, with these words. `revision` is the state of the world that is known.
    pub fn refused(&mut self, words: String, revision: u64) {
        self.0 = State::Open { words, revision };
    }

    /// A dry run has passed in this state of the world.
    pub fn passed(&mut self, now: u64) {
        if let State::Open { words, revision } = &self.0
            && now > *revision
        {
            self.0 = State::Trial { words: words.clone(), revision: now };
        }
    }

    /// This job goes first: it is about to be claimed, or its pod to be posted again.
    pub fn went(&mut self, job: J) {
        let trial = matches!(self.0, State::Trial { .. });
        if let State::Open { words, revision } | State::Trial { words, revision } = &self.0 {
            self.0 = State::First { words: words.clone(), revision: *revision, job, trial };
        }
    }

    /// A job has ended. If it was the one that went first, and nothing was said of its pod, another may go.
    pub fn over(&mut self, ended: &J) {
        if let State::First { words, revision, job, trial } = &self.0
            && job == ended
        {
            let (words, revision) = (words.clone(), *revision);
            self.0 = if *trial { State::Trial { words, revision } } else { State::Open { words, revision } };
        }
    }

    /// A pod of the group stands. Whether that closes the breaker.
    pub fn placed(&mut self) -> bool {
        let closes = self.0 != State::Closed;
        self.0 = State::Closed;
        closes
    }

    /// Whether a job that waits for it may try its pod again, now that a dry run has passed.
    #[must_use]
    pub fn lets_one_go(&self) -> bool {
        matches!(self.0, State::Open { .. } | State::Trial { .. })
    }

    /// What was said of the pod that was refused, until one stands.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match &self.0 {
            State::Open { words, .. } | State::Trial { words, .. } | State::First { words, .. } => {
                Some(words)
            }
            State::Closed => None,
        }
    }

    /// What was said of the pod that was refused, while no job may be claimed.
    #[must_use]
    pub fn holds(&self) -> Option<&str> {
        match &self.0 {
            State::Open { words, .. } | State::First { words, .. } => Some(words),
            State::Closed | State::Trial { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
