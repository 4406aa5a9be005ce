//! ResourceQuotas: whom they count, and what they have left.

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceQuota, ScopedResourceSelectorRequirement};

use crate::amounts::{Amounts, read};
use crate::demand::{Need, Part, pod};
use crate::resources::{Side, containers, default_requests, has_pod_level};

/// One ResourceQuota.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// Its name.
    pub name: String,
    /// What may be used.
    pub hard: Amounts,
    /// What is used, as the API server last said.
    pub used: Amounts,
    /// It counts what is in all of them.
    scopes: Vec<ScopedResourceSelectorRequirement>,
}

/// What a quota has too little of. In thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The resource, as the quota names it.
    pub resource: String,
    /// What is used, and reserved for jobs in flight.
    pub used: i128,
    /// What may be used.
    pub hard: i128,
    /// What the job needs.
    pub needed: i128,
}

impl Quota {
    /// Reads the object. What is no quantity counts as not there. Until the API server begins to count, what was asked for
    /// counts.
    #[must_use]
    pub fn of(object: &ResourceQuota) -> Self {
        let spec = object.spec.clone().unwrap_or_default();
        let status = object.status.clone().unwrap_or_default();
        let plain = spec.scopes.into_iter().flatten().map(|scope_name| ScopedResourceSelectorRequirement {
            operator: "Exists".to_owned(),
            scope_name,
            values: None,
        });
        let selected =
            spec.scope_selector.into_iter().flat_map(|it| it.match_expressions.unwrap_or_default());
        Self {
            name: object.metadata.name.clone().unwrap_or_default(),
            hard: read(&status.hard.or(spec.hard).unwrap_or_default()),
            used: read(&status.used.unwrap_or_default()),
            scopes: plain.chain(selected).collect(),
        }
    }

    /// The first resource that the job, on top of what is used and what others still need, would take past its bound. A
    /// resource of which it needs none does not hold it back, however overdrawn.
    #[must_use]
    pub fn short_of(&self, need: Need<'_>, reserved: &[Need<'_>]) -> Option<Shortage> {
        self.hard.iter().find_map(|(resource, hard)| {
            let needed = self.taken(need, resource);
            if needed == 0 {
                return None;
            }
            let reserved: i128 = reserved.iter().map(|it| self.taken(*it, resource)).sum();
            let used = self.used.get(resource).copied().unwrap_or_default() + reserved;
            let short = used + needed > *hard;
            short.then(|| Shortage { resource: resource.clone(), used, hard: *hard, needed })
        })
    }

    /// How much of a resource this quota counts of what a job still needs.
    #[must_use]
    pub fn taken(&self, need: Need<'_>, resource: &str) -> i128 {
        let counted = need.parts().filter(|it| self.counts(it, need.priority_class));
        counted.filter_map(|it| it.amounts.get(resource)).sum()
    }

    fn counts(&self, part: &Part, tier: Option<&str>) -> bool {
        self.scopes.iter().all(|it| part.is_in(it, tier))
    }

    /// What the API server answers to a pod that leaves out what this quota counts: whoever bounds CPU or memory wants each
    /// container to say how much.
    #[must_use]
    pub fn must_specify(&self, spec: &PodSpec) -> Option<String> {
        let mut spec = spec.clone();
        default_requests(&mut spec);
        if has_pod_level(&spec) || !self.counts(&pod(&spec), None) {
            return None;
        }
        let missing: Vec<String> = SAID.into_iter().filter_map(|it| self.unsaid(&spec, it)).collect();
        let quota = &self.name;
        (!missing.is_empty()).then(|| format!("failed quota: {quota}: must specify {}", missing.join("; ")))
    }

    /// The containers that leave out one resource which this quota counts.
    fn unsaid(&self, spec: &PodSpec, (resource, side, name): (&str, Side, &str)) -> Option<String> {
        let silent = |it: &&Container| !side.of(it.resources.as_ref()).contains_key(name);
        let mut names: Vec<&str> = containers(spec).filter(silent).map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        let missing = self.hard.contains_key(resource) && !names.is_empty();
        missing.then(|| format!("{resource} for: {}", names.join(",")))
    }
}

/// The resources of a quota that each container must specify, and where; in the order of the API server's sentence.
const SAID: [(&str, Side, &str); 6] = [
    ("cpu", Side::Requests, "cpu"),
    ("limits.cpu", Side::Limits, "cpu"),
    ("limits.memory", Side::Limits, "memory"),
    ("memory", Side::Requests, "memory"),
    ("requests.cpu", Side::Requests, "cpu"),
    ("requests.memory", Side::Requests, "memory"),
];

#[cfg(test)]
mod tests;
