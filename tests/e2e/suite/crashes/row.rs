//! One row of the crash table: the point, what happens while no controller runs, and how the job must end.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use api::runner_job::{JobResult, RunnerJobStatus};
use api::{RunnerJob, labels};
use e2e::audit::Entry;
use e2e::github::Run;
use e2e::node_agent::Signal;
use e2e::tenant::{GATE, REACTION, condition, is_complete};
use e2e::write_blocker::{Write, WriteBlocker};
use e2e::{Namespace, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use super::scene::Scene;

/// A lost acquisition is reported to the user within this time.
const REPORTED: Duration = Duration::from_secs(30);

/// The point at which the controller is killed.
#[derive(Clone, Copy, Debug)]
pub enum Point {
    /// The API server refuses this write: everything before it is done.
    Refused(Write),
    /// The API server has this write and has not answered.
    Sent(Write),
    /// GitHub has received `acquirejob` and does not answer: it has assigned the job, or not.
    Acquiring { granted: bool },
    /// The job runs in its pod, and the controller has written all that it writes of that.
    Running,
}

/// What happens while the controller is frozen.
#[derive(Clone, Copy, Debug)]
pub enum Meanwhile {
    Nothing,
    /// The write that was held is carried out.
    ThePodAppears,
    TheJobEnds,
    /// By a person, with its finalizer.
    ThePodIsDeleted,
    /// By a person at GitHub, before its job is acquired.
    TheRunIsCancelled,
    /// GitHub answers a repeated `acquirejob` as the first one.
    ARepeatedAcquisitionIsGranted,
}

/// How the job ends.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It runs once, and succeeds.
    Success,
    /// It was ours and its payload is lost: it never ran, and that is said.
    ClaimLost,
    /// It was never ours.
    NotOurs,
    /// It ran once, and nobody knows how it ended.
    Vanished,
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub point: Point,
    pub meanwhile: Meanwhile,
    pub outcome: Outcome,
    /// The job's only step.
    pub script: &'static str,
}

/// A job that does nothing, in a run that nobody disturbs.
pub const SUCCESS: Row =
    Row { point: Point::Running, meanwhile: Meanwhile::Nothing, outcome: Outcome::Success, script: "true" };

impl Row {
    /// Brings a controller to the point, kills it there, and judges its successor.
    pub async fn prove(self, namespace: Namespace) -> Result<()> {
        let scene = Scene::listening(namespace).await?;
        let controller = scene.tenant.controller().await?;
        let mut blocker = self.prepare(&scene).await?;
        let run = scene.tenant.start_script(self.script).await?;
        let worker = self.reach(&scene, run, blocker.as_mut()).await?;

        scene.signal(&controller, Signal::Stop).await?;
        if let Point::Sent(_) = self.point {
            ensure!(scene.tenant.workers().await?.is_empty(), "it was answered already");
        }
        if let Some(blocker) = blocker {
            blocker.remove().await?;
        }
        self.meanwhile(&scene, run, worker.as_deref()).await?;
        scene.kill(&controller).await?;

        if self.script == GATE && matches!(self.meanwhile, Meanwhile::Nothing) {
            let worker = scene.tenant.running_pod(run).await?;
            scene.tenant.open_gate(&worker).await?;
        }
        match self.outcome {
            Outcome::Success => ran_once(&scene, run).await?,
            Outcome::ClaimLost => was_lost(&scene, run).await?,
            Outcome::NotOurs => was_not_ours(&scene, run).await?,
            Outcome::Vanished => vanished(&scene, run).await?,
        }
        payload_was_read_once_at_most(&scene)?;
        scene.is_well(&controller).await
    }

    async fn prepare(self, scene: &Scene) -> Result<Option<WriteBlocker>> {
        let namespace = &scene.tenant.namespace;
        match self.point {
            Point::Refused(write) => WriteBlocker::refuse(namespace, write).await.map(Some),
            Point::Sent(write) => WriteBlocker::hold(namespace, write, scene.node_agent()).await.map(Some),
            Point::Acquiring { granted } => {
                let agent = listener(scene).await?;
                let withheld = json!({
                    "lever": "fail", "endpoint": "X1", "agent": agent, "effect": "withhold", "afterCommit": granted,
                });
                scene.tenant.github.pull(withheld).await?;
                Ok(None)
            }
            Point::Running => Ok(None),
        }
    }

