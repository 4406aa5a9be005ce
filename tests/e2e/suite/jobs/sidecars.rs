//! Containers beside the runner that do not end by themselves.

use anyhow::{Context as _, Result, ensure};
use api::runner_job::JobResult;
use api::{RunnerGroup, RunnerJob, labels};
use e2e::tenant::REACTION;
use e2e::{Namespace, Tenant, tools, wait};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::faults::group_says;

const CONDITION: &str = "PossibleReapBlockingSidecar";

pub async fn one_that_outlives_its_runner_holds_no_room(namespace: Namespace) -> Result<()> {
    let world = namespace.world();
    let image = format!("{}:{}", world.environment.repository("runner"), world.environment.tag()?);
    let mesh = json!({
        "name": "mesh", "image": image, "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "while :; do sleep 1; done"],
    });
    let tenant =
        Tenant::listening(namespace, group(json!({"containers": [{"name": "runner"}, mesh]}))).await?;
    // One of them is the controller.
    let quota: ResourceQuota =
        serde_json::from_value(json!({"metadata": {"name": "team"}, "spec": {"hard": {"pods": "2"}}}))?;
    tenant.namespace.api().create(&PostParams::default(), &quota).await?;

    let first = succeeds(&tenant).await?;
    // While the first one's pod runs there is no room, and it is on show for an hour.
    succeeds(&tenant).await?;
    let message = group_says(&tenant, CONDITION, "True", "ReapBlockingSidecar").await?;
    ensure!(message.contains("mesh"), "{message:?} does not name the container");
    was_ended(&tenant, &first).await?;

    let mut native = mesh;
    native["restartPolicy"] = json!("Always");
    let native = group(json!({"containers": [], "initContainers": [native]}));
    tenant.apply_gateway(tenant.gateway(native)).await?;
    let groups = tenant.namespace.api::<RunnerGroup>();
    wait::until(&groups, &tenant.group, "taken in with a native sidecar", REACTION, |it| {
        let has_native = it.spec.pod_template.0["spec"].get("initContainers").is_some();
        let taken_in = it.status.as_ref().and_then(|it| it.observed_generation);
        has_native && taken_in == it.metadata.generation
    })
    .await?;
    succeeds(&tenant).await?;
    group_says(&tenant, CONDITION, "False", "NoReapBlockingSidecar").await.map(drop)
}

/// A group's fields.
fn group(pod: Value) -> Value {
    json!({"podTemplate": {"spec": pod}, "completedPodTTL": "1h"})
}

/// Runs a job to its success.
async fn succeeds(tenant: &Tenant) -> Result<RunnerJob> {
    let run = tenant.start_script("echo done").await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    tenant.settled(run.run_id).await
}

/// That the pod was ended, and is there to be looked at, as is its job's result.
async fn was_ended(tenant: &Tenant, job: &RunnerJob) -> Result<()> {
    let name = job.status.as_ref().and_then(|it| it.pod.as_ref()).context("a pod")?.name.clone();
    let pods = tenant.namespace.api::<Pod>();
    let pod = wait::until(&pods, &name, "ended", REACTION, |it| phase(it) == Some("Failed")).await?;
    let reason = pod.status.as_ref().and_then(|it| it.reason.as_deref());
    ensure!(reason == Some("DeadlineExceeded"), "{:#?}", pod.status);
    ensure!(
        pod.annotations().get(labels::DELETION_REASON).is_some_and(|it| it == "outlived"),
        "{:?}",
        pod.annotations()
    );
    let log =
        tools::run("kubectl", &["logs", "-n", tenant.namespace.name(), &name, "-c", "runner"], "").await?;
    ensure!(log.contains("job received"), "the pod's log is gone: {log:?}");
    let now = tenant.namespace.api::<RunnerJob>().get(&job.name_any()).await?;
    let result = now.status.as_ref().and_then(|it| it.result);
    ensure!(result == Some(JobResult::Succeeded), "the result does not stand: {:#?}", now.status);
    Ok(())
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}
