//! A tenant's controller that is away: nobody writes its statuses any more, so they must not go on to say that all is well.

use std::time::Duration;

use api::conditions::{Reason, Status, Type, condition, find, settle};
use api::{RunnerGroup, names};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource as _;
use kube::api::{Api, Patch, PatchParams};
use operator::lease::Timing;
use serde_json::{Value, json};

use crate::gateway::FIELD_MANAGER;
use crate::gateway::dereference::{Group, References};
use crate::gateway::identity::Identity;

/// The status of a RunnerGroup could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to update the status of RunnerGroup {group}")]
pub struct Error {
    group: String,
    #[source]
    source: kube::Error,
}

/// Since when the controller has been away, if it is: it renewed its Lease then, and not for twice as long as that lasts. One
/// that never had the Lease has said nothing that could be wrong.
pub fn away_since(lease: Option<&Lease>, now: Timestamp) -> Option<Timestamp> {
    let spec = lease?.spec.as_ref()?;
    let renewed = spec.renew_time.as_ref()?.0;
    let lasts = spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok()).map(Duration::from_secs);
    let lasts = lasts.unwrap_or_default().max(Timing::TENANT.duration);
    let bound = SignedDuration::try_from(lasts * 2).unwrap_or(SignedDuration::MAX);
    (now.duration_since(renewed) > bound).then_some(renewed)
}

/// What is said of a controller that is away since then.
pub fn words(since: Timestamp) -> String {
    format!(
        "no controller has renewed Lease {} since {since:.0}: what the status says otherwise is of that time",
        names::CONTROLLER
    )
}

/// Writes into every RunnerGroup of the namespace that has a status that nobody knows whether it is ready. Its controller
/// takes that back when it is there again.
///
/// # Errors
/// [`Error`], of the first that could not be written.
pub async fn mark(client: &kube::Client, references: &References, now: Timestamp) -> Result<(), Error> {
    // A younger gateway has no say over its elder's controller.
    let Some(since) = references.away_since(now).filter(|_| references.elder().is_none()) else {
        return Ok(());
    };
    for (group, condition) in
        references.runner_groups.iter().filter_map(|it| Some((it, change(it, since, now)?)))
    {
        write(client, &references.identity, group, &condition).await?;
    }
    Ok(())
}

/// The condition that the group should have instead; `None` where it has it, or has none that could be wrong.
fn change(group: &Group, since: Timestamp, now: Timestamp) -> Option<Condition> {
    let conditions = group.conditions.as_ref().ok()?;
    let old = find(conditions, Type::Ready)?;
    let new = condition(
        Type::Ready,
        Status::Unknown,
        Reason::ControllerAway,
        words(since),
        old.observed_generation,
    );
    let same = old.status == new.status && old.reason == new.reason && old.message == new.message;
    (!same && group.meta.deletion_timestamp.is_none()).then(|| settle(conditions, new, now))
}

async fn write(
    client: &kube::Client,
    identity: &Identity,
    group: &Group,
    condition: &Condition,
) -> Result<(), Error> {
    let name = group.meta.name.clone().unwrap_or_default();
    let api: Api<RunnerGroup> = Api::namespaced(client.clone(), &identity.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&name, &params, &Patch::Apply(body(group, condition))).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(source) => Err(Error { group: name, source }),
    }
}

/// Nobody listens for a controller that may not act. The uid keeps the write from a younger group of the same name.
fn body(group: &Group, condition: &Condition) -> Value {
    json!({
        "apiVersion": RunnerGroup::api_version(&()), "kind": RunnerGroup::kind(&()),
        "metadata": { "name": group.meta.name, "namespace": group.meta.namespace, "uid": group.meta.uid },
        "status": { "activeSessions": 0, "conditions": [condition] },
    })
}

#[cfg(test)]
mod tests;
