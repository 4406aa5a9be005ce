//! What comes over a session and makes no sense, and a lock that is gone.

use anyhow::{Context as _, Result, ensure};
use api::FailureClass;
use api::runner_job::JobResult;
use e2e::tenant::{GATE, REACTION, condition};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;

use super::{group_says, measured, never_restarted, recovers};

/// The name of the tenant's runner that listens.
async fn listener(tenant: &Tenant) -> Result<String> {
    let prefix = format!("{}-", tenant.group);
    wait::eventually("a runner listens", REACTION, || async {
        let agents = tenant.github.agents(&prefix).await?;
        let online = agents.iter().find(|it| it.online && it.fate == "alive");
        online.map(|it| it.name.clone()).with_context(|| format!("{agents:#?}"))
    })
    .await
}

pub async fn a_truncated_poll_is_repeated(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let agent = listener(&tenant).await?;
    tenant
        .github
        .pull(json!([
            {"lever": "fail", "endpoint": "B2", "agent": agent, "effect": "truncate"},
            // Ends the poll that is under way, which the fault cannot strike any more.
            {"lever": "send-message", "agent": agent, "messageType": "RunnerRefresh", "body": {}},
        ]))
        .await?;
    let run = tenant.start_script("true").await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success") && run.attempt == 1, "{run:#?}");
    ensure!(run.jobs.first().and_then(|it| it.runner_name.as_ref()) == Some(&agent), "{run:#?}");
    let errors = measured(&tenant, "actions_gateway_message_poll_errors_total").await?;
    ensure!(errors == 1, "{errors} polls failed");
    recovers(&tenant).await
}

pub async fn a_malformed_message_is_dropped(namespace: Namespace) -> Result<()> {
    const SENT: usize = 3;
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let agent = listener(&tenant).await?;
    let nonsense = json!({
        "lever": "send-message", "agent": agent, "messageType": "RunnerJobRequest",
        "body": {"runner_request_id": 7, "run_service_url": "no address"},
    });
    tenant.github.pull(json!(vec![nonsense; SENT])).await?;
    wait::eventually("all are counted", REACTION, || async {
        let counted = measured(&tenant, "actions_gateway_bad_messages_total").await?;
        ensure!(counted == SENT, "{counted} of {SENT} are counted");
        Ok(())
    })
    .await?;
    group_says(&tenant, "Ready", "True", "ListenerActive").await?;
    ensure!(listener(&tenant).await? == agent, "the runner was replaced over it");
    ensure!(tenant.workers().await?.is_empty(), "a worker was made for it");
    recovers(&tenant).await
}

pub async fn a_lost_lock_stops_the_worker(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({"completedPodTTL": "0s"})).await?;
    let agent = listener(&tenant).await?;
    let run = tenant.start_script(GATE).await?;
    let worker = tenant.running_pod(run).await?;
    let gone = json!({"lever": "fail", "endpoint": "X2", "agent": agent, "count": 1000, "status": 404});
    tenant.github.pull(gone).await?;
    // The next renewal is a minute away, but a successor renews first of all.
    let controller = tenant.controller().await?;
    let pods = tenant.namespace.api::<Pod>();
    pods.delete(&controller.name_any(), &DeleteParams::default()).await?;

    let job = tenant.settled(run).await?;
    let status = job.status.as_ref().context("a status")?;
    ensure!(status.result == Some(JobResult::Failed), "{status:#?}");
    ensure!(status.failure_reason.as_deref() == Some("lock_lost"), "{status:#?}");
    ensure!(status.failure_class == Some(FailureClass::Infra), "{status:#?}");
    ensure!(condition(&status.conditions, "Complete")?.reason == "LockLost", "{status:#?}");
    wait::until_gone(&pods, &worker, REACTION).await?;
    let refused = measured(&tenant, "actions_gateway_renewjob_errors_total").await?;
    ensure!(refused >= 1, "a renewal that GitHub refuses is counted");
    never_restarted(&tenant).await?;
    recovers(&tenant).await
}
