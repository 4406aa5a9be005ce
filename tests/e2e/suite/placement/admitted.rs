//! A dry run says nothing of the pod, or the API server refuses it only after the claim: one job waits under its lock, the
//! others stay queued, and somebody is told.

use anyhow::{Context as _, Result, ensure};
use api::RunnerJob;
use e2e::tenant::{JOB, REACTION, has, is};
use e2e::write_blocker::{Write, WriteBlocker};
use e2e::{Namespace, Tenant, tools, wait};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::json;

use super::{is_worked_off, queue};

/// One that was acquired before the next was, whose pod nobody had been asked for yet.
const AHEAD: usize = 1;

/// The first job that was acquired, once its object says what it waits for.
async fn waiting(tenant: &Tenant) -> Result<RunnerJob> {
    wait::eventually("the acquired job says what it waits for", REACTION, || async {
        let jobs = tenant.namespace.api::<RunnerJob>().list(&ListParams::default()).await?.items;
        ensure!(jobs.len() <= 1 + AHEAD, "{} RunnerJobs: {jobs:#?}", jobs.len());
        let waits =
            |it: &&RunnerJob| it.status.as_ref().is_some_and(|it| has(&it.conditions, "PodCreated", "False"));
        jobs.iter().find(waits).cloned().with_context(|| format!("{jobs:#?}"))
    })
    .await
}

pub async fn a_policy_webhook_that_is_down_holds_one_job(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let pods = Write { operation: "CREATE", group: "", resource: "pods" };
    let blocker = WriteBlocker::refuse(&tenant.namespace, pods).await?;
    let run = queue(&tenant).await?;
    let job = waiting(&tenant).await?;
    let status = job.status.as_ref().context("a status")?;
    let identity = status.job.as_ref().context("which job it is")?;
    ensure!(!identity.repository.is_empty() && status.phase.is_some(), "{status:#?}");
    let words = "failed calling webhook";
    ensure!(
        status.conditions.iter().any(|it| it.type_ == "PodCreated" && it.message.contains(words)),
        "{status:#?}"
    );
    let shown = tools::run("kubectl", &["get", "rj", "-n", tenant.namespace.name()], "").await?;
    for cell in [identity.repository.as_str(), "Acquired", "WaitingForPod"] {
        ensure!(shown.contains(cell), "kubectl get rj shows no {cell}:\n{shown}");
    }
    wait::eventually("an Event says the same", REACTION, || async {
        let events = tenant.events(&job.name_any()).await?;
        ensure!(
            events.iter().any(|it| it.message.as_ref().is_some_and(|it| it.contains(words))),
            "{events:#?}"
        );
        Ok(())
    })
    .await?;
    crate::faults::group_says(&tenant, "Ready", "False", "PodRefused").await?;
    let acquired = tenant.github.run(run).await?.jobs.iter().filter(|it| it.acquired_at.is_some()).count();
    ensure!(acquired <= 1 + AHEAD, "{acquired} jobs were acquired");

    blocker.remove().await?;
    let started = tenant.namespace.api::<RunnerJob>();
    wait::until(&started, &job.name_any(), "given its pod", JOB, |it| {
        it.status
            .as_ref()
            .is_some_and(|it| is(&it.conditions, "PodCreated", "True", "PodCreated") || it.result.is_some())
    })
    .await?;
    is_worked_off(&tenant, run).await
}
