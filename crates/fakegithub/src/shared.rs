//! The one owner of the state. Its locks are held for a computation, never across an await.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::fault::Faults;
use crate::journal::Journal;
use crate::keys::Keys;
use crate::state::State;

/// What every handler, the ticker and the control API share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    journal: Mutex<Journal>,
    faults: Mutex<Faults>,
    pub(crate) keys: Keys,
    pub(crate) ca_pem: String,
    /// Counts changes that a parked request may wait for.
    changes: watch::Sender<u64>,
    /// Cancelled when the server stops: parked requests end then.
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn new(state: State, keys: Keys, ca_pem: String, stop: CancellationToken) -> Self {
        Self {
            state: Mutex::new(state),
            journal: Mutex::new(Journal::default()),
            faults: Mutex::new(Faults::default()),
            keys,
            ca_pem,
            changes: watch::Sender::new(0),
            stop,
        }
    }

    /// Works on the state at the present time, and wakes parked requests if that changed something.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timestamp::now() + state.settings.clock_offset;
        let result = work(&mut state, now);
        let changed = state.take_changed();
        drop(state);
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
        result
    }

    /// Works on the record of requests.
    pub(crate) fn journal<R>(&self, work: impl FnOnce(&mut Journal) -> R) -> R {
        work(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works on the faults.
    pub(crate) fn faults<R>(&self, work: impl FnOnce(&mut Faults) -> R) -> R {
        work(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sees every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
