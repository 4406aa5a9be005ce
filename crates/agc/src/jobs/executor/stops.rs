//! Ending a worker: its wrapper is asked to cancel the job, or its pod is deleted. The pod says why, first.

use api::{StopReason, labels};
use handoff::worker::{ANNOTATION_STOP, StopFrame, StopRequest};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Map, Value, json};

use super::Shared;
use super::writes::gone;
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
    if annotate(shared, pod, &[(labels::DELETION_REASON, reason.as_str())]).await? {
        return Ok(());
    }
    let preconditions = Preconditions { uid: Some(pod.uid.clone()), ..Preconditions::default() };
    let params = DeleteParams {
        preconditions: Some(preconditions),
        grace_period_seconds: grace,
        ..DeleteParams::default()
    };
    gone(shared.pods.delete(&pod.name, &params).await.map(drop)).map(drop)
}

/// Writes annotations on the pod; true when it is gone.
async fn annotate(shared: &Shared, pod: &PodFacts, pairs: &[(&str, &str)]) -> Result<bool, kube::Error> {
    let annotations: Map<String, Value> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    let patch = json!({ "metadata": { "uid": pod.uid, "annotations": annotations } });
    let patched = shared.pods.patch(&pod.name, &PatchParams::default(), &Patch::Merge(patch)).await;
    gone(patched.map(drop))
}
