//! An orderly end: the first SIGTERM or SIGINT asks everyone to finish, the second ends the process.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The exit code of a process that was told to end twice.
pub const EXIT_ABORTED: i32 = 130;

/// The one drain signal, and who still has to act on it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    requested: CancellationToken,
    aborted: CancellationToken,
    failed: AtomicBool,
    work: TaskTracker,
    services: TaskTracker,
    running: Mutex<Vec<&'static str>>,
}

/// The signal handlers could not be installed.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen for {signal}")]
pub struct InstallError {
    signal: &'static str,
    #[source]
    source: std::io::Error,
}

/// The components that had not finished when the patience was over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("still running: {}", .0.join(", "))]
pub struct Unfinished(pub Vec<&'static str>);

impl Shutdown {
    /// Without signal handlers: for tests and for programs inside a program.
    pub fn new() -> Self {
        Shutdown::default()
    }

    /// Listens for SIGTERM and SIGINT from now on.
    ///
    /// # Errors
    /// [`InstallError`] if the process may not have handlers.
    pub fn install() -> Result<Self, InstallError> {
        let shutdown = Shutdown::new();
        let signals = futures::stream::select(
            listen(SignalKind::terminate(), "SIGTERM")?,
            listen(SignalKind::interrupt(), "SIGINT")?,
        );
        tokio::spawn(shutdown.clone().follow(signals, || std::process::exit(EXIT_ABORTED)));
        Ok(shutdown)
    }

    async fn follow(self, signals: impl Stream<Item = &'static str>, abort: impl FnOnce()) {
        let mut signals = std::pin::pin!(signals);
        let Some(first) = signals.next().await else { return };
        tracing::info!(signal = first, "draining");
        self.request();
        let Some(second) = signals.next().await else { return };
        tracing::warn!(signal = second, "received a second signal: exiting at once");
        abort();
    }

    /// Starts the drain from inside.
    pub fn request(&self) {
        self.0.requested.cancel();
    }

    /// Cancelled by the first signal: stop taking work, finish what is in hand.
    pub fn requested(&self) -> CancellationToken {
        self.0.requested.clone()
    }

    /// Cancelled when the drain is over: for what serves until the end, such as the probes.
    pub fn aborted(&self) -> CancellationToken {
        self.0.aborted.clone()
    }

    /// Runs a component that ends by itself once [`Shutdown::requested`] is cancelled; the drain waits for it.
    ///
    /// One that ends before it was asked to, or panics, takes the process with it: half a program is worse
    /// than a restart.
    pub fn spawn(&self, name: &'static str, component: impl Future<Output = ()> + Send + 'static) {
        self.0.work.spawn(self.clone().watch_over(name, component));
    }

    /// Runs a component that ends once [`Shutdown::aborted`] is cancelled, after the drain.
    pub fn spawn_service(&self, name: &'static str, component: impl Future<Output = ()> + Send + 'static) {
        self.0.services.spawn(self.clone().watch_over(name, component));
    }

    async fn watch_over(self, name: &'static str, component: impl Future<Output = ()> + Send + 'static) {
        self.running().push(name);
        // The task of its own turns a panic of the component into a value here.
        let ended = tokio::spawn(component).await;
        self.running().retain(|it| *it != name);
        if !self.0.requested.is_cancelled() {
            tracing::error!(name, panicked = ended.is_err(), "a component exited early: shutting down");
            self.0.failed.store(true, Ordering::Relaxed);
            self.request();
        }
    }

    /// True when a component ended before it was asked to: the process should exit with a failure.
    pub fn failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Waits until the drain is asked for, then up to `patience` for the work, then cancels
    /// [`Shutdown::aborted`] and gives the services a little time.
    ///
    /// # Errors
    /// [`Unfinished`] names who would not end.
    pub async fn drain(&self, patience: Duration) -> Result<(), Unfinished> {
        /// Services have nothing to finish but the answers in hand and a lease to give back.
        const LAST_WORDS: Duration = Duration::from_secs(3);
        self.0.requested.cancelled().await;
        self.0.work.close();
        self.0.services.close();
        let _ = tokio::time::timeout(patience, self.0.work.wait()).await;
        self.0.aborted.cancel();
        let _ = tokio::time::timeout(LAST_WORDS, self.0.services.wait()).await;
        let left = self.running().clone();
        if left.is_empty() { Ok(()) } else { Err(Unfinished(left)) }
    }

    /// Nothing panics while it holds the lock, so what it holds is whole.
    fn running(&self) -> MutexGuard<'_, Vec<&'static str>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(kind: SignalKind, name: &'static str) -> Result<impl Stream<Item = &'static str>, InstallError> {
    let signal = signal(kind).map_err(|source| InstallError { signal: name, source })?;
    let next = move |mut signal: Signal| async move { signal.recv().await.map(|()| (name, signal)) };
    // Boxed to be `Unpin`, which `select` asks for.
    Ok(futures::stream::unfold(signal, next).boxed())
}

#[cfg(test)]
mod tests;
