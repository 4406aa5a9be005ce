//! W2 to W9: one function each. Every one bears repeating.

use api::StopReason;
use api::{RunnerJob, labels};
use handoff::worker::RunInfo;
use job::{Event, PodRefusal, naming};
use json_patch::{
    AddOperation, Patch as JsonPatch, PatchOperation, RemoveOperation, TestOperation, jsonptr::PointerBuf,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Resource as _, ResourceExt as _};
use operator::describe;
use runtime::telemetry::is_sampled;
use serde_json::{Value, json};

use super::Shared;
use super::runner_job::Written;
use crate::jobs::memory::Memory;
use crate::jobs::message::Message;
use crate::jobs::payload;
use crate::jobs::snapshot::{JobSnapshot, PodFacts};
use crate::pod::build::{self, Work, worker_labels};
use crate::pod::refusal::Refusal;
use crate::report::job_line;

/// How the POST of a pod ended.
pub(super) enum Created {
    Pod(PodFacts),
    Not(Event),
}

/// W2.
pub(super) async fn store_payload(shared: &Shared, record: &Written, snapshot: &JobSnapshot) -> Event {
    let (Some(claim), Written::Present(owner)) = (&snapshot.acquired, record) else {
        return Event::PayloadStoreFailed;
    };
    let name = snapshot.offer.name.payload_secret();
    let metadata = ObjectMeta {
        name: Some(name.clone()),
        namespace: Some(shared.platform.namespace.clone()),
        labels: Some(worker_labels(
            &shared.platform.gateway,
            &snapshot.offer.group.name,
            snapshot.offer.name.as_str(),
        )),
        owner_references: Some(owner_reference(owner).into_iter().collect()),
        ..ObjectMeta::default()
    };
    let Some(message) = &claim.message else { return Event::PayloadStored };
    // Steps that join the trace need not send spans that nobody keeps.
    let run = RunInfo { sampled: is_sampled(&snapshot.span), ..claim.run.clone() };
    let secret = match payload::secret(metadata, message, &claim.jit, &run) {
        Ok(secret) => secret,
        Err(error) => {
            job_line!(warn, snapshot.line(), error = %describe(&error), "failed to build the payload Secret");
            return match error {
                payload::Error::TooLarge { .. } => Event::PayloadTooLarge,
                _ => Event::PayloadStoreFailed,
            };
        }
    };
    let Ok(_permit) = shared.api_calls.acquire().await else { return Event::PayloadStoreFailed };
    match shared.secrets.create(&PostParams::default(), &secret).await {
        Ok(_) => Event::PayloadStored,
        Err(kube::Error::Api(refusal)) if refusal.code == 413 => Event::PayloadTooLarge,
        Err(kube::Error::Api(refusal)) if refusal.is_already_exists() => {
            match shared.secrets.get_opt(&name).await {
                Ok(Some(found)) if is_owned(&found.metadata, owner) => Event::PayloadStored,
                _ => Event::PayloadStoreFailed,
            }
        }
        Err(error) => {
            let words = describe(&error).to_string();
            job_line!(warn, snapshot.line(), error = words, "failed to create the payload Secret");
            shared.tell(Message::ClusterWords(snapshot.offer.name.clone(), words)).await;
            match Refusal::of(&error) {
                Some(Refusal::Quota) => Event::PayloadOverQuota,
                _ => Event::PayloadStoreFailed,
            }
        }
    }
}

/// W3.
pub(super) async fn create_pod(shared: &Shared, record: &Written, snapshot: &JobSnapshot) -> Created {
    let (Some(claim), Written::Present(owner)) = (&snapshot.acquired, record) else {
        return Created::Not(Event::PodCreateFailed);
    };
    let Some(owner_reference) = owner_reference(owner) else { return Created::Not(Event::PodCreateFailed) };
    let Some(group) = &snapshot.offer.spec else {
        let words = format!("the spec of RunnerGroup {} is invalid", snapshot.offer.group.name);
        shared.tell(Message::ClusterWords(snapshot.offer.name.clone(), words)).await;
        return Created::Not(Event::PodRefused(PodRefusal::Invalid));
    };
    let name = naming::pod(&snapshot.offer.group.name, &claim.run.plan_id, &claim.run.job_id);
    let work = Work {
        name: &name,
        owner: owner_reference,
        payload_secret: &snapshot.offer.name.payload_secret(),
        run: &claim.run,
        priority_class: snapshot.priority_class.as_deref(),
    };
    let pod = build::build(&shared.platform, &group.template, &work);
    let Ok(_permit) = shared.api_calls.acquire().await else { return Created::Not(Event::PodCreateFailed) };
    match shared.pods.create(&PostParams::default(), &pod).await {
        Ok(created) => Created::Pod(PodFacts::of(&created)),
        Err(kube::Error::Api(refusal)) if refusal.is_already_exists() => {
            match shared.pods.get_opt(&name).await {
                Ok(Some(found)) if is_owned(&found.metadata, owner) => Created::Pod(PodFacts::of(&found)),
                Ok(Some(_)) => Created::Not(Event::PodRefused(PodRefusal::Duplicate)),
                Ok(None) | Err(_) => Created::Not(Event::PodCreateFailed),
            }
        }
        Err(error) => {
            let words = describe(&error).to_string();
            job_line!(warn, snapshot.line(), pod = name, error = words, "failed to create the worker pod");
            shared.tell(Message::ClusterWords(snapshot.offer.name.clone(), words)).await;
            Created::Not(match Refusal::of(&error) {
                Some(Refusal::Quota) => Event::PodRefused(PodRefusal::Quota),
                Some(Refusal::Invalid) => Event::PodRefused(PodRefusal::Invalid),
                None => Event::PodCreateFailed,
            })
        }
    }
}

