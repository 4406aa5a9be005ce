//! What one job takes from the namespace's quotas.

use k8s_openapi::api::core::v1::{
    Affinity, EphemeralVolumeSource, PersistentVolumeClaimTemplate, PodAffinityTerm, PodSpec,
    ScopedResourceSelectorRequirement,
};

use crate::amounts::Amounts;
use crate::resources::{Side, containers, default_requests, is_extended, is_hugepages};

/// What a job creates, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// Its `RunnerJob`, before the claim.
    RunnerJob,
    /// The Secret with its payload.
    PayloadSecret,
    /// Its pod.
    Pod,
    /// The claims of its pod, for ephemeral volumes and devices: the controller-manager creates them for a pod that exists.
    Claims,
}

/// What a job creates and a ResourceQuota counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    parts: Vec<Part>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    object: Object,
    traits: Traits,
    pub(crate) amounts: Amounts,
}

/// What a quota's scopes ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Traits {
    /// No scope selects such an object.
    None,
    Pod {
        deadline: bool,
        best_effort: bool,
        priority_class: Option<String>,
        affinity_across_namespaces: bool,
    },
    VolumeClaim {
        attributes_class: Option<String>,
    },
}

/// What a job still takes: of its demand, the objects that quotas do not count yet.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a> {
    /// What it takes from beginning to end.
    pub demand: &'a Demand,
    /// The priority class that the group's tiers chose; else that of the pod counts.
    pub priority_class: Option<&'a str>,
    /// The first object that is still to come.
    pub from: Object,
}

impl Demand {
    /// What the job of a pod with this spec takes. The best spec is one that the API server answered with: it has what
    /// LimitRanges, webhooks and the pod's RuntimeClass fill in. What the API server itself fills in is added.
    #[must_use]
    pub fn of(spec: &PodSpec) -> Self {
        let mut spec = spec.clone();
        default_requests(&mut spec);
        let ours = [
            (Object::RunnerJob, &["count/runnerjobs.actions-gateway.github.com"][..]),
            (Object::PayloadSecret, &["secrets", "count/secrets"]),
        ];
        let mut parts = Vec::from(ours.map(|(object, names)| unscoped(object, names)));
        parts.push(pod(&spec));
        let volumes = spec.volumes.iter().flatten().filter_map(|it| it.ephemeral.as_ref());
        parts.extend(volumes.filter_map(volume_claim));
        let devices = spec.resource_claims.iter().flatten();
        let made = devices.filter(|it| it.resource_claim_template_name.is_some());
        parts.extend(made.map(|_| unscoped(Object::Claims, &["count/resourceclaims.resource.k8s.io"])));
        Self { parts }
    }

    /// What one of its objects, or several of its kind, take together.
    #[must_use]
    pub fn amounts(&self, object: Object) -> Amounts {
        let mut amounts = Amounts::new();
        for part in self.parts.iter().filter(|it| it.object == object) {
            crate::amounts::add(&mut amounts, &part.amounts);
        }
        amounts
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }
}

impl<'a> Need<'a> {
    /// What a job takes of which nothing exists.
    #[must_use]
    pub fn whole(demand: &'a Demand, priority_class: Option<&'a str>) -> Self {
        Self { demand, priority_class, from: Object::RunnerJob }
    }

    /// The objects that are still to come.
    pub(crate) fn parts(self) -> impl Iterator<Item = &'a Part> {
        self.demand.parts().filter(move |it| it.object >= self.from)
    }
}

impl Part {
    /// Whether a quota with this scope selects it; `tier` is the priority class that goes before the pod's own.
    pub(crate) fn is_in(&self, scope: &ScopedResourceSelectorRequirement, tier: Option<&str>) -> bool {
        match &self.traits {
            Traits::None => false,
            Traits::VolumeClaim { attributes_class } => {
                scope.scope_name == "VolumeAttributesClass" && selects(scope, attributes_class.as_deref())
            }
            Traits::Pod { deadline, best_effort, priority_class, affinity_across_namespaces } => {
                match scope.scope_name.as_str() {
                    "Terminating" => *deadline,
                    "NotTerminating" => !deadline,
                    "BestEffort" => *best_effort,
                    "NotBestEffort" => !best_effort,
                    "PriorityClass" => selects(scope, tier.or(priority_class.as_deref())),
                    "CrossNamespacePodAffinity" => *affinity_across_namespaces,
                    _ => false,
                }
            }
        }
    }
}

/// Whether a selector takes an object whose class is this one.
fn selects(scope: &ScopedResourceSelectorRequirement, class: Option<&str>) -> bool {
    let named = || class.is_some_and(|class| scope.values.iter().flatten().any(|it| it == class));
    match scope.operator.as_str() {
        "In" => named(),
        "NotIn" => !named(),
        "Exists" => class.is_some(),
        "DoesNotExist" => class.is_none(),
        _ => false,
    }
}

