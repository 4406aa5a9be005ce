//! What cannot be placed is not acquired: jobs stay queued at GitHub, the group says why, and they run once the cause is
//! mended.

pub mod admitted;
pub mod quota;
pub mod refused;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::{RunnerGroup, RunnerJob};
use e2e::github::Run;
use e2e::tenant::{JOB, REACTION};
use e2e::{Tenant, wait};
use k8s_openapi::api::core::v1::{LimitRange, ResourceQuota};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};

/// As many as would be lost in seconds, were they acquired.
const QUEUE: usize = 20;
/// For a dry run to be repeated after a refusal: at most a minute apart.
const ASKED_AGAIN: Duration = Duration::from_secs(90);

/// Queues a run of many jobs that end at once.
async fn queue(tenant: &Tenant) -> Result<u64> {
    let job = || json!({"runs-on": ["self-hosted", "linux"], "steps": [{"run": "true"}]});
    let jobs: Map<String, Value> = (0..QUEUE).map(|it| (format!("job-{it}"), job())).collect();
    tenant.start(Value::Object(jobs)).await
}

/// That no job of a run was acquired.
async fn stays_queued(tenant: &Tenant, run: u64) -> Result<()> {
    let run = tenant.github.run(run).await?;
    let taken: Vec<_> =
        run.jobs.iter().filter(|it| it.acquired_at.is_some() || it.status != "queued").collect();
    ensure!(taken.is_empty(), "{taken:#?}");
    let jobs = tenant.namespace.api::<RunnerJob>().list(&ListParams::default()).await?.items;
    ensure!(jobs.is_empty(), "{jobs:#?}");
    Ok(())
}

/// Waits until three jobs of a run have ended, and looks that none of them was lost; the rest is cancelled.
async fn is_worked_off(tenant: &Tenant, run: u64) -> Result<()> {
    let ended = |run: &Run| run.jobs.iter().filter(|it| it.status == "completed").count() >= 3;
    let seen = tenant.github.until(run, "three jobs are over", ASKED_AGAIN + JOB, ended).await?;
    let lost: Vec<_> =
        seen.jobs.iter().filter(|it| it.conclusion.as_deref().is_some_and(|it| it != "success")).collect();
    ensure!(lost.is_empty(), "{lost:#?}");
    tenant.github.cancel(run).await
}

/// Waits until the group says why it takes no job, and returns the detail.
async fn withheld(tenant: &Tenant, reason: &str) -> Result<String> {
    let groups = tenant.namespace.api::<RunnerGroup>();
    let first = |it: &RunnerGroup| it.status.as_ref()?.intake.as_ref()?.withheld.first().cloned();
    let wanted = format!("held for {reason}");
    let seen = wait::until(&groups, &tenant.group, &wanted, REACTION, |it| {
        first(it).is_some_and(|it| it.reason == reason)
    })
    .await?;
    Ok(first(&seen).context("it was there a moment ago")?.detail)
}

/// Waits until the group takes jobs.
async fn listens(tenant: &Tenant) -> Result<()> {
    let groups = tenant.namespace.api::<RunnerGroup>();
    wait::until(&groups, &tenant.group, "taking jobs", ASKED_AGAIN, |it| {
        it.status.as_ref().is_some_and(|it| it.intake.is_none())
    })
    .await
    .map(drop)
}

/// Makes a ResourceQuota, or changes it, and waits until it is counted.
async fn quota(tenant: &Tenant, hard: Value) -> Result<()> {
    let object = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": hard},
    });
    let quotas: Api<ResourceQuota> = tenant.namespace.api();
    quotas.patch("team", &PatchParams::apply("e2e").force(), &Patch::Apply(&object)).await?;
    wait::until(&quotas, "team", "counted", REACTION, |it| {
        let hard = it.spec.as_ref().and_then(|it| it.hard.as_ref());
        it.status.as_ref().is_some_and(|it| it.used.is_some() && it.hard.as_ref() == hard)
    })
    .await
    .map(drop)
}

/// Makes a LimitRange for containers.
async fn limit_range(tenant: &Tenant, item: Value) -> Result<()> {
    let mut item = item;
    item["type"] = json!("Container");
    let object: LimitRange =
        serde_json::from_value(json!({"metadata": {"name": "range"}, "spec": {"limits": [item]}}))?;
    tenant.namespace.api().create(&PostParams::default(), &object).await?;
    Ok(())
}

/// Deletes what [`limit_range`] made.
async fn no_limit_range(tenant: &Tenant) -> Result<()> {
    let ranges: Api<LimitRange> = tenant.namespace.api();
    ranges.delete("range", &DeleteParams::default()).await?;
    Ok(())
}
