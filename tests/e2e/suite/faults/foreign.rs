//! Somebody else has a name that is ours.

use anyhow::{Context as _, Result, ensure};
use api::runner_job::JobResult;
use e2e::tenant::condition;
use e2e::{Namespace, Tenant};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::json;

use super::recovers;

pub async fn a_pod_of_our_name_is_left_alone(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    // Nobody listens for this label yet, so there is time to take the name of the pod.
    let run = tenant.start(json!({"build": {"runs-on": "later", "steps": [{"run": "true"}]}})).await?;
    let queued = tenant.github.run(run).await?;
    let job = queued.jobs.first().context("a job")?;
    let name = job::naming::pod(&tenant.group, &queued.plan_id, &job.job_id);
    let world = tenant.namespace.world();
    let image = format!("{}:{}", world.environment.repository("runner"), world.environment.tag()?);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"containers": [{
            "name": "other", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "600"],
        }]},
    }))?;
    let pods = tenant.namespace.api::<Pod>();
    let foreign = pods.create(&PostParams::default(), &pod).await?;

    tenant.apply_gateway(tenant.gateway(json!({"runnerLabels": ["later"]}))).await?;
    let job = tenant.settled(run).await?;
    let status = job.status.context("a status")?;
    ensure!(condition(&status.conditions, "Complete")?.reason == "Duplicate", "{status:#?}");
    ensure!(status.result != Some(JobResult::Succeeded), "{status:#?}");
    let now = pods.get(&name).await?;
    ensure!(now.uid() == foreign.uid() && now.metadata.deletion_timestamp.is_none(), "{now:#?}");
    ensure!(now.finalizers().is_empty() && now.owner_references().is_empty(), "{:#?}", now.metadata);
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    recovers(&tenant).await
}
