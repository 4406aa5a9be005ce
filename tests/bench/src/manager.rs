//! The manager at rest. The stub lists no kind over all namespaces, so the manager has no tenants there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::controller::Installation;
use crate::figures::{Figure, count, millis};
use crate::world::World;

/// From ready to at rest.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures so many starts, and what the last one comes to.
///
/// # Errors
/// A start does not come about in time.
pub async fn measure(program: &Path, world: &World, log: &Path, starts: usize) -> Result<Vec<Figure>> {
    let installation = installation(program, world, log);
    let mut ready = Vec::new();
    for _ in 0..starts {
        let mut manager = installation.start()?;
        ready.push(millis(manager.started, manager.ready().await?));
        manager.stop().await?;
    }
    let mut manager = installation.start()?;
    manager.ready().await?;
    sleep(SETTLE).await;
    let memory = manager.process.memory()?;
    let mut calls = world.calls.since(manager.started)?;
    calls.retain(|it| it.is_write() && it.resource != "leases");
    manager.stop().await?;
    let mut figures = vec![
        Figure::single("manager, resident memory, no tenants", "MiB", memory.resident),
        Figure::single("manager, anonymous memory, no tenants", "MiB", memory.anonymous),
        Figure::single("manager, writes of a start, no tenants", "calls", count(calls.len())),
    ];
    figures.extend(Figure::of("manager, start → ready, no tenants", "ms", ready));
    Ok(figures)
}

fn installation(program: &Path, world: &World, log: &Path) -> Installation {
    let env = [
        ("POD_NAMESPACE", "actions-gateway-system"),
        ("POD_NAME", "gmc-0"),
        ("AGC_IMAGE", "localhost/agc:bench"),
        ("WRAPPER_IMAGE", "localhost/worker:bench"),
        ("WORKER_IMAGE", "localhost/runner:bench"),
    ];
    let env: BTreeMap<_, _> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Installation::of(program, world, env, log, |metrics, probes| {
        vec![
            format!("--metrics-bind-address=127.0.0.1:{metrics}"),
            format!("--health-probe-bind-address=127.0.0.1:{probes}"),
        ]
    })
}