/// W4, W5, W6. The status goes over nothing that somebody else wrote meanwhile: then it is computed anew, once.
pub(super) async fn status(
    shared: &Shared,
    record: &mut Written,
    snapshot: &JobSnapshot,
) -> Result<(), kube::Error> {
    let Written::Present(current) = record else { return Ok(()) };
    let Ok(_permit) = shared.api_calls.acquire().await else { return Ok(()) };
    let written = match write_status(shared, current, snapshot).await {
        Err(kube::Error::Api(conflict)) if conflict.is_conflict() => {
            let Some(read) = shared.jobs.get_opt(&current.name_any()).await? else { return Ok(()) };
            **current = read;
            write_status(shared, current, snapshot).await
        }
        written => written,
    };
    match written {
        Ok(object) => **current = object,
        // Somebody took our finalizer off: there is nobody left to tell.
        Err(kube::Error::Api(gone)) if gone.code == 404 => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn write_status(
    shared: &Shared,
    current: &RunnerJob,
    snapshot: &JobSnapshot,
) -> Result<RunnerJob, kube::Error> {
    let old = current.status.clone().unwrap_or_default();
    let wanted = Memory::of(snapshot).write(snapshot.phase, &old, current.metadata.generation, shared.now());
    let mut patch = json!({
        "metadata": { "resourceVersion": current.metadata.resource_version, "uid": current.metadata.uid },
        "status": wanted,
    });
    // All else only comes to be known; what is waited for ends, and a merge keeps what it is not told of.
    if wanted.reason.is_none() {
        patch["status"]["reason"] = Value::Null;
    }
    shared.jobs.patch_status(&current.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await
}

/// W7.
pub(super) async fn delete_payload(shared: &Shared, snapshot: &JobSnapshot) -> Result<(), kube::Error> {
    let Ok(_permit) = shared.api_calls.acquire().await else { return Ok(()) };
    let deleted =
        shared.secrets.delete(&snapshot.offer.name.payload_secret(), &DeleteParams::default()).await;
    gone(deleted.map(drop)).map(drop)
}

/// W9: our finalizer off, and on it what people want to see: why the job failed, and what will delete the pod.
pub(super) async fn release_pod(shared: &Shared, snapshot: &JobSnapshot) -> Result<(), kube::Error> {
    let Some(pod) = &snapshot.pod else { return Ok(()) };
    let Ok(_permit) = shared.api_calls.acquire().await else { return Ok(()) };
    // Nobody else puts a finalizer in front of ours on a pod that we make; if somebody does, look where ours is.
    let first = release_patch(0, snapshot);
    match shared.pods.patch(&pod.name, &PatchParams::default(), &Patch::Json::<()>(first)).await {
        Err(kube::Error::Api(stale)) if stale.code == 422 || stale.code == 409 => {}
        written => return gone(written.map(drop)).map(drop),
    }
    let Some(found) = shared.pods.get_opt(&pod.name).await? else { return Ok(()) };
    let index = found.finalizers().iter().position(|it| it == labels::FINALIZER_JOB);
    let (Some(index), true) = (index, found.uid().as_deref() == Some(&pod.uid)) else { return Ok(()) };
    let second = release_patch(index, snapshot);
    let written = shared.pods.patch(&pod.name, &PatchParams::default(), &Patch::Json::<()>(second)).await;
    gone(written.map(drop)).map(drop)
}

fn release_patch(index: usize, snapshot: &JobSnapshot) -> JsonPatch {
    let index = index.to_string();
    let finalizer = PointerBuf::from_tokens(["metadata", "finalizers", &index]);
    let annotation = |key: &str, value: &str| {
        PatchOperation::Add(AddOperation {
            path: PointerBuf::from_tokens(["metadata", "annotations", key]),
            value: Value::String(value.to_owned()),
        })
    };
    let reason = snapshot.outcome.as_ref().and_then(|it| it.reason);
    let deleting = snapshot.pod.as_ref().is_some_and(|it| it.deleting);
    let mut operations = vec![
        PatchOperation::Test(TestOperation { path: finalizer.clone(), value: json!(labels::FINALIZER_JOB) }),
        PatchOperation::Remove(RemoveOperation { path: finalizer }),
    ];
    operations.extend(reason.map(|it| annotation(labels::FAILURE_REASON, it.as_str())));
    // Whatever deletes it from here on is routine; a reason that stands already says more.
    operations
        .extend((!deleting).then(|| annotation(labels::DELETION_REASON, StopReason::CompletedTtl.as_str())));
    JsonPatch(operations)
}

/// The RunnerJob as the controlling owner of what is written for it.
fn owner_reference(owner: &RunnerJob) -> Option<OwnerReference> {
    owner.controller_owner_ref(&()).map(|it| OwnerReference { block_owner_deletion: None, ..it })
}

pub(super) fn is_owned(object: &ObjectMeta, owner: &RunnerJob) -> bool {
    let uid = owner.metadata.uid.as_deref().unwrap_or_default();
    operator::apply::ownership(object, uid) == operator::apply::Ownership::Ours
}

/// Whether the object is gone already, or is another one of that name.
pub(super) fn gone(result: Result<(), kube::Error>) -> Result<bool, kube::Error> {
    match result {
        Ok(()) => Ok(false),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(true),
        Err(error) => Err(error),
    }
}
