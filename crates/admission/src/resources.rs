//! What a pod requests and is limited to, as the API server sums it up.

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::amounts::{Amounts, add, raise, read};
use crate::quantity::canonical;

/// Requests or limits: the same sums are made of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Requests,
    Limits,
}

impl Side {
    /// The amounts of this side.
    pub(crate) fn of(self, resources: Option<&ResourceRequirements>) -> Amounts {
        let list = resources.and_then(|it| match self {
            Self::Requests => it.requests.as_ref(),
            Self::Limits => it.limits.as_ref(),
        });
        list.map(read).unwrap_or_default()
    }

    /// What the containers take at the pod's dearest moment: each init container runs beside the sidecars that were started
    /// before it, the ordinary containers beside all sidecars.
    pub(crate) fn of_containers(self, spec: &PodSpec) -> Amounts {
        let mut running = Amounts::new();
        for container in &spec.containers {
            add(&mut running, &self.of(container.resources.as_ref()));
        }
        let mut sidecars = Amounts::new();
        let mut starting = Amounts::new();
        for container in spec.init_containers.iter().flatten() {
            let own = self.of(container.resources.as_ref());
            if is_sidecar(container) {
                add(&mut running, &own);
                add(&mut sidecars, &own);
                raise(&mut starting, &sidecars);
            } else {
                let mut beside = sidecars.clone();
                add(&mut beside, &own);
                raise(&mut starting, &beside);
            }
        }
        raise(&mut running, &starting);
        running
    }

    /// What the whole pod takes: what it says of itself goes before the sum of its containers, and the overhead of its
    /// RuntimeClass is added, to limits only where there is one.
    pub(crate) fn of_pod(self, spec: &PodSpec) -> Amounts {
        let mut amounts = self.of_containers(spec);
        let of_pod = self.of(spec.resources.as_ref());
        amounts.extend(of_pod.into_iter().filter(|(name, _)| is_pod_level(name)));
        for (name, amount) in spec.overhead.iter().flat_map(read) {
            match self {
                Self::Requests => *amounts.entry(name).or_default() += amount,
                Self::Limits => {
                    amounts.entry(name).and_modify(|it| *it += if *it == 0 { 0 } else { amount });
                }
            }
        }
        amounts
    }
}

/// An init container that runs for as long as the pod does.
pub(crate) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Every container that claims resources.
pub(crate) fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers.iter().chain(spec.init_containers.iter().flatten())
}

/// The same, to change them.
pub(crate) fn containers_mut(spec: &mut PodSpec) -> impl Iterator<Item = &mut Container> {
    spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten())
}

/// Resources that a pod can claim as a whole, in `spec.resources`.
pub(crate) fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || is_hugepages(name)
}

/// Whether the pod claims resources as a whole.
pub(crate) fn has_pod_level(spec: &PodSpec) -> bool {
    let resources = spec.resources.as_ref();
    [Side::Requests, Side::Limits].iter().any(|it| it.of(resources).keys().any(|name| is_pod_level(name)))
}

pub(crate) fn is_hugepages(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether containers may be limited to more than they request.
pub(crate) fn is_overcommitted(name: &str) -> bool {
    !is_hugepages(name) && (!name.contains('/') || name.contains("kubernetes.io/"))
}

/// A resource that a device plugin or a DeviceClass brings (`nvidia.com/gpu`).
pub(crate) fn is_extended(name: &str) -> bool {
    name.starts_with("deviceclass.resource.kubernetes.io/")
        || (name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with("requests."))
}

/// Fills in what the API server fills in when it reads a pod: a request for what is only limited, of each container and, where
/// the pod has limits of its own, of the pod.
pub(crate) fn default_requests(spec: &mut PodSpec) {
    for resources in containers_mut(spec).filter_map(|it| it.resources.as_mut()) {
        for (name, limit) in resources.limits.clone().unwrap_or_default() {
            resources.requests.get_or_insert_default().entry(name).or_insert(limit);
        }
    }
    default_pod_hugepages(spec);
    default_pod_requests(spec);
}

/// Huge pages cannot be overcommitted: a pod that claims anything as a whole, and says nothing of them, is limited to those of
/// its containers.
fn default_pod_hugepages(spec: &mut PodSpec) {
    let of_containers = Side::Limits.of_containers(spec);
    let Some(resources) = spec.resources.as_mut().filter(|it| !is_empty(it)) else { return };
    let requested = |name: &str| resources.requests.as_ref().is_some_and(|it| it.contains_key(name));
    let missing = of_containers.into_iter().filter(|(name, _)| is_hugepages(name) && !requested(name));
    for (name, amount) in missing.collect::<Amounts>() {
        resources.limits.get_or_insert_default().entry(name).or_insert_with(|| quantity(amount));
    }
}

fn default_pod_requests(spec: &mut PodSpec) {
    let of_containers = Side::Requests.of_containers(spec);
    let Some(resources) = spec.resources.as_mut() else { return };
    let Some(limits) = resources.limits.clone().filter(|it| !it.is_empty()) else { return };
    let requests = resources.requests.get_or_insert_default();
    for (name, amount) in of_containers.into_iter().filter(|(name, _)| matches!(&**name, "cpu" | "memory")) {
        requests.entry(name).or_insert_with(|| quantity(amount));
    }
    for (name, limit) in limits.into_iter().filter(|(name, _)| is_pod_level(name)) {
        requests.entry(name).or_insert(limit);
    }
}

fn is_empty(resources: &ResourceRequirements) -> bool {
    [&resources.requests, &resources.limits].iter().all(|it| it.as_ref().is_none_or(|it| it.is_empty()))
}

fn quantity(amount: i128) -> Quantity {
    Quantity(canonical(amount))
}