    /// Waits until the controller is there; returns the worker's name if its job runs.
    async fn reach(
        self,
        scene: &Scene,
        run: u64,
        blocker: Option<&mut WriteBlocker>,
    ) -> Result<Option<String>> {
        let github = &scene.tenant.github;
        match self.point {
            Point::Refused(write) => {
                wait::eventually("the write is refused", REACTION, || async {
                    let refused = scene.asked(|it| it.code == 500 && is(write, it))?;
                    ensure!(!refused.is_empty(), "{write:?} was not tried");
                    Ok(())
                })
                .await?;
            }
            Point::Sent(_) => blocker.context("there is one")?.held(REACTION).await?,
            Point::Acquiring { granted: true } => {
                let claimed = |it: &Run| it.jobs.iter().all(|it| it.acquired_at.is_some());
                github.until(run, "the job is claimed", REACTION, claimed).await?;
            }
            Point::Acquiring { granted: false } => {
                let agent = listener(scene).await?;
                wait::eventually("the claim is sent", REACTION, || async {
                    ensure!(github.has_struck(&agent).await?);
                    Ok(())
                })
                .await?;
            }
            Point::Running => return scene.tenant.running_pod(run).await.map(Some),
        }
        Ok(None)
    }

    async fn meanwhile(self, scene: &Scene, run: u64, worker: Option<&str>) -> Result<()> {
        let tenant = &scene.tenant;
        let pods = tenant.namespace.api::<Pod>();
        match self.meanwhile {
            Meanwhile::Nothing => Ok(()),
            Meanwhile::ThePodAppears => {
                wait::eventually("the pod is there", REACTION, || async {
                    ensure!(tenant.workers().await?.len() == 1);
                    Ok(())
                })
                .await
            }
            Meanwhile::TheJobEnds => {
                let worker = worker.context("the job runs")?;
                tenant.open_gate(worker).await?;
                tenant.completed(run).await?;
                let is_over =
                    |it: &Pod| it.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Succeeded");
                wait::until(&pods, worker, "over", REACTION, is_over).await.map(drop)
            }
            Meanwhile::ThePodIsDeleted => {
                let worker = worker.context("the job runs")?;
                pods.delete(worker, &DeleteParams::default()).await?;
                let no_finalizers = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                pods.patch(worker, &PatchParams::default(), &no_finalizers).await?;
                wait::until_gone(&pods, worker, REACTION).await
            }
            Meanwhile::TheRunIsCancelled => tenant.github.cancel(run).await,
            Meanwhile::ARepeatedAcquisitionIsGranted => {
                let lever = json!({"lever": "repeated-acquire", "answer": "200", "account": tenant.account});
                tenant.github.pull(lever).await
            }
        }
    }
}

/// The name of the agent that waits for a job.
async fn listener(scene: &Scene) -> Result<String> {
    let agents = scene.tenant.github.agents(&scene.tenant.group).await?;
    let alive: Vec<_> = agents.into_iter().filter(|it| it.fate == "alive" && it.online).collect();
    let [agent] = alive.as_slice() else { bail!("one should listen: {alive:#?}") };
    Ok(agent.name.clone())
}

/// Whether a request was such a write.
fn is(write: Write, entry: &Entry) -> bool {
    let verbs: &[&str] = match write.operation {
        "CREATE" => &["create"],
        "DELETE" => &["delete"],
        _ => &["patch", "update"],
    };
    verbs.contains(&entry.verb.as_str()) && entry.group == write.group && entry.target() == write.resource
}

