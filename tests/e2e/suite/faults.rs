//! Faults of what a controller depends on: each is reported by a condition and its reason, retried with backoff, and
//! nothing is lost by it.

pub mod credentials;
pub mod events;
pub mod foreign;
pub mod messages;
pub mod outage;
pub mod payloads;
pub mod registration;
pub mod sessions;
pub mod teardown;

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, RunnerGroup, names};
use e2e::forward::Forward;
use e2e::tenant::{GATEWAY, REACTION, condition, is};
use e2e::{Tenant, wait};
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt as _;

/// What a controller may ask in the time of one renewal of its Lease when everything is refused: the first attempt, and
/// those after five and ten seconds, each of which may be two requests. Without backoff it would be hundreds.
const RETRIES: usize = 6;

/// Waits until the gateway says so, and returns the message.
pub async fn gateway_says(tenant: &Tenant, type_: &str, status: &str, reason: &str) -> Result<String> {
    let wanted = format!("{type_}={status}/{reason}");
    let gateways = tenant.namespace.api::<ActionsGateway>();
    let seen = wait::until(&gateways, GATEWAY, &wanted, REACTION, |it| {
        it.status.as_ref().is_some_and(|it| is(&it.conditions, type_, status, reason))
    })
    .await?;
    let conditions = seen.status.context("a status")?.conditions;
    Ok(condition(&conditions, type_)?.message.clone())
}

/// Waits until the tenant's group says so, and returns the message.
pub async fn group_says(tenant: &Tenant, type_: &str, status: &str, reason: &str) -> Result<String> {
    let wanted = format!("{type_}={status}/{reason}");
    let groups = tenant.namespace.api::<RunnerGroup>();
    let seen = wait::until(&groups, &tenant.group, &wanted, REACTION, |it| {
        it.status.as_ref().is_some_and(|it| is(&it.conditions, type_, status, reason))
    })
    .await?;
    let conditions = seen.status.context("a status")?.conditions;
    Ok(condition(&conditions, type_)?.message.clone())
}

/// That something is retried with backoff. `count` tells how often it was tried until now.
async fn retries_with_backoff<T>(tenant: &Tenant, count: impl Fn() -> T) -> Result<()>
where
    T: Future<Output = Result<usize>>,
{
    let before = count().await?;
    wait::eventually("it is retried", REACTION, || async {
        let now = count().await?;
        ensure!(now > before, "it was tried {now} times");
        Ok(())
    })
    .await?;
    let before = count().await?;
    wait::renewals(&tenant.namespace.api::<Lease>(), names::CONTROLLER, 1, REACTION).await?;
    let tried = count().await? - before;
    ensure!(tried <= RETRIES, "it was tried {tried} times within one renewal of the Lease");
    Ok(())
}

/// That the controller has not restarted, and that a job runs now that the fault is over: nothing was lost.
pub async fn recovers(tenant: &Tenant) -> Result<()> {
    tenant.wait_until_listening().await?;
    let run = tenant.start_script("true").await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success") && run.attempt == 1, "{run:#?}");
    never_restarted(tenant).await
}

async fn never_restarted(tenant: &Tenant) -> Result<()> {
    let controller = tenant.controller().await?;
    let containers = controller.status.and_then(|it| it.container_statuses).unwrap_or_default();
    ensure!(!containers.is_empty() && containers.iter().all(|it| it.restart_count == 0), "{containers:#?}");
    Ok(())
}

/// The value of a series of the controller's, all labels together; zero when it is not there.
async fn measured(tenant: &Tenant, series: &str) -> Result<usize> {
    let controller = tenant.controller().await?;
    let forward = Forward::open(tenant.namespace.name(), &controller.name_any(), 8080).await?;
    let exposition = forward.get("/metrics").await?;
    let of_series = exposition.lines().filter(|it| it.starts_with(&format!("{series}{{")));
    let values = of_series.map(|it| it.rsplit(' ').next().unwrap_or_default().parse::<f64>());
    let sum: f64 = values.sum::<Result<f64, _>>()?;
    Ok(sum as usize)
}
