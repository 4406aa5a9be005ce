//! Jobs that did not fail by their own doing: each says why, in a word of the closed list, and whose it is to mend.

use anyhow::{Context as _, Result, ensure};
use api::FailureClass;
use api::runner_job::JobResult;
use api::{RunnerGroup, RunnerJob};
use e2e::tenant::{GATE, REACTION, condition};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;

use crate::faults::recovers;

/// A failure reason, and the same as the reason of the condition `Complete`.
type Reason = (&'static str, &'static str);

/// That a job failed for one of these reasons, that its condition and an Event say so, and that its run is over at
/// GitHub after one attempt.
pub async fn failed_for(
    tenant: &Tenant,
    job: &RunnerJob,
    reasons: &[Reason],
    class: FailureClass,
) -> Result<()> {
    let status = job.status.as_ref().context("a status")?;
    let reason = status.failure_reason.as_deref().unwrap_or_default();
    let complete = condition(&status.conditions, "Complete")?;
    ensure!(status.result == Some(JobResult::Failed), "{status:#?}");
    ensure!(reasons.contains(&(reason, &complete.reason)), "{status:#?}");
    ensure!(complete.status == "True" && status.failure_class == Some(class), "{status:#?}");
    let run = status.job.as_ref().context("which job it is")?.run_id.parse()?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() != Some("success") && run.attempt == 1, "{run:#?}");
    wait::eventually("an Event says why", REACTION, || async {
        let notes: Vec<_> =
            tenant.events(&job.name_any()).await?.into_iter().filter_map(|it| it.message).collect();
        ensure!(notes.iter().any(|it| it.contains(reason)), "{notes:?}");
        Ok(())
    })
    .await
}

pub async fn an_invalid_image_name_fails_its_job(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({"workerImage": "not an image"})).await?;
    let run = tenant.start_script("true").await?;
    let job = tenant.settled(run).await?;
    failed_for(&tenant, &job, &[("image_pull", "ImagePull")], FailureClass::User).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    let groups = tenant.namespace.api::<RunnerGroup>();
    wait::until(&groups, &tenant.group, "taken in without the image", REACTION, |it| {
        let taken_in = it.status.as_ref().and_then(|it| it.observed_generation);
        it.spec.worker_image.is_none() && taken_in == it.metadata.generation
    })
    .await?;
    recovers(&tenant).await
}

pub async fn a_deleted_worker_pod_fails_its_job(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script(GATE).await?;
    let pod = tenant.running_pod(run).await?;
    let pods = tenant.namespace.api::<Pod>();
    pods.delete(&pod, &DeleteParams::default()).await?;
    let job = tenant.settled(run).await?;
    failed_for(&tenant, &job, &[("pod_deleted", "PodDeleted")], FailureClass::Infra).await?;
    wait::until_gone(&pods, &pod, REACTION).await?;
    recovers(&tenant).await
}

pub async fn a_step_killed_for_memory_is_reported(namespace: Namespace) -> Result<()> {
    let runner = json!({"name": "runner", "resources": {"limits": {"memory": "64Mi"}}});
    let tenant =
        Tenant::listening(namespace, json!({"podTemplate": {"spec": {"containers": [runner]}}})).await?;
    // One buffer of 256 MiB, written through.
    let run = tenant.start_script("dd if=/dev/zero of=/dev/null bs=256M count=1").await?;
    let job = tenant.settled(run).await?;
    // Whether the kernel kills the step alone or the whole container is the node's to choose.
    let reasons = [("oom_subprocess", "OomSubprocess"), ("oom_killed", "OomKilled")];
    failed_for(&tenant, &job, &reasons, FailureClass::User).await?;
    recovers(&tenant).await
}

pub async fn a_finished_worker_pod_is_deleted_after_its_ttl(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({"completedPodTTL": "0s"})).await?;
    let run = tenant.start_script("true").await?;
    tenant.completed(run).await?;
    let job = tenant.settled(run).await?;
    let pod = job.status.as_ref().and_then(|it| it.pod.as_ref()).context("a pod")?;
    wait::until_gone(&tenant.namespace.api::<Pod>(), &pod.name, REACTION).await?;
    let kept = tenant.runner_job(run, "the RunnerJob stays", |_| true).await?;
    ensure!(kept.metadata.deletion_timestamp.is_none(), "the RunnerJob goes with its pod");
    Ok(())
}