/// That a run's only job ran once, in one pod, and succeeded.
pub async fn ran_once(scene: &Scene, run: u64) -> Result<()> {
    let run = scene.tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success") && run.attempt == 1, "{run:#?}");
    let job = scene.tenant.settled(run.run_id).await?;
    let status = job.status.as_ref().context("a status")?;
    ensure!(status.result == Some(JobResult::Succeeded), "{status:#?}");
    let pod = status.pod.as_ref().context("the RunnerJob names its pod")?;
    pods_created_are(scene, 1)?;
    runs_are(scene, &run, &[&pod.uid]).await?;

    let pods = scene.tenant.namespace.api::<Pod>();
    wait::eventually("the finalizer is removed from the pod", REACTION, || async {
        // One whose job was over before its lock was renewed again is deleted at once, and may be gone by now.
        let finalizers = pods.get_opt(&pod.name).await?.unwrap_or_default().metadata.finalizers;
        ensure!(!finalizers.iter().flatten().any(|it| it == labels::FINALIZER_JOB), "{finalizers:?}");
        Ok(())
    })
    .await
}

async fn was_lost(scene: &Scene, run: u64) -> Result<()> {
    let job = wait::eventually("the loss is said", REPORTED, || async {
        let job = only_runner_job(scene).await?;
        ensure!(is_complete(&job), "{}", serde_yaml::to_string(&job)?);
        let events = scene.tenant.events(&job.name_any()).await?;
        let says = |reason: &str, type_: &str| {
            events.iter().any(|it| it.reason.as_deref() == Some(reason) && it.type_.as_deref() == Some(type_))
        };
        ensure!(says("JobClaimLost", "Warning"), "{events:#?}");
        Ok(job)
    })
    .await?;
    let status = job.status.unwrap_or_default();
    ensure!(status.failure_reason.as_deref() == Some("claim_lost"), "{status:#?}");
    ensure!(condition(&status.conditions, "Acquired")?.reason == "ClaimLost", "{status:#?}");
    never_ran(scene, run).await
}

async fn was_not_ours(scene: &Scene, run: u64) -> Result<()> {
    wait::eventually("no RunnerJob is left", REACTION, || async {
        let left = runner_jobs(scene).await?;
        ensure!(left.is_empty(), "{}", serde_yaml::to_string(&left)?);
        Ok(())
    })
    .await?;
    never_ran(scene, run).await
}

async fn vanished(scene: &Scene, run: u64) -> Result<()> {
    let job = scene.tenant.settled(run).await?;
    let status: RunnerJobStatus = job.status.unwrap_or_default();
    let reason = status.failure_reason.as_deref().unwrap_or_default();
    ensure!(["pod_deleted", "node_lost"].contains(&reason), "{status:#?}");
    pods_created_are(scene, 1)?;
    let pod = status.pod.as_ref().context("the RunnerJob names its pod")?;
    let run = scene.tenant.github.run(run).await?;
    runs_are(scene, &run, &[&pod.uid]).await
}

async fn never_ran(scene: &Scene, run: u64) -> Result<()> {
    pods_created_are(scene, 0)?;
    let run = scene.tenant.github.run(run).await?;
    ensure!(run.attempt == 1, "{run:#?}");
    runs_are(scene, &run, &[]).await
}

/// How many pods the API server has made for the namespace's controllers.
fn pods_created_are(scene: &Scene, count: usize) -> Result<()> {
    let made = |it: &Entry| it.verb == "create" && it.target() == "pods" && !it.dry_run && it.succeeded();
    let created = scene.asked(made)?;
    ensure!(created.len() == count, "{count} pods should have been created: {created:#?}");
    Ok(())
}

/// A start reads what it found unsettled, and then watches.
fn payload_was_read_once_at_most(scene: &Scene) -> Result<()> {
    let is_payload = |it: &Entry| it.resource == "secrets" && it.name.ends_with("-payload");
    let reads = scene.asked(|it| it.verb == "get" && is_payload(it))?;
    ensure!(reads.len() <= 1, "the payload was read again: {reads:#?}");
    Ok(())
}

/// In which pods the run's only job was begun, says whoever began it.
async fn runs_are(scene: &Scene, run: &Run, pods: &[&str]) -> Result<()> {
    let begun = scene.tenant.github.ledger(run).await?;
    ensure!(begun == pods, "the job should have been begun in {pods:?}, and was in {begun:?}");
    Ok(())
}

async fn runner_jobs(scene: &Scene) -> Result<Vec<RunnerJob>> {
    Ok(scene.tenant.namespace.api::<RunnerJob>().list(&ListParams::default()).await?.items)
}

async fn only_runner_job(scene: &Scene) -> Result<RunnerJob> {
    let jobs = runner_jobs(scene).await?;
    let [job] = jobs.as_slice() else { bail!("{} RunnerJobs", jobs.len()) };
    Ok(job.clone())
}