fn unscoped(object: Object, names: &[&str]) -> Part {
    Part { object, traits: Traits::None, amounts: ones(names) }
}

fn ones(names: &[&str]) -> Amounts {
    names.iter().map(|it| ((*it).to_owned(), 1000)).collect()
}

/// What a pod takes whose requests are filled in.
pub(crate) fn pod(spec: &PodSpec) -> Part {
    let mut amounts = ones(&["pods", "count/pods"]);
    for (name, amount) in Side::Requests.of_pod(spec) {
        let bare = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || is_hugepages(&name);
        if bare || is_extended(&name) {
            amounts.insert(format!("requests.{name}"), amount);
        }
        if bare {
            amounts.insert(name, amount);
        }
    }
    for (name, amount) in Side::Limits.of_pod(spec) {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            amounts.insert(format!("limits.{name}"), amount);
        }
    }
    let traits = Traits::Pod {
        deadline: spec.active_deadline_seconds.is_some(),
        best_effort: is_best_effort(spec),
        priority_class: spec.priority_class_name.clone().filter(|it| !it.is_empty()),
        affinity_across_namespaces: spec.affinity.as_ref().is_some_and(reaches_across_namespaces),
    };
    Part { object: Object::Pod, traits, amounts }
}

/// Whether the pod's QoS class is BestEffort: neither CPU nor memory is claimed, by the pod where it claims anything as a whole,
/// else by any container.
fn is_best_effort(spec: &PodSpec) -> bool {
    let of_containers = containers(spec).map(|it| it.resources.as_ref());
    let claims = spec.resources.as_ref().map_or_else(|| of_containers.collect(), |it| vec![Some(it)]);
    let claimed = |name: &str, amount: i128| matches!(name, "cpu" | "memory") && amount > 0;
    let sides = claims.into_iter().flat_map(|it| [Side::Requests.of(it), Side::Limits.of(it)]);
    !sides.flatten().any(|(name, amount)| claimed(&name, amount))
}

fn reaches_across_namespaces(affinity: &Affinity) -> bool {
    let near = affinity.pod_affinity.as_ref();
    let far = affinity.pod_anti_affinity.as_ref();
    let required = [
        near.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref()),
        far.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref()),
    ];
    let preferred = [
        near.and_then(|it| it.preferred_during_scheduling_ignored_during_execution.as_ref()),
        far.and_then(|it| it.preferred_during_scheduling_ignored_during_execution.as_ref()),
    ];
    let preferred = preferred.into_iter().flatten().flatten().map(|it| &it.pod_affinity_term);
    let names_others = |it: &PodAffinityTerm| {
        it.namespaces.as_ref().is_some_and(|it| !it.is_empty()) || it.namespace_selector.is_some()
    };
    required.into_iter().flatten().flatten().chain(preferred).any(names_others)
}

/// What the claim of an ephemeral volume takes. A template without a class gets the cluster's default, which is not known
/// here: quotas of that class do not count it.
fn volume_claim(volume: &EphemeralVolumeSource) -> Option<Part> {
    let template = volume.volume_claim_template.as_ref()?;
    let mut amounts = ones(&["persistentvolumeclaims", "count/persistentvolumeclaims"]);
    let storage = Side::storage(template);
    amounts.extend(storage.map(|it| ("requests.storage".to_owned(), it)));
    if let Some(class) = storage_class(template) {
        amounts.insert(format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"), 1000);
        let name = format!("{class}.storageclass.storage.k8s.io/requests.storage");
        amounts.extend(storage.map(|it| (name, it)));
    }
    let attributes_class = template.spec.volume_attributes_class_name.clone().filter(|it| !it.is_empty());
    Some(Part { object: Object::Claims, traits: Traits::VolumeClaim { attributes_class }, amounts })
}

/// The older annotation goes before the field.
fn storage_class(template: &PersistentVolumeClaimTemplate) -> Option<&str> {
    let annotations = template.metadata.as_ref().and_then(|it| it.annotations.as_ref());
    let annotation = annotations.and_then(|it| it.get("volume.beta.kubernetes.io/storage-class"));
    annotation.or(template.spec.storage_class_name.as_ref()).map(String::as_str).filter(|it| !it.is_empty())
}

impl Side {
    /// The bytes that a claim requests, whole ones.
    fn storage(template: &PersistentVolumeClaimTemplate) -> Option<i128> {
        let requests = template.spec.resources.as_ref()?.requests.as_ref()?;
        let millis = crate::quantity::millis(&requests.get("storage")?.0)?;
        Some((millis + 999).div_euclid(1000) * 1000)
    }
}

#[cfg(test)]
mod tests;
