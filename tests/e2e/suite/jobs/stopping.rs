//! Workers that are stopped, and what GitHub hears of it: a person's wish leaves time for clean-up steps, the cluster's
//! is a shutdown, and what the runner can no longer say the controller says.

use anyhow::{Context as _, Result, ensure};
use api::RunnerJob;
use api::runner_job::JobResult;
use e2e::github::Run;
use e2e::tenant::{GATE, JOB, REACTION};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, EvictParams};
use serde_json::{Value, json};

use crate::faults::recovers;

/// What the runner writes into the job's log when it is shut down.
const SHUTDOWN: &str = "The runner has received a shutdown signal";

/// A run of one job with these steps.
async fn start_steps(tenant: &Tenant, steps: Value) -> Result<u64> {
    tenant.start(json!({"build": {"runs-on": ["self-hosted", "linux"], "steps": steps}})).await
}

/// How a run's only job ended, as its RunnerJob says: its result and its failure reason.
async fn ended(tenant: &Tenant, run: &Run) -> Result<(Option<JobResult>, String)> {
    let job: RunnerJob = tenant.settled(run.run_id).await?;
    let status = job.status.context("a status")?;
    Ok((status.result, status.failure_reason.unwrap_or_default()))
}

/// The only annotation of the run's only job: nobody but the controller said anything.
fn annotation(run: &Run) -> Result<&str> {
    let annotations = &run.jobs.first().context("a job")?.annotations;
    ensure!(annotations.len() == 1, "{run:#?}");
    Ok(&annotations[0].message)
}

async fn evict(tenant: &Tenant, pod: &str) -> Result<()> {
    tenant.namespace.api::<Pod>().evict(pod, &EvictParams::default()).await.map(drop).context("evicting")
}

pub async fn a_cancelled_job_has_time_for_its_last_steps(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let steps = json!([
        {"run": GATE},
        {"run": "echo never", "if": "success()"},
        // A log shows scripts, too: only who runs this one writes the number.
        {"run": "sleep 20; echo tidied up $((6 * 7))", "if": "always()"},
    ]);
    let run = start_steps(&tenant, steps).await?;
    tenant.running_pod(run).await?;
    tenant.github.cancel(run).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("cancelled"), "{run:#?}");
    let log = tenant.log(&run).await?;
    ensure!(log.contains("tidied up 42") && !log.contains("never"), "{log}");
    ensure!(run.jobs[0].completion.as_deref() == Some("canceled"), "the runner did not say it: {run:#?}");
    ensure!(ended(&tenant, &run).await? == (Some(JobResult::Cancelled), "cancelled".into()));
    Ok(())
}

pub async fn an_evicted_job_may_finish_within_a_long_grace_period(namespace: Namespace) -> Result<()> {
    let template = json!({"podTemplate": {"spec": {"terminationGracePeriodSeconds": 300}}});
    let tenant = Tenant::listening(namespace, template).await?;
    let run = start_steps(&tenant, json!([{"run": "sleep 35; echo done after $((30 + 5))"}])).await?;
    let pod = tenant.running_pod(run).await?;
    evict(&tenant, &pod).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    ensure!(tenant.log(&run).await?.contains("done after 35"));
    ensure!(ended(&tenant, &run).await? == (Some(JobResult::Succeeded), String::new()));
    Ok(())
}

pub async fn an_evicted_worker_is_shut_down_and_reported_to_github(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let variables = json!({"actions_send_job_level_annotations": "true"});
    let lever = json!({"lever": "message-variables", "variables": variables, "account": tenant.account});
    tenant.github.pull(lever).await?;
    let steps = json!([{"run": GATE}, {"run": "echo never", "if": "always()"}]);
    let run = start_steps(&tenant, steps).await?;
    let pod = tenant.running_pod(run).await?;
    evict(&tenant, &pod).await?;
    // Sooner than the pod's grace: the runner says it, nothing waits for the kubelet's kill.
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("failure"), "{run:#?}");
    ensure!(run.jobs[0].completion.as_deref() == Some("failed"), "the runner did not say it: {run:#?}");
    ensure!(run.jobs[0].annotations.iter().any(|it| it.message.contains(SHUTDOWN)), "{run:#?}");
    let log = tenant.log(&run).await?;
    ensure!(log.contains(SHUTDOWN) && !log.contains("never"), "{log}");
    ensure!(ended(&tenant, &run).await? == (Some(JobResult::Failed), "drained".into()));
    recovers(&tenant).await
}

