//! ResourceQuotas as the question of capacity needs them. Pure.

use crate::capacity::{Amounts, Quota};
use crate::quantity::millis;
use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceQuota};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// One ResourceQuota, and which pods it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaFacts {
    /// Its numbers.
    pub quota: Quota,
    /// Its scopes, as in `Terminating`.
    scopes: Vec<String>,
    /// It selects pods in a way that is not judged here.
    selective: bool,
}

impl QuotaFacts {
    /// Reads the object. What is no quantity counts as not there.
    #[must_use]
    pub fn of(object: &ResourceQuota) -> Self {
        let spec = object.spec.clone().unwrap_or_default();
        let status = object.status.clone().unwrap_or_default();
        Self {
            quota: Quota {
                name: object.metadata.name.clone().unwrap_or_default(),
                hard: amounts(&status.hard.or(spec.hard).unwrap_or_default()),
                used: amounts(&status.used.unwrap_or_default()),
            },
            scopes: spec.scopes.unwrap_or_default(),
            selective: spec.scope_selector.is_some(),
        }
    }

    /// Whether it counts a worker, which has a deadline or has none. A quota that selects by priority class is left to the API server,
    /// whose refusal is tried again.
    #[must_use]
    pub fn counts(&self, deadline: bool) -> bool {
        // Our install container has requests, so no worker is of the class BestEffort.
        !self.selective
            && self.scopes.iter().all(|scope| match scope.as_str() {
                "Terminating" => deadline,
                "NotTerminating" => !deadline,
                "NotBestEffort" => true,
                _ => false,
            })
    }
}

/// What a pod of this spec takes: the larger of its containers together and each init container alone.
#[must_use]
pub fn demand(spec: &PodSpec) -> Amounts {
    let mut demand = Amounts::from([("pods".to_owned(), 1000), ("count/pods".to_owned(), 1000)]);
    for (prefix, pick) in [("requests", requests as Pick), ("limits", limits as Pick)] {
        let mut total = Amounts::new();
        for (resource, amount) in spec.containers.iter().flat_map(pick) {
            *total.entry(resource).or_default() += amount;
        }
        for (resource, amount) in spec.init_containers.iter().flatten().flat_map(pick) {
            let most = total.entry(resource).or_default();
            *most = (*most).max(amount);
        }
        for (resource, amount) in total {
            if prefix == "requests" && ["cpu", "memory", "ephemeral-storage"].contains(&resource.as_str()) {
                demand.insert(resource.clone(), amount);
            }
            demand.insert(format!("{prefix}.{resource}"), amount);
        }
    }
    demand
}

type Pick = fn(&Container) -> Amounts;

/// A container without a request for what it limits requests as much.
fn requests(container: &Container) -> Amounts {
    let mut requests = limits(container);
    let written = container.resources.as_ref().and_then(|it| it.requests.as_ref());
    requests.extend(written.map(amounts).unwrap_or_default());
    requests
}

fn limits(container: &Container) -> Amounts {
    container.resources.as_ref().and_then(|it| it.limits.as_ref()).map(amounts).unwrap_or_default()
}

fn amounts(quantities: &BTreeMap<String, Quantity>) -> Amounts {
    quantities.iter().filter_map(|(name, it)| Some((name.clone(), millis(&it.0)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(yaml: &str) -> QuotaFacts {
        QuotaFacts::of(&serde_yaml::from_str(yaml).unwrap())
    }

    #[test]
    fn scopes_decide_which_quota_counts_a_worker() {
        let (mortal, immortal) = (true, false);
        let scoped = |scope: &str| quota(&format!("spec: {{ scopes: [{scope}] }}"));
        assert!(quota("spec: { hard: { pods: '1' } }").counts(mortal));
        assert!(scoped("Terminating").counts(mortal) && !scoped("Terminating").counts(immortal));
        assert!(!scoped("NotTerminating").counts(mortal) && scoped("NotTerminating").counts(immortal));
        assert!(!scoped("BestEffort").counts(mortal) && scoped("NotBestEffort").counts(mortal));
    }

    #[test]
    fn what_the_api_server_counts_goes_before_what_was_asked() {
        let facts =
            quota("{ spec: { hard: { pods: '5' } }, status: { hard: { pods: '4' }, used: { pods: '1' } } }");
        assert_eq!((facts.quota.hard["pods"], facts.quota.used["pods"]), (4000, 1000));
    }

    #[test]
    fn a_pod_takes_the_larger_of_its_containers_and_each_init_container() {
        let spec: PodSpec = serde_yaml::from_str(
            "
            initContainers:
            - { name: install, resources: { requests: { cpu: 10m, memory: 2Gi }, limits: { memory: 2Gi } } }
            containers:
            - { name: runner, resources: { requests: { cpu: '1' }, limits: { memory: 1Gi } } }
            - { name: sidecar, resources: { requests: { cpu: 500m } } }
            ",
        )
        .unwrap();
        let demand = demand(&spec);
        assert_eq!(demand["pods"], 1000);
        assert_eq!(demand["requests.cpu"], 1500);
        assert_eq!(demand["cpu"], 1500);
        let gib = 1000 * (1i128 << 30);
        assert_eq!(demand["requests.memory"], 2 * gib);
        assert_eq!(demand["limits.memory"], 2 * gib);
    }
}
