//! Waiting with a limit: for objects by a watch, for all else by asking again.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::wait::await_condition;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

/// Between two questions to what cannot be watched.
const AGAIN: Duration = Duration::from_millis(250);

/// Waits until an object is as wanted, and returns it. Fails with what was seen last.
pub async fn until<K>(
    api: &Api<K>,
    name: &str,
    wanted: &str,
    limit: Duration,
    accept: impl Fn(&K) -> bool + Send,
) -> Result<K>
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + 'static,
{
    let condition = |object: Option<&K>| object.is_some_and(&accept);
    match timeout(limit, Box::pin(await_condition(api.clone(), name, condition))).await {
        Ok(seen) => seen?.with_context(|| format!("{name} is gone before it was {wanted}")),
        Err(_) => Err(anyhow!("{name} was not {wanted} within {limit:?}; it is\n{}", now(api, name).await?)),
    }
}

/// Waits until no object of that name is there.
pub async fn until_gone<K>(api: &Api<K>, name: &str, limit: Duration) -> Result<()>
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + 'static,
{
    let condition = |object: Option<&K>| object.is_none();
    match timeout(limit, Box::pin(await_condition(api.clone(), name, condition))).await {
        Ok(seen) => seen.map(drop).context("watching"),
        Err(_) => Err(anyhow!("{name} was not gone within {limit:?}; it is\n{}", now(api, name).await?)),
    }
}

/// An object as it is now, for people.
async fn now<K>(api: &Api<K>, name: &str) -> Result<String>
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let mut object = api.get_opt(name).await?;
    if let Some(object) = &mut object {
        object.meta_mut().managed_fields = None;
    }
    Ok(serde_yaml::to_string(&object)?)
}

/// Waits until the holder of a Lease has renewed it so many times: time that passes for the controller as well.
pub async fn renewals(api: &Api<Lease>, name: &str, count: usize, limit: Duration) -> Result<()> {
    let renewed = |it: &Lease| it.spec.as_ref().and_then(|it| it.renew_time.clone());
    let mut last = renewed(&api.get(name).await.with_context(|| format!("Lease {name}"))?);
    for _ in 0..count {
        let lease = until(api, name, "renewed", limit, |it| renewed(it) > last).await?;
        last = renewed(&lease);
    }
    Ok(())
}

/// Asks again until there is an answer. `ask` returns `Err` for "not yet, because", so that the reason is told.
pub async fn eventually<T, F>(wanted: &str, limit: Duration, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let deadline = Instant::now() + limit;
    loop {
        match timeout(limit, ask()).await.unwrap_or_else(|_| Err(anyhow!("no answer in {limit:?}"))) {
            Ok(answer) => return Ok(answer),
            Err(reason) if Instant::now() >= deadline => {
                return Err(reason.context(format!("{wanted}: not within {limit:?}")));
            }
            Err(_) => sleep(AGAIN).await,
        }
    }
}
