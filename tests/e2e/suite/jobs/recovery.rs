//! Controllers that end while a job runs.

use anyhow::{Context as _, Result, ensure};
use api::runner_job::JobResult;
use e2e::tenant::{GATE, REACTION};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;

pub async fn the_jobs_of_a_killed_controller_are_adopted(namespace: Namespace) -> Result<()> {
    // Without grace the kubelet ends the process by force, and the API server forgets the pod at once.
    hands_over(namespace, &DeleteParams::default().grace_period(0)).await
}

pub async fn the_jobs_of_a_terminated_controller_are_adopted(namespace: Namespace) -> Result<()> {
    hands_over(namespace, &DeleteParams::default()).await
}

async fn hands_over(namespace: Namespace, how: &DeleteParams) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script(GATE).await?;
    let pod = tenant.running_pod(run).await?;
    let controller = tenant.controller().await?;
    tenant.namespace.api::<Pod>().delete(&controller.name_any(), how).await?;
    wait::eventually("another controller is ready", REACTION, || async {
        let successor = tenant.controller().await?;
        ensure!(successor.uid() != controller.uid(), "it is still the old one");
        let conditions = successor.status.and_then(|it| it.conditions).unwrap_or_default();
        ensure!(conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True"), "{conditions:#?}");
        Ok(())
    })
    .await?;

    tenant.open_gate(&pod).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success") && run.attempt == 1, "{run:#?}");
    ensure!(run.jobs.first().context("a job")?.claims == 1, "{run:#?}");
    let job = tenant.settled(run.run_id).await?;
    let status = job.status.context("a status")?;
    ensure!(status.result == Some(JobResult::Succeeded), "{status:#?}");
    let workers = tenant.workers().await?;
    ensure!(workers.len() == 1, "the job had {} pods", workers.len());
    // The group listens again, by a session of the successor's.
    tenant.wait_until_listening().await?;
    let next = tenant.start_script("true").await?;
    let next = tenant.completed(next).await?;
    ensure!(next.conclusion.as_deref() == Some("success"), "{next:#?}");
    Ok(())
}
