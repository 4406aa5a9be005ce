//! The pools of all groups: started with what the start found, drained at the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use github::token::TokenState;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::agents::pool::{Context, Inherited};
use crate::agents::{Message, Pool, PoolHandle};
use crate::jobs::message;
use crate::runner_group::group::Group;
use crate::versions::Versions;

/// All pools. Cheap to clone; clones share the pools.
#[derive(Clone)]
pub struct Pools(Arc<Inner>);

struct Inner {
    context: Context,
    dispatcher: mpsc::Sender<message::Message>,
    groups: watch::Sender<BTreeMap<String, Arc<Group>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pools: BTreeMap<String, (String, PoolHandle)>,
    inherited: BTreeMap<String, Inherited>,
    closed: bool,
}

impl Pools {
    /// No pools yet; `inherited` is what the start found of their agents.
    #[must_use]
    pub fn new(
        context: Context,
        dispatcher: mpsc::Sender<message::Message>,
        inherited: BTreeMap<String, Inherited>,
    ) -> Self {
        let state = Mutex::new(State { inherited, ..State::default() });
        Self(Arc::new(Inner { context, dispatcher, groups: watch::Sender::default(), state }))
    }

    /// The groups that have pools.
    #[must_use]
    pub fn groups(&self) -> watch::Receiver<BTreeMap<String, Arc<Group>>> {
        self.0.groups.subscribe()
    }

    /// The group has a pool, and everybody knows what it asks for.
    pub async fn ensure(&self, group: Arc<Group>) {
        let github = self.0.context.registrar.github();
        github.versions.configure(&group, github.clock.now());
        let Some(pool) = self.pool_of(&group) else { return };
        self.0.groups.send_modify(|it| drop(it.insert(group.id.name.clone(), group.clone())));
        let message = message::Message::Group(group.clone(), pool.clone());
        // Both outlive the controller, or the process is ending.
        let _ = self.0.dispatcher.send(message).await;
        pool.tell(Message::Configure(group));
    }

    fn pool_of(&self, group: &Arc<Group>) -> Option<PoolHandle> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        if let Some((uid, pool)) = state.pools.get(&group.id.name)
            && *uid == group.id.uid
        {
            return Some(pool.clone());
        }
        let inherited = state.inherited.remove(&group.id.name).unwrap_or_default();
        let pool = Pool::start(group.clone(), inherited, self.0.context.clone());
        state.pools.insert(group.id.name.clone(), (group.id.uid.clone(), pool.clone()));
        Some(pool)
    }

    /// Tells every pool whenever there is an installation token after a time without one.
    pub async fn watch(&self, mut tokens: watch::Receiver<TokenState>, stop: CancellationToken) {
        loop {
            let missing = tokens.borrow_and_update().token().is_none();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = tokens.changed() => if changed.is_err() { return },
            }
            if missing && tokens.borrow().token().is_some() {
                let pools: Vec<PoolHandle> =
                    self.state().pools.values().map(|(_, pool)| pool.clone()).collect();
                pools.iter().for_each(|it| it.tell(Message::CredentialsBack));
            }
        }
    }

    /// Tells a group's pool whenever its sessions are to report another runner version than before.
    pub async fn watch_versions(&self, versions: Versions, stop: CancellationToken) {
        let mut changed = versions.changed();
        let mut known = versions.reported();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                more = changed.wait() => if !more { return },
            }
            let reported = versions.reported();
            for (group, version) in &reported {
                if known.get(group).is_none_or(|it| it == version) {
                    continue;
                }
                tracing::info!(runner_group = group, version, "the reported runner version changed");
                let pool = self.state().pools.get(group).map(|(_, pool)| pool.clone());
                if let Some(pool) = pool {
                    pool.tell(Message::VersionChanged);
                }
            }
            known = reported;
        }
    }

    /// The group listens no more.
    pub async fn close(&self, group: &str) {
        let pool = self.state().pools.remove(group);
        if let Some((_, pool)) = pool {
            pool.drain().await;
        }
    }

    /// Nobody listens any more, nor ever will.
    pub async fn close_all(&self) {
        let pools = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.pools)
        };
        let drained = pools.values().map(|(_, pool)| pool.drain());
        futures::future::join_all(drained).await;
    }

    /// The group is gone.
    pub async fn forget(&self, group: &str) {
        self.0.groups.send_modify(|it| drop(it.remove(group)));
        self.0.context.registrar.github().versions.forget(group);
        self.0.context.states.forget(group);
        self.0.context.reporter.group_gone(group);
        let _ = self.0.dispatcher.send(message::Message::GroupGone(group.to_owned())).await;
    }

    /// Nothing panics while it holds the lock, so what it holds is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
