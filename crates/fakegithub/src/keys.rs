//! RSA keys made ahead of need: generating one takes longer than a registration may.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::rsa::{Error, RsaKey};

/// Keys that wait to be used. One registration a second drains this in a few seconds, which the thread makes up for.
const AHEAD: usize = 4;

/// A store of fresh keys, filled by a thread that ends when the last handle is dropped. Cheap to clone: servers of
/// one process may share it, which saves their tests most of their CPU time.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Mutex<Receiver<Arc<RsaKey>>>>);

impl Keys {
    /// Starts the thread. With `number` above 0 it makes so many keys and then hands out the same ones in turn.
    pub fn distinct(number: usize) -> Self {
        let (sender, receiver) = sync_channel(AHEAD);
        // Without the thread every key is made on demand: slower, and right all the same.
        let _ = thread::Builder::new().name("rsa-keys".into()).spawn(move || fill(&sender, number));
        Self(Arc::new(Mutex::new(receiver)))
    }

    /// A key: at once when one is ready, else as soon as it is made. Blocks.
    pub(crate) fn take(&self) -> Result<Arc<RsaKey>, Error> {
        let ready = self.0.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
        match ready {
            Ok(key) => Ok(key),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => RsaKey::generate().map(Arc::new),
        }
    }
}

fn fill(sender: &SyncSender<Arc<RsaKey>>, distinct: usize) {
    let mut made: Vec<Arc<RsaKey>> = Vec::new();
    let mut handed_out = 0usize;
    loop {
        let key = match distinct > 0 && made.len() >= distinct {
            true => made.get(handed_out % distinct).cloned(),
            false => RsaKey::generate().ok().map(Arc::new),
        };
        let Some(key) = key else { return };
        if distinct > made.len() {
            made.push(Arc::clone(&key));
        }
        handed_out += 1;
        if sender.send(key).is_err() {
            return;
        }
    }
}
