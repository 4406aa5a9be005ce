//! LimitRanges: what they fill in of a pod, and what they refuse. The API server does both; here they are reckoned for the time
//! in which no dry run has said what becomes of the pod.

use k8s_openapi::api::core::v1::{
    LimitRange, LimitRangeItem, PersistentVolumeClaimTemplate, PodSpec, ResourceRequirements,
};

use crate::amounts::{Amounts, read};
use crate::quantity::canonical;
use crate::resources::{Side, containers, containers_mut, default_requests};

/// Makes of a template's spec what the API server makes of it: requests for what is only limited, then each container's
/// defaults. Where two LimitRanges have a default for one resource, the first counts.
pub fn apply(spec: &mut PodSpec, ranges: &[LimitRange]) {
    default_requests(spec);
    for range in ranges {
        let defaults = defaults(range);
        for container in containers_mut(spec) {
            fill(container.resources.get_or_insert_default(), &defaults);
        }
    }
}

/// The defaults of one LimitRange.
fn defaults(range: &LimitRange) -> ResourceRequirements {
    let mut defaults = ResourceRequirements::default();
    for item in items(range, "Container") {
        let requests = item.default_request.clone().unwrap_or_default();
        defaults.requests.get_or_insert_default().extend(requests);
        defaults.limits.get_or_insert_default().extend(item.default.clone().unwrap_or_default());
    }
    defaults
}

fn fill(resources: &mut ResourceRequirements, defaults: &ResourceRequirements) {
    let sides = [(&mut resources.requests, &defaults.requests), (&mut resources.limits, &defaults.limits)];
    for (written, defaults) in sides {
        for (name, quantity) in defaults.iter().flatten() {
            written.get_or_insert_default().entry(name.clone()).or_insert_with(|| quantity.clone());
        }
    }
}

/// What LimitRanges refuse of a pod whose defaults are filled in, in the API server's words; empty when they take it.
#[must_use]
pub fn violations(spec: &PodSpec, ranges: &[LimitRange]) -> Vec<String> {
    let mut spec = spec.clone();
    default_requests(&mut spec);
    let each: Vec<Claimed> = containers(&spec).map(|it| Claimed::by(it.resources.as_ref())).collect();
    let whole = [Claimed::by_pod(&spec)];
    let of_containers = judged(ranges, "Container", &each);
    of_containers.chain(judged(ranges, "Pod", &whole)).collect()
}

/// What LimitRanges refuse of the claims for a pod's ephemeral volumes. The pod is created all the same, and waits for them.
#[must_use]
pub fn volume_violations(spec: &PodSpec, ranges: &[LimitRange]) -> Vec<String> {
    let volumes = spec.volumes.iter().flatten().filter_map(|it| it.ephemeral.as_ref());
    let claims = volumes.filter_map(|it| it.volume_claim_template.as_ref());
    let claims: Vec<Claimed> = claims.map(Claimed::by_volume).collect();
    judged(ranges, "PersistentVolumeClaim", &claims).collect()
}

fn items<'a>(range: &'a LimitRange, kind: &str) -> impl Iterator<Item = &'a LimitRangeItem> {
    range.spec.iter().flat_map(|it| &it.limits).filter(move |it| it.type_ == kind)
}

fn judged(ranges: &[LimitRange], kind: &str, claimed: &[Claimed]) -> impl Iterator<Item = String> {
    let items = ranges.iter().flat_map(move |it| items(it, kind));
    items.flat_map(|item| claimed.iter().flat_map(|it| it.against(item)))
}

/// What is requested and limited by one container, pod or claim.
struct Claimed {
    requests: Amounts,
    /// `None` of what has no limits: then the request alone is judged.
    limits: Option<Amounts>,
}

impl Claimed {
    fn by(resources: Option<&ResourceRequirements>) -> Self {
        Self { requests: Side::Requests.of(resources), limits: Some(Side::Limits.of(resources)) }
    }

    /// Neither the overhead of a RuntimeClass nor huge pages that the pod claims as a whole are judged.
    fn by_pod(spec: &PodSpec) -> Self {
        let sum = |side: Side| {
            let mut amounts = side.of_containers(spec);
            let whole = side.of(spec.resources.as_ref()).into_iter();
            amounts.extend(whole.filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory")));
            amounts
        };
        Self { requests: sum(Side::Requests), limits: Some(sum(Side::Limits)) }
    }

    fn by_volume(template: &PersistentVolumeClaimTemplate) -> Self {
        let requests = template.spec.resources.as_ref().and_then(|it| it.requests.as_ref());
        Self { requests: requests.map(read).unwrap_or_default(), limits: None }
    }

    /// The violations of one item.
    fn against(&self, item: &LimitRangeItem) -> Vec<String> {
        let kind = item.type_.as_str();
        let bounds = |list: &Option<_>| list.as_ref().map(read).unwrap_or_default();
        let low = bounds(&item.min).into_iter().filter_map(|(name, it)| self.too_low(kind, &name, it));
        let high = bounds(&item.max).into_iter().filter_map(|(name, it)| self.too_high(kind, &name, it));
        let ratios = bounds(&item.max_limit_request_ratio);
        let steep = ratios.into_iter().filter_map(|(name, it)| self.too_steep(kind, &name, it));
        low.chain(high).chain(steep).collect()
    }

    fn too_low(&self, kind: &str, name: &str, least: i128) -> Option<String> {
        let what = format!("minimum {name} usage per {kind} is {}", canonical(least));
        let Some(request) = self.requests.get(name) else {
            return Some(format!("{what}.  No request is specified"));
        };
        let limit = self.limits.as_ref().and_then(|it| it.get(name));
        let below =
            |word, it: &i128| (*it < least).then(|| format!("{what}, but {word} is {}", canonical(*it)));
        below("request", request).or_else(|| below("limit", limit?))
    }

    fn too_high(&self, kind: &str, name: &str, most: i128) -> Option<String> {
        let what = format!("maximum {name} usage per {kind} is {}", canonical(most));
        let above =
            |word, it: &i128| (*it > most).then(|| format!("{what}, but {word} is {}", canonical(*it)));
        let request = self.requests.get(name);
        let Some(limits) = &self.limits else {
            return request.map_or_else(
                || Some(format!("{what}.  No request is specified")),
                |it| above("request", it),
            );
        };
        let Some(limit) = limits.get(name) else { return Some(format!("{what}.  No limit is specified")) };
        above("limit", limit).or_else(|| above("request", request?))
    }

    fn too_steep(&self, kind: &str, name: &str, most: i128) -> Option<String> {
        let what = format!("{name} max limit to request ratio per {kind} is {}", canonical(most));
        let amount = |amounts: &Amounts| amounts.get(name).copied().filter(|it| *it != 0);
        let Some(request) = amount(&self.requests) else {
            return Some(format!("{what}, but no request is specified or request is 0"));
        };
        let Some(limit) = self.limits.as_ref().and_then(amount) else {
            return Some(format!("{what}, but no limit is specified or limit is 0"));
        };
        // The API server divides floating-point numbers, too: what it rounds is rounded here.
        let ratio = limit as f64 / request as f64;
        (ratio * 1000.0 > most as f64).then(|| format!("{what}, but provided ratio is {ratio:.6}"))
    }
}

#[cfg(test)]
mod tests;
