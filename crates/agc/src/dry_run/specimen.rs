//! The pod that a job of a group would get, before there is one. Pure.

use admission::{Demand, limit_range};
use handoff::worker::RunInfo;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::World;
use crate::pod::build::{self, Platform, Work};
use crate::runner_group::group::Group;

/// The pod of a job of this group that there is not.
pub(super) fn specimen(platform: &Platform, group: &Group, class: Option<&str>) -> Pod {
    let name = format!("{}-dry-run", group.id.name);
    let owner = OwnerReference {
        api_version: "actions-gateway.github.com/v1alpha1".to_owned(),
        kind: api::Kind::RunnerJob.as_str().to_owned(),
        name: name.clone(),
        uid: group.id.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    let run = RunInfo::default();
    let payload_secret = format!("{name}-payload");
    let work = Work { name: &name, owner, payload_secret: &payload_secret, run: &run, priority_class: class };
    build::build(platform, &group.template, &work)
}

/// What a job takes from quotas by our own arithmetic, while no dry run has come back.
pub(super) fn reckoned(platform: &Platform, group: &Group, class: Option<&str>, world: &World) -> Demand {
    let mut spec = specimen(platform, group, class).spec.unwrap_or_default();
    limit_range::apply(&mut spec, &world.limit_ranges);
    Demand::of(&spec)
}