pub async fn a_worker_killed_without_grace_is_reported_by_the_controller(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    // It takes no notice of what it is told, so that only the kubelet's kill ends it.
    let run = start_steps(&tenant, json!([{"run": format!("trap '' INT TERM; {GATE}")}])).await?;
    let pod = tenant.running_pod(run).await?;
    let at_once = DeleteParams { grace_period_seconds: Some(1), ..DeleteParams::default() };
    tenant.namespace.api::<Pod>().delete(&pod, &at_once).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("failure"), "{run:#?}");
    let told = annotation(&run)?;
    ensure!(told.starts_with("pod_deleted: ") && told.contains(&pod), "{told}");
    ensure!(ended(&tenant, &run).await? == (Some(JobResult::Failed), "pod_deleted".into()));
    recovers(&tenant).await
}

pub async fn a_crashed_runner_is_reported_by_the_controller(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = start_steps(&tenant, json!([{"run": format!("{GATE}; kill -KILL $PPID; sleep 60")}])).await?;
    let pod = tenant.running_pod(run).await?;
    tenant.open_gate(&pod).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("failure"), "{run:#?}");
    ensure!(annotation(&run)?.starts_with("runner_error: "), "{run:#?}");
    ensure!(ended(&tenant, &run).await? == (Some(JobResult::Failed), "runner_error".into()));
    recovers(&tenant).await
}

pub async fn a_job_that_never_starts_fails_without_its_run(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    let mut gateway = tenant.gateway(json!({}));
    let broken = json!({
        "name": format!("{}-b", tenant.group), "runnerLabels": ["broken"], "workerImage": "not an image",
    });
    gateway["spec"]["runnerGroups"].as_array_mut().context("groups")?.push(broken);
    tenant.apply_gateway(gateway).await?;
    tenant.wait_until_listening().await?;
    let run = tenant
        .start(json!({
            "broken": {"runs-on": "broken", "steps": [{"run": "true"}]},
            "build": {"runs-on": ["self-hosted", "linux"], "steps": [{"run": GATE}]},
        }))
        .await?;
    let failed = tenant
        .github
        .until(run, "the job that cannot start is over", JOB, |run| {
            run.jobs.iter().any(|it| it.name == "broken" && it.status == "completed")
        })
        .await?;
    let [broken, build] = failed.jobs.as_slice() else { anyhow::bail!("{failed:#?}") };
    ensure!(broken.conclusion.as_deref() == Some("failure"), "{failed:#?}");
    ensure!(broken.annotations.iter().any(|it| it.message.starts_with("image_pull: ")), "{failed:#?}");
    ensure!(build.status != "completed" && failed.status != "completed", "{failed:#?}");

    let worker = wait::eventually("the other job's worker", REACTION, || async {
        let jobs = tenant.runner_jobs(run).await?;
        let build = jobs
            .iter()
            .filter_map(|it| it.status.as_ref())
            .find(|it| it.job.as_ref().is_some_and(|it| it.name == "build") && it.times.started.is_some());
        Ok(build.and_then(|it| it.pod.as_ref()).context("not yet")?.name.clone())
    })
    .await?;
    tenant.open_gate(&worker).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("failure"), "{run:#?}");
    let build = run.jobs.iter().find(|it| it.name == "build").context("the other job")?;
    ensure!(build.conclusion.as_deref() == Some("success"), "{run:#?}");
    Ok(())
}
