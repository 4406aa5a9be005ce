//! Jobs that end otherwise: by themselves, by a person at GitHub, by a person at the cluster.

use anyhow::{Context as _, Result, ensure};
use api::RunnerJob;
use api::runner_job::{JobResult, Phase};
use e2e::tenant::{GATE, REACTION, condition};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;

/// What the wrapper ends with when the job has failed (protocol §6.3).
const FAILED: i32 = 102;

pub async fn a_job_that_fails_by_itself_has_no_reason(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script("echo one test, one failure; exit 3").await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("failure"), "{run:#?}");

    let job = tenant.settled(run.run_id).await?;
    let status = job.status.context("a status")?;
    ensure!(status.phase == Some(Phase::Failed) && status.result == Some(JobResult::Failed), "{status:#?}");
    ensure!(status.failure_reason.is_none() && status.failure_class.is_none(), "{status:#?}");
    ensure!(status.exit_code == Some(FAILED), "{status:#?}");
    ensure!(condition(&status.conditions, "Complete")?.reason == "Failed", "{status:#?}");
    // Nobody but its author can mend it: it is not run again.
    let again = tenant.github.run(run.run_id).await?;
    ensure!(again.attempt == 1, "{again:#?}");
    Ok(())
}

pub async fn a_run_cancelled_at_github_stops_its_worker(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script(GATE).await?;
    let pod = tenant.running_pod(run).await?;
    tenant.github.cancel(run).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("cancelled"), "{run:#?}");

    let job = tenant.settled(run.run_id).await?;
    let status = job.status.context("a status")?;
    ensure!(
        status.result == Some(JobResult::Cancelled) && status.phase == Some(Phase::Cancelled),
        "{status:#?}"
    );
    let over = |pod: Option<Pod>| {
        pod.and_then(|it| it.status?.phase).is_none_or(|it| it == "Succeeded" || it == "Failed")
    };
    wait::eventually("the worker has stopped", REACTION, || async {
        ensure!(over(tenant.namespace.api::<Pod>().get_opt(&pod).await?));
        Ok(())
    })
    .await
}

pub async fn deleting_a_runner_job_cancels_its_job(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script(GATE).await?;
    let pod = tenant.running_pod(run).await?;
    let job = tenant.runner_job(run, "there", |_| true).await?;
    let jobs = tenant.namespace.api::<RunnerJob>();
    jobs.delete(&job.name_any(), &DeleteParams::default()).await?;

    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("cancelled"), "{run:#?}");
    wait::until_gone(&jobs, &job.name_any(), REACTION).await?;
    wait::until_gone(&tenant.namespace.api::<Pod>(), &pod, REACTION).await?;
    ensure!(tenant.github.run(run.run_id).await?.attempt == 1, "it was run again");
    Ok(())
}
