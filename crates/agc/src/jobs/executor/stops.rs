//! Ending a worker: its wrapper is asked to cancel the job, or its pod is deleted. The pod says why, first.

use api::{StopReason, labels};
use handoff::worker::{ANNOTATION_STOP, StopFrame, StopRequest};
use job::naming;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use operator::finalizer;
use serde_json::{Map, Value, json};

use super::Shared;
use super::runner_job::Written;
use super::writes::{self, gone, is_owned};
use crate::jobs::snapshot::{JobSnapshot, PodFacts};

/// Stamps the pod, and asks its wrapper to cancel the job. The stamp outlives us: it says why the worker ended.
pub(super) async fn ask_to_cancel(
    shared: &Shared,
    snapshot: &JobSnapshot,
    reason: StopReason,
    seconds: u32,
) -> Result<(), kube::Error> {
    let Some(pod) = &snapshot.pod else { return Ok(()) };
    let Ok(_permit) = shared.api_calls.acquire().await else { return Ok(()) };
    let request = StopRequest { frame: StopFrame::Cancel, seconds: seconds.into() };
    annotate(
        shared,
        pod,
        &[(labels::DELETION_REASON, reason.as_str()), (ANNOTATION_STOP, &request.to_string())],
    )
    .await
    .map(drop)
}

/// Stamps the pod, then deletes it, with this grace in seconds or its own. A pod that is gone needs neither.
pub(super) async fn delete_pod(
    shared: &Shared,
    snapshot: &JobSnapshot,
    reason: StopReason,
    grace: Option<u32>,
) -> Result<(), kube::Error> {
    let Some(pod) = &snapshot.pod else { return Ok(()) };
    let Ok(_permit) = shared.api_calls.acquire().await else { return Ok(()) };
    delete_stamped(shared, pod, reason, grace).await.map(drop)
}

/// The same for a pod of which nothing ran, and our finalizer off: it has nothing to tell, and its name is needed. The
/// finalizer goes last, because while it is there a successor finds the pod.
pub(super) async fn remove_rejected_pod(shared: &Shared, snapshot: &JobSnapshot) -> Result<(), kube::Error> {
    let Some(pod) = &snapshot.rejected_pod else { return Ok(()) };
    let is_gone = {
        let Ok(_permit) = shared.api_calls.acquire().await else { return Ok(()) };
        delete_stamped(shared, pod, StopReason::NodeRejected, None).await?
    };
    if is_gone {
        return Ok(());
    }
    let deleted = PodFacts { deleting: true, ..pod.clone() };
    writes::release_pod(shared, &JobSnapshot { pod: Some(deleted), ..snapshot.clone() }).await
}

/// True when the pod is gone already.
async fn delete_stamped(
    shared: &Shared,
    pod: &PodFacts,
    reason: StopReason,
    grace: Option<u32>,
) -> Result<bool, kube::Error> {
    if annotate(shared, pod, &[(labels::DELETION_REASON, reason.as_str())]).await? {
        return Ok(true);
    }
    let preconditions = Preconditions { uid: Some(pod.uid.clone()), ..Preconditions::default() };
    let params = DeleteParams {
        preconditions: Some(preconditions),
        grace_period_seconds: grace,
        ..DeleteParams::default()
    };
    gone(shared.pods.delete(&pod.name, &params).await.map(drop))
}

/// Deletes the pod of a job that ended without one, where an unanswered POST created it after all. Nobody waits for its end.
pub(super) async fn remove_pod(
    shared: &Shared,
    record: &Written,
    snapshot: &JobSnapshot,
) -> Result<(), kube::Error> {
    let (Some(identity), Written::Present(owner)) = (&snapshot.identity, record) else { return Ok(()) };
    let name = naming::pod(&snapshot.offer.group.name, &identity.plan_id, &identity.job_id);
    let Ok(_permit) = shared.api_calls.acquire().await else { return Ok(()) };
    let found = shared.pods.get_opt(&name).await?;
    let Some(pod) = found.filter(|it| is_owned(&it.metadata, owner)) else { return Ok(()) };
    let preconditions = Preconditions { uid: pod.metadata.uid.clone(), ..Preconditions::default() };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    if gone(shared.pods.delete(&name, &params).await.map(drop))? {
        return Ok(());
    }
    match finalizer::remove(&shared.pods, &pod, labels::FINALIZER_JOB).await {
        Ok(_) => Ok(()),
        Err(finalizer::Error::Read { source, .. } | finalizer::Error::Patch { source, .. }) => Err(source),
    }
}

/// Writes annotations on the pod; true when it is gone.
async fn annotate(shared: &Shared, pod: &PodFacts, pairs: &[(&str, &str)]) -> Result<bool, kube::Error> {
    let annotations: Map<String, Value> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    let patch = json!({ "metadata": { "uid": pod.uid, "annotations": annotations } });
    let patched = shared.pods.patch(&pod.name, &PatchParams::default(), &Patch::Merge(patch)).await;
    gone(patched.map(drop))
}
