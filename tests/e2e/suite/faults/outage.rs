//! Nobody answers: GitHub at the start, the API server in the middle of a job.

use anyhow::{Context as _, Result, ensure};
use api::runner_job::JobResult;
use e2e::github;
use e2e::tenant::{GATE, JOB};
use e2e::world::SYSTEM;
use e2e::{Namespace, Tenant, tools, wait};
use http::Request;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace as Object, Pod, Service};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{gateway_says, group_says, measured, never_restarted, recovers, retries_with_backoff};

pub async fn github_is_down_at_the_start(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    let way = way_to_github(&tenant).await?;
    let mut gateway = tenant.gateway(json!({}));
    gateway["spec"]["gitHubURL"] = json!(format!(
        "https://{}.{}.svc.cluster.local/{}",
        way.name_any(),
        github::NAMESPACE,
        tenant.account
    ));
    tenant.apply_gateway(gateway).await?;

    gateway_says(&tenant, "CredentialUnavailable", "True", "GitHubUnreachable").await?;
    gateway_says(&tenant, "Ready", "False", "GitHubUnreachable").await?;
    group_says(&tenant, "Ready", "False", "TokenUnavailable").await?;
    let failures = || measured(&tenant, "actions_gateway_token_refresh_errors_total");
    retries_with_backoff(&tenant, failures).await?;

    let leads_there = Patch::Merge(json!({"spec": {"selector": {"app": "fakegithub"}}}));
    services(&tenant).patch(&way.name_any(), &PatchParams::default(), &leads_there).await?;
    gateway_says(&tenant, "CredentialUnavailable", "False", "SecretFound").await?;
    recovers(&tenant).await
}

/// A name of GitHub's that leads nowhere yet: a Service without endpoints. It goes with the test's namespace.
async fn way_to_github(tenant: &Tenant) -> Result<Service> {
    let namespaces: Api<Object> = Api::all(tenant.namespace.client());
    let owner = namespaces.get(tenant.namespace.name()).await?.uid().context("a uid")?;
    let way: Service = serde_json::from_value(json!({
        "metadata": {
            "name": format!("way-{}", tenant.group),
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Namespace", "name": tenant.namespace.name(), "uid": owner,
            }],
        },
        "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 443, "targetPort": "https"}]},
    }))?;
    Ok(services(tenant).create(&PostParams::default(), &way).await?)
}

fn services(tenant: &Tenant) -> Api<Service> {
    Api::namespaced(tenant.namespace.client(), github::NAMESPACE)
}

pub async fn the_api_server_is_restarted_while_a_job_runs(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script(GATE).await?;
    let pod = tenant.running_pod(run).await?;
    let killed = Timestamp::now();
    fault("kill").await?;
    fault("start").await?;
    wait::eventually("the API server is ready again", JOB, || async {
        let ready = Request::get("/readyz").body(Vec::new())?;
        Ok(tenant.namespace.client().request_text(ready).await.map(drop)?)
    })
    .await?;
    tenant.namespace.world().note_outage((killed, Timestamp::now()));

    tenant.open_gate(&pod).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success") && run.attempt == 1, "{run:#?}");
    ensure!(run.jobs.first().context("a job")?.claims == 1, "{run:#?}");
    let job = tenant.settled(run.run_id).await?;
    let result = job.status.as_ref().and_then(|it| it.result);
    ensure!(result == Some(JobResult::Succeeded), "{job:#?}");
    let workers = tenant.workers().await?;
    ensure!(workers.len() == 1, "the job had {} pods", workers.len());
    managers_never_restarted(&tenant).await?;
    never_restarted(&tenant).await?;
    recovers(&tenant).await
}

async fn fault(verb: &str) -> Result<()> {
    tools::run("e2e-cluster", &["fault", "apiserver", verb], "").await.map(drop)
}

async fn managers_never_restarted(tenant: &Tenant) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(tenant.namespace.client(), SYSTEM);
    for manager in pods.list(&ListParams::default()).await? {
        let containers = manager.status.and_then(|it| it.container_statuses).unwrap_or_default();
        ensure!(containers.iter().all(|it| it.restart_count == 0), "a manager ended: {containers:#?}");
    }
    Ok(())
}
