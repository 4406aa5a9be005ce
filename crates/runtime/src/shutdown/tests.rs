use std::sync::atomic::AtomicUsize;

use futures::FutureExt as _;
use tokio::sync::mpsc;

use super::*;

/// Signals sent by hand, and how often the process would have been aborted.
fn following(shutdown: &Shutdown) -> (mpsc::Sender<&'static str>, Arc<AtomicUsize>) {
    let (sender, receiver) = mpsc::channel(4);
    let aborts = Arc::new(AtomicUsize::new(0));
    let signals =
        futures::stream::unfold(receiver, |mut it| async move { it.recv().await.map(|got| (got, it)) });
    let counted = aborts.clone();
    tokio::spawn(shutdown.clone().follow(signals.boxed(), move || {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    (sender, aborts)
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_aborts() {
    let shutdown = Shutdown::new();
    let (signals, aborts) = following(&shutdown);
    settle().await;
    assert!(!shutdown.requested().is_cancelled());

    signals.send("SIGTERM").await.unwrap();
    shutdown.requested().cancelled().await;
    settle().await;
    assert_eq!(aborts.load(Ordering::Relaxed), 0);

    signals.send("SIGTERM").await.unwrap();
    settle().await;
    assert_eq!(aborts.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_work_and_only_then_ends_the_services() {
    let shutdown = Shutdown::new();
    let (log, mut said) = mpsc::channel(4);
    let (requested, from_work) = (shutdown.requested(), log.clone());
    shutdown.spawn("work", async move {
        requested.cancelled().await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        from_work.send("work").await.unwrap();
    });
    let aborted = shutdown.aborted();
    shutdown.spawn_service("probes", async move {
        aborted.cancelled().await;
        log.send("probes").await.unwrap();
    });
    assert!(shutdown.drain(Duration::from_secs(45)).now_or_never().is_none(), "nobody asked for it yet");
    shutdown.request();
    assert_eq!(shutdown.drain(Duration::from_secs(45)).await, Ok(()));
    assert_eq!([said.recv().await, said.recv().await], [Some("work"), Some("probes")]);
    assert!(!shutdown.failed());
}

#[tokio::test(start_paused = true)]
async fn a_drain_names_who_would_not_end() {
    let shutdown = Shutdown::new();
    shutdown.spawn("stuck", std::future::pending());
    settle().await;
    shutdown.request();
    let unfinished = shutdown.drain(Duration::from_secs(45)).await.unwrap_err();
    assert_eq!(unfinished.to_string(), "still running: stuck");
}

#[tokio::test(start_paused = true)]
async fn a_component_that_ends_early_or_panics_takes_the_process_with_it() {
    let components: [futures::future::BoxFuture<'static, ()>; 2] =
        [async {}.boxed(), async { panic!("deliberate") }.boxed()];
    for component in components {
        let shutdown = Shutdown::new();
        shutdown.spawn("fragile", component);
        shutdown.requested().cancelled().await;
        assert!(shutdown.failed());
        assert_eq!(shutdown.drain(Duration::from_secs(1)).await, Ok(()));
    }
}
