//! Jobs that run as they should.

use anyhow::{Context as _, Result, ensure};
use api::runner_job::{JobResult, Phase};
use api::{RunnerJob, labels, names};
use e2e::tenant::{GATE, JOB, REACTION, condition};
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace as Object, Pod, Secret};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::faults::group_says;

pub async fn a_job_is_acquired_run_and_reported(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script("echo hello from $GITHUB_REPOSITORY").await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    let log = tenant.log(&run).await?;
    ensure!(log.contains(&format!("hello from {}/demo", tenant.account)), "the job's log:\n{log}");

    let job = tenant.settled(run.run_id).await?;
    whole_status(&tenant, &run, &job)?;
    let pod = job.status.as_ref().and_then(|it| it.pod.as_ref()).context("a pod")?;
    let worker =
        wait::until(&tenant.namespace.api::<Pod>(), &pod.name, "without its finalizer", REACTION, |it| {
            it.finalizers().is_empty()
        })
        .await?;
    ensure!(worker.uid().as_deref() == Some(&pod.uid), "the pod is another one");
    ensure!(
        worker.labels().get(labels::COMPONENT).map(String::as_str) == Some("worker"),
        "{:?}",
        worker.labels()
    );
    let secrets = tenant.namespace.api::<Secret>();
    wait::until_gone(&secrets, &format!("{}-payload", job.name_any()), REACTION).await?;
    says_who_it_is(&tenant, &run.run_id.to_string(), &pod.name).await
}

fn whole_status(tenant: &Tenant, run: &e2e::github::Run, job: &RunnerJob) -> Result<()> {
    let status = job.status.as_ref().context("a status")?;
    let identity = status.job.as_ref().context("which job it is")?;
    let github = run.jobs.first().context("GitHub's side of it")?;
    let seen = (identity.plan_id.as_str(), identity.job_id.as_str(), identity.name.as_str());
    ensure!(seen == (&run.plan_id, &github.job_id, &github.name), "{identity:#?} is not {github:#?}");
    ensure!(identity.repository == format!("{}/demo", tenant.account), "{identity:#?}");
    ensure!(identity.run_id == run.run_id.to_string() && identity.run_attempt == 1, "{identity:#?}");
    let agent = job.spec.broker.as_ref().map(|it| it.agent.name.as_str());
    ensure!(agent == github.runner_name.as_deref(), "{:#?}", job.spec);
    ensure!(
        status.phase == Some(Phase::Succeeded) && status.result == Some(JobResult::Succeeded),
        "{status:#?}"
    );
    ensure!(status.failure_reason.is_none() && status.failure_class.is_none(), "{status:#?}");
    for (type_, reason) in [("Acquired", "Acquired"), ("Complete", "Succeeded")] {
        let found = condition(&status.conditions, type_)?;
        ensure!(found.status == "True" && found.reason == reason, "{found:#?}");
    }
    let times = &status.times;
    let steps = [&times.offered, &times.acquired, &times.pod_created, &times.started, &times.finished];
    let known: Vec<_> = steps.iter().filter_map(|it| it.as_ref().map(|it| it.0.as_second())).collect();
    ensure!(known.len() == steps.len(), "a time is missing: {times:#?}");
    ensure!(known.is_sorted(), "the times are out of order: {times:#?}");
    let pod = status.pod.as_ref().context("a pod")?;
    ensure!(pod.node.is_some(), "{pod:#?}");
    ensure!(status.trace_id.as_ref().is_some_and(|it| it.len() == 32), "{:?}", status.trace_id);
    Ok(())
}

/// The first line of the worker's log names the job, for whoever holds only the pod.
async fn says_who_it_is(tenant: &Tenant, run: &str, pod: &str) -> Result<()> {
    let logs = tenant.namespace.api::<Pod>();
    let params = kube::api::LogParams { container: Some("runner".into()), ..Default::default() };
    let text = logs.logs(pod, &params).await?;
    let first = text.lines().next().unwrap_or_default();
    let repository = format!("{}/demo", tenant.account);
    ensure!(first.contains(run) && first.contains(&repository), "the worker's log begins with {first:?}");
    Ok(())
}

pub async fn an_agent_is_replaced_after_its_job(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let prefix = format!("{}-", tenant.group);
    let mut claimed = Vec::new();
    for _ in 0..2 {
        let run = tenant.start_script("true").await?;
        let run = tenant.completed(run).await?;
        claimed.push(run.jobs.first().and_then(|it| it.runner_name.clone()).context("a runner's name")?);
        tenant.settled(run.run_id).await?;
        wait::eventually("a fresh runner listens", REACTION, || async {
            let agents = tenant.github.agents(&prefix).await?;
            ensure!(agents.iter().any(|it| it.online && it.fate == "alive"), "{agents:#?}");
            Ok(())
        })
        .await?;
    }
    ensure!(claimed[0] != claimed[1], "one runner had two jobs: {claimed:?}");
    ensure!(claimed.iter().all(|it| it.starts_with(&prefix)), "{claimed:?}");
    Ok(())
}

