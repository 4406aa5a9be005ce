//! The `RunnerJob` object: made before the claim, deleted when the claim was not ours.

use api::runner_job::{BrokerOffer, RunnerGroupRef, RunnerJobSpec};
use api::{RunnerJob, labels};
use kube::api::{DeleteParams, PostParams};
use kube::core::ObjectMeta;
use operator::describe;
use operator::finalizer;

use super::Shared;
use crate::jobs::offer::Source;
use crate::jobs::snapshot::JobSnapshot;
use crate::pod::build::worker_labels;
use crate::report::{JobFields, job_line};

/// What a job's writer knows of its `RunnerJob`.
#[derive(Debug, Clone)]
pub(super) enum Written {
    /// It was not made.
    Absent,
    /// The POST got no answer.
    Unknown,
    /// As last written.
    Present(Box<RunnerJob>),
}

/// W1.
pub(super) async fn create(shared: &Shared, snapshot: &JobSnapshot) -> Written {
    let Ok(_permit) = shared.api_calls.acquire().await else { return Written::Absent };
    match shared.jobs.create(&PostParams::default(), &object(shared, snapshot)).await {
        Ok(created) => Written::Present(Box::new(created)),
        Err(error) => {
            job_line!(warn, snapshot.line(), error = %describe(&error), "failed to create RunnerJob");
            match error {
                kube::Error::Api(status) if status.code < 500 => Written::Absent,
                _ => Written::Unknown,
            }
        }
    }
}

fn object(shared: &Shared, snapshot: &JobSnapshot) -> RunnerJob {
    let offer = &snapshot.offer;
    let spec = RunnerJobSpec {
        runner_group: RunnerGroupRef { name: offer.group.name.clone() },
        priority_class_name: snapshot.priority_class.clone(),
        broker: match &offer.source {
            Source::Broker(it) => Some(BrokerOffer {
                request_id: it.request.request_id.as_str().to_owned(),
                run_service_url: it.request.run_service_url.to_string(),
                billing_owner_id: it.request.billing_owner_id.clone(),
                agent: it.agent.clone(),
            }),
        },
    };
    let mut own_labels = worker_labels(&shared.platform.gateway, &offer.group.name, offer.name.as_str());
    own_labels.remove(labels::COMPONENT);
    RunnerJob {
        metadata: ObjectMeta {
            name: Some(offer.name.to_string()),
            namespace: Some(shared.platform.namespace.clone()),
            labels: Some(own_labels),
            owner_references: Some(vec![offer.group.owner.clone()]),
            finalizers: Some(vec![labels::FINALIZER_JOB.to_owned()]),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

/// Deletes a record that we made. Best effort: what is left is found at the next start and asked about.
pub(super) async fn delete(shared: &Shared, record: &mut Written, snapshot: &JobSnapshot) {
    let Ok(_permit) = shared.api_calls.acquire().await else { return };
    let found = match std::mem::replace(record, Written::Absent) {
        Written::Absent => return,
        Written::Present(it) => *it,
        Written::Unknown => match shared.jobs.get_opt(snapshot.offer.name.as_str()).await {
            Ok(Some(it)) => it,
            Ok(None) | Err(_) => return,
        },
    };
    let released = finalizer::remove(&shared.jobs, &found, labels::FINALIZER_JOB).await;
    let deleted = shared.jobs.delete(snapshot.offer.name.as_str(), &DeleteParams::default()).await;
    if let Err(error) = released {
        job_line!(warn, snapshot.line(), error = %describe(&error), "failed to remove the finalizer from RunnerJob");
    }
    match deleted {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => {
            job_line!(warn, snapshot.line(), error = %describe(&error), "failed to delete RunnerJob");
        }
    }
}

/// Takes our finalizer off.
pub(super) async fn release(shared: &Shared, record: &RunnerJob) {
    let Ok(_permit) = shared.api_calls.acquire().await else { return };
    if let Err(error) = finalizer::remove(&shared.jobs, record, labels::FINALIZER_JOB).await {
        job_line!(warn, JobFields::of_object(record), error = %describe(&error), "failed to remove the finalizer from RunnerJob");
    }
}
