//! Removes what is only on show: finished pods after their time, settled `RunnerJob`s beyond what the group keeps,
//! pods that no job stands behind. Ends pods that only a sidecar keeps running. What is due is decided by pure functions over
//! what the watches know.

mod due;
mod outlived;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::StopReason;
use api::{RunnerJob, labels};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};
use operator::finalizer;
use runtime::clock::Clock;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::report::{JobFields, Reporter, job_line};
use crate::runner_group::group::Group;
use crate::runner_group::state::GroupStates;
use crate::watches::Stores;
pub use due::{Reap, finished_pods, orphans, surplus_jobs};
pub use outlived::{Outlived, Remedy, outlived_pods};

/// Often enough for a `completedPodTTL` of zero to mean soon.
const ROUND: Duration = Duration::from_secs(5);

/// The groups as they are, by name.
pub type Groups = watch::Receiver<BTreeMap<String, Arc<Group>>>;

/// Looks at everything every few seconds.
pub struct Reaper {
    pods: Api<Pod>,
    jobs: Api<RunnerJob>,
    stores: Stores,
    groups: Groups,
    states: GroupStates,
    reporter: Reporter,
    clock: Clock,
}

impl Reaper {
    /// Reaps in `namespace`.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        stores: Stores,
        groups: Groups,
        states: GroupStates,
        reporter: Reporter,
        clock: Clock,
    ) -> Self {
        let pods = Api::namespaced(client.clone(), namespace);
        let jobs = Api::namespaced(client, namespace);
        Self { pods, jobs, stores, groups, states, reporter, clock }
    }

    /// Runs until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.clock.about(ROUND)) => {}
            }
            self.round().await;
        }
    }

    /// One look at everything.
    pub async fn round(&self) {
        let now = self.clock.now();
        let groups = self.groups.borrow().clone();
        let pods = self.stores.pods.state();
        let jobs = self.stores.runner_jobs();
        for group in groups.keys() {
            self.reporter.pods_outlived(group, outlived::count_outlived(group, &pods, now));
            let said = outlived::says(group, &pods, now);
            self.states.update(group, |it| it.outlived_pod = said);
        }
        for reap in finished_pods(&pods, &groups, now) {
            self.reap(&reap).await;
        }
        for outlived in outlived_pods(&pods, now) {
            self.end(&outlived).await;
        }
        for reap in orphans(&pods, &jobs, now) {
            self.reap(&reap).await;
        }
        for name in surplus_jobs(&jobs, &pods, &groups, now) {
            let deleted = self.jobs.delete(&name, &DeleteParams::default()).await;
            let Some(job) = jobs.iter().find(|it| it.metadata.name.as_ref() == Some(&name)) else { continue };
            let line = JobFields::of_object(job);
            match deleted {
                Ok(_) => job_line!(debug, line, "deleted RunnerJob beyond jobHistory"),
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    job_line!(warn, line, error = %operator::describe(&error), "failed to delete RunnerJob beyond jobHistory");
                }
            }
        }
    }

    async fn reap(&self, reap: &Reap) {
        if let Err(error) = self.delete(reap).await {
            let error = operator::describe(&error);
            tracing::warn!(pod = reap.pod.name_any(), %error, "failed to delete the worker pod");
            return;
        }
        self.reporter.pod_reaped(&reap.group, reap.reason);
    }

    /// What only a sidecar keeps running, is ended; whoever refuses that leaves its deletion.
    async fn end(&self, outlived: &Outlived) {
        let (pod, containers) = (outlived.pod.name_any(), outlived.containers.join(", "));
        let refused = match outlived.remedy {
            Remedy::Delete => None,
            Remedy::LowerDeadline(seconds) => {
                match tolerate(self.lower_deadline(&outlived.pod, seconds).await) {
                    Ok(()) => {
                        tracing::info!(
                            runner_group = outlived.group,
                            pod,
                            containers,
                            "ending a worker pod that is kept from finishing"
                        );
                        return;
                    }
                    Err(error) => Some(error),
                }
            }
        };
        if let Some(error) = &refused {
            let error_text = operator::describe(error);
            tracing::warn!(pod, error = %error_text, "failed to lower the worker pod's activeDeadlineSeconds");
            if !is_refusal(error) {
                return; // the next round tries again
            }
        }
        let (group, reason) = (outlived.group.clone(), StopReason::Outlived);
        self.reap(&Reap { pod: outlived.pod.clone(), group, reason }).await;
    }

    async fn lower_deadline(&self, pod: &Pod, seconds: i64) -> Result<(), kube::Error> {
        let reason = StopReason::Outlived.as_str();
        let lowered = json!({
            "metadata": { "uid": pod.uid(), "annotations": { labels::DELETION_REASON: reason } },
            "spec": { "activeDeadlineSeconds": seconds },
        });
        self.pods.patch(&pod.name_any(), &PatchParams::default(), &Patch::Merge(lowered)).await.map(drop)
    }

    /// The stamp comes first. A finished pod got its one with the last write of its job.
    async fn delete(&self, reap: &Reap) -> Result<(), kube::Error> {
        let name = reap.pod.name_any();
        if !reap.pod.annotations().contains_key(labels::DELETION_REASON) {
            let stamp =
                json!({ "metadata": { "annotations": { labels::DELETION_REASON: reap.reason.as_str() } } });
            tolerate(self.pods.patch(&name, &PatchParams::default(), &Patch::Merge(stamp)).await.map(drop))?;
        }
        let preconditions = Preconditions { uid: reap.pod.uid(), ..Preconditions::default() };
        let ended = reap.reason != StopReason::Orphaned;
        let params = DeleteParams {
            preconditions: Some(preconditions),
            grace_period_seconds: ended.then(|| outlived::grace_after_runner(&reap.pod)),
            ..DeleteParams::default()
        };
        tolerate(self.pods.delete(&name, &params).await.map(drop))?;
        if reap.reason == StopReason::Orphaned
            && let Err(error) = finalizer::remove(&self.pods, &*reap.pod, labels::FINALIZER_JOB).await
        {
            tracing::warn!(pod = name, error = %operator::describe(&error), "failed to remove the finalizer from the orphaned pod");
        }
        Ok(())
    }
}

fn tolerate(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(error) if is_gone(&error) => Ok(()),
        result => result,
    }
}

/// Gone, or another object of that name by now.
fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404 || status.code == 409)
}

/// Refused for good: an admission webhook, a policy, a missing grant. Asking again would be answered alike.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 429)
}