pub async fn the_jobs_of_a_matrix_run_side_by_side(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({"maxWorkers": 3})).await?;
    let run = tenant
        .start(json!({"test": {
            "runs-on": ["self-hosted", "linux"], "strategy": {"matrix": {"shard": [1, 2, 3]}}, "steps": [{"run": GATE}],
        }}))
        .await?;
    let at_once = tenant
        .github
        .until(run, "all three jobs run at the same time", JOB, |run| {
            run.jobs.len() == 3
                && run.jobs.iter().all(|it| it.status == "in_progress" && it.started_at.is_some())
        })
        .await?;
    let workers = tenant.workers().await?;
    ensure!(workers.len() == 3, "{} worker pods", workers.len());
    let jobs = tenant.runner_jobs(run).await?;
    let mut ids: Vec<_> = jobs.iter().filter_map(|it| it.status.as_ref()?.job.as_ref()).collect();
    ids.sort_by(|a, b| a.job_id.cmp(&b.job_id));
    ids.dedup_by(|a, b| a.job_id == b.job_id);
    ensure!(ids.len() == 3, "RunnerJobs of {} different jobs", ids.len());
    ensure!(
        ids.iter().all(|it| it.plan_id == at_once.plan_id),
        "the jobs of a matrix share their plan: {ids:#?}"
    );

    for worker in workers {
        tenant.open_gate(&worker.name_any()).await?;
    }
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    ensure!(run.jobs.iter().all(|it| it.claims == 1), "{run:#?}");
    Ok(())
}

pub async fn jobs_beyond_max_workers_stay_queued_at_github(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({"maxWorkers": 1})).await?;
    let first = tenant.start_script(GATE).await?;
    let pod = tenant.running_pod(first).await?;
    let second = tenant.start_script("true").await?;
    // The controller has renewed its Lease twice: it had the time to take the second one.
    let leases = tenant.namespace.api::<Lease>();
    wait::renewals(&leases, names::CONTROLLER, 2, REACTION).await?;
    let waiting = tenant.github.run(second).await?;
    ensure!(waiting.status == "queued", "{waiting:#?}");
    let workers = tenant
        .namespace
        .api::<Pod>()
        .list(&ListParams::default().labels("actions-gateway.github.com/component=worker"))
        .await?;
    ensure!(workers.items.len() == 1, "{} worker pods", workers.items.len());
    // It says that it can take none, so that GitHub offers the job to somebody else; and it listens all the same.
    let listener = |it: &e2e::github::Session| it.parked > 0 && it.status.as_deref() == Some("Busy");
    wait::eventually("two sessions poll Busy", REACTION, || async {
        let sessions = tenant.github.sessions(&format!("{}-", tenant.group)).await?;
        ensure!(sessions.len() == 2 && sessions.iter().all(listener), "{sessions:#?}");
        Ok(())
    })
    .await?;
    group_says(&tenant, "Ready", "True", "ListenerActive").await?;

    tenant.open_gate(&pod).await?;
    let first = tenant.completed(first).await?;
    let second = tenant.completed(second).await?;
    let freed = first.jobs.first().and_then(|it| it.completed_at).context("the first one's end")?;
    let taken = second.jobs.first().and_then(|it| it.acquired_at).context("the second one's claim")?;
    ensure!(taken >= freed, "the second job was claimed at {taken}, the first one ended at {freed}");
    ensure!(second.conclusion.as_deref() == Some("success"), "{second:#?}");
    let offers = tenant.github.offers(&tenant.account, second.run_id).await?;
    ensure!(offers.iter().all(|it| it.declined == 0), "it was offered in vain: {offers:#?}");
    Ok(())
}

pub async fn edited_labels_get_their_jobs(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start(json!({"build": {"runs-on": "arm", "steps": [{"run": "true"}]}})).await?;
    tenant.apply_gateway(tenant.gateway(json!({"runnerLabels": ["arm"]}))).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    Ok(())
}

pub async fn a_restricted_worker_is_admitted_to_a_restricted_namespace(namespace: Namespace) -> Result<()> {
    let namespaces: Api<Object> = Api::all(namespace.client());
    let enforce =
        Patch::Merge(json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}));
    namespaces.patch(namespace.name(), &PatchParams::default(), &enforce).await?;
    let tenant = Tenant::new(namespace).await?;
    tenant.hand_over_credentials().await?;
    let mut gateway = tenant.gateway(json!({}));
    gateway["spec"]["securityProfile"] = json!("restricted");
    tenant.apply_gateway(gateway).await?;
    tenant.wait_until_listening().await?;
    let run = tenant.start_script("test $(id -u) = 1001").await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    Ok(())
}
