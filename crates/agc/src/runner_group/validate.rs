//! From a RunnerGroup to a value that is proof. Pure.

use std::sync::Arc;

use admission::{Ceiling, Tier};
use api::field_error::{self, FieldError};
use api::pod_template::Rules;
use api::{GoDuration, RunnerGroup, problems};
use jiff::SignedDuration;
use kube::ResourceExt as _;

use crate::pod::build::Template;
use crate::runner_group::group::{Group, GroupId};

/// The spec cannot be honoured. The schema and the webhook refuse most of this before; here it is refused for good.
#[derive(Debug, thiserror::Error)]
#[error("{}", field_error::message(.0))]
pub struct Error(pub Vec<FieldError>);

/// Checks the whole spec, by the rules of its gateway.
///
/// # Errors
/// [`Error`] says what to change.
pub fn validate(group: &RunnerGroup, rules: &Rules) -> Result<Group, Error> {
    let spec = &group.spec;
    let pod = problems::runner_group(spec, rules)
        .map_err(|errors| Error(errors.into_iter().map(|it| it.below("spec")).collect()))?;
    let lifetime = signed(&spec.max_worker_lifetime);
    let lifetime = Some(lifetime).filter(|it| *it > SignedDuration::ZERO);
    let template_deadline = pod.spec.as_ref().and_then(|it| it.active_deadline_seconds);
    let tiers = spec
        .priority_tiers
        .iter()
        .map(|it| Tier { priority_class: it.priority_class_name.clone(), threshold: positive(it.threshold) });
    Ok(Group {
        id: Arc::new(GroupId::of(group)),
        labels: spec.runner_labels.clone(),
        max_listeners: usize::try_from(spec.max_listeners).unwrap_or(1).max(1),
        ceiling: Ceiling { max_workers: spec.max_workers.map(positive), tiers: tiers.collect() },
        policy: job::Policy {
            pending_deadline: signed(&spec.pending_pod_deadline),
            lifetime: template_deadline.map(SignedDuration::from_secs).or(lifetime),
            quota_retries: u32::try_from(spec.max_quota_retries).unwrap_or(0),
            quota_delay: signed(&spec.quota_retry_delay),
            ..job::Policy::default()
        },
        template: Template {
            group: group.name_any(),
            pod,
            worker_image: spec.worker_image.clone(),
            lifetime_seconds: lifetime.map(|it| it.as_secs().max(1)),
        },
        runner_version: spec.runner_version.clone(),
        completed_pod_ttl: signed(&spec.completed_pod_ttl),
        history: spec.job_history.clone(),
    })
}

fn positive(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn signed(duration: &GoDuration) -> SignedDuration {
    SignedDuration::try_from(duration.get()).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests;
