//! One RunnerGroup for each entry of the gateway, under the entry's name.

use api::RunnerGroup;
use api::actions_gateway::RunnerGroupEntry;

use super::metadata;
use crate::gateway::validate::Gateway;

pub(super) fn runner_group(gateway: &Gateway, entry: &RunnerGroupEntry) -> RunnerGroup {
    RunnerGroup { metadata: metadata(gateway, &entry.name), spec: entry.spec.clone(), status: None }
}
