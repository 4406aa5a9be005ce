//! Job messages of all sizes.

use anyhow::{Context as _, Result, ensure};
use api::FailureClass;
use api::runner_job::JobResult;
use e2e::tenant::condition;
use e2e::{Namespace, Tenant};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;

use super::recovers;

const KIB: usize = 1024;

/// Queues a run whose job message has so many bytes of filling.
async fn start_padded(tenant: &Tenant, padding: usize) -> Result<u64> {
    let workflow = json!({
        "repository": format!("{}/demo", tenant.account), "workflow": "ci", "payloadPadding": padding,
        "jobs": {"build": {"runs-on": ["self-hosted", "linux"], "steps": [{"run": "true"}]}},
    });
    tenant.github.start(&workflow.to_string()).await
}

pub async fn a_large_one_runs(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = start_padded(&tenant, 900 * KIB).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success") && run.attempt == 1, "{run:#?}");
    let job = tenant.settled(run.run_id).await?;
    let result = job.status.as_ref().and_then(|it| it.result);
    ensure!(result == Some(JobResult::Succeeded), "{job:#?}");
    Ok(())
}

pub async fn one_too_large_for_a_secret_fails_its_job(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = start_padded(&tenant, 20 * KIB * KIB).await?;
    // The job is over at GitHub as well: nobody waits for what can never start.
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() != Some("success") && run.attempt == 1, "{run:#?}");

    let job = tenant.settled(run.run_id).await?;
    let status = job.status.as_ref().context("a status")?;
    ensure!(status.result == Some(JobResult::Failed), "{status:#?}");
    ensure!(status.failure_reason.as_deref() == Some("payload_too_large"), "{status:#?}");
    ensure!(status.failure_class == Some(FailureClass::User), "{status:#?}");
    ensure!(condition(&status.conditions, "Complete")?.reason == "PayloadTooLarge", "{status:#?}");
    ensure!(tenant.workers().await?.is_empty(), "there is a worker for a job without a message");
    let payload = format!("{}-payload", job.name_any());
    ensure!(tenant.namespace.api::<Secret>().get_opt(&payload).await?.is_none(), "{payload} was stored");
    recovers(&tenant).await
}
